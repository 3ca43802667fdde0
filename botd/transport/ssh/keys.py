"""The private keys that a login offers: the configured file, those of ssh_config, and those of the ssh-agent."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from pathlib import Path

import paramiko

from botd.errors import ConfigError
from botd.file_modes import check_private
from botd.settings import SshSettings
from botd.transport.ssh.routes import SshRoute

LOG = logging.getLogger(__name__)


class Keys:
    """The private keys to offer, each read once. Raises ConfigError when `key_file` cannot be used."""

    def __init__(self, settings: SshSettings, key_file: Path | None, passphrase: str) -> None:
        self._agent = settings.agent
        self._passphrase = passphrase
        self._own = [(str(key_file), read_key(key_file, passphrase))] if key_file else []
        self._read = functools.lru_cache(maxsize=None)(self._read_or_warn)

    def offers(self, route: SshRoute) -> Iterator[tuple[str, paramiko.PKey]]:
        """(where it comes from, key) for each key to try: the key file, then ssh_config's, then the agent's."""
        yield from self._own
        for path in route.key_files:
            if key := self._read(path):
                yield path, key
        if self._agent:
            yield from _agent_offers()

    def _read_or_warn(self, path: str) -> paramiko.PKey | None:
        try:
            return read_key(Path(path), self._passphrase)
        except ConfigError as error:
            LOG.warning("%s; ssh_config names it as IdentityFile", error)
            return None


def _agent_offers() -> Iterator[tuple[str, paramiko.PKey]]:
    # One connection to the agent for each login: paramiko's is not safe to share between threads.
    agent = paramiko.Agent()
    try:
        for key in agent.get_keys():
            yield "the ssh-agent", key
    finally:
        agent.close()


def read_key(path: Path, passphrase: str) -> paramiko.PKey:
    """The private key in a file: ed25519, ecdsa or rsa. Raises ConfigError, which never holds a secret."""
    try:
        key = _open_key(path, passphrase)
        check_private(path, "the ssh key")
    except OSError as error:
        raise ConfigError(f"cannot read the ssh key {path}: {error.strerror}") from None
    except (ValueError, paramiko.SSHException, paramiko.pkey.UnknownKeyType):
        raise ConfigError(f"cannot read the ssh key {path}: it is no private key, or the passphrase is wrong") from None
    return key


def _open_key(path: Path, passphrase: str) -> paramiko.PKey:
    try:
        return paramiko.PKey.from_path(path)
    except TypeError:  # cryptography's word for "it needs a passphrase"
        if not passphrase:
            raise ConfigError(f"the ssh key {path} has a passphrase; set BOTD_SSH_PASSPHRASE") from None
        return paramiko.PKey.from_path(path, passphrase.encode())  # type: ignore[arg-type]
