"""The key that an agent or a worker signs by: one file, made at the first start."""

from __future__ import annotations

import os
from pathlib import Path

from nacl.signing import SigningKey

from botd.config import resolve_path
from botd.errors import ConfigError
from botd.file_modes import check_private
from botd.settings import Config

_AT = "[workers] key_file"


def signing_key(config: Config) -> SigningKey:
    """The key of this process, a new one where there is no file yet. Raises ConfigError."""
    path = resolve_path(config, config.workers.key_file)
    try:
        check_private(path, "the key in")
        return SigningKey(bytes.fromhex(path.read_text(encoding="ascii").strip()))
    except FileNotFoundError:
        return _new(path)
    except OSError as error:
        raise ConfigError(f"cannot read the key in {path}: {error.strerror}", _AT) from None
    except ValueError:  # without it: it may say what stands there
        raise ConfigError(f"there is no key in {path}: move it away, and the next start makes a new one", _AT) from None


def _new(path: Path) -> SigningKey:
    """A new key, in a file that nobody else can read."""
    key = SigningKey.generate()
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(f"{bytes(key).hex()}\n")
    except OSError as error:
        raise ConfigError(f"cannot write a key to {path}: {error.strerror}", _AT) from None
    return key
