"""The agent's keys: X25519 to open what people type, Ed25519 to sign the head of the audit.

They lie in one file beside the ledger. The public half of the first is written to a file that the web part can read and
not write: what a browser sends travels through the shared database sealed to it.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox
from nacl.signing import SigningKey

from botd.documents import iso
from botd.errors import LedgerUnavailable
from botd.file_modes import others_may_write

NAME = "keys.json"

GRACE = timedelta(minutes=5)
"""How long what was sealed to the key before this one can still be opened: forms that lie open in a browser."""


@dataclass(frozen=True)
class Keys:
    """The keys of one moment. `old_seal` opens what was sealed to it until `old_until`."""

    seal: PrivateKey
    sign: SigningKey
    old_seal: PrivateKey | None = None
    old_until: datetime | None = None

    @property
    def public(self) -> str:
        """What is sealed to, in hexadecimal."""
        return bytes(self.seal.public_key).hex()

    def open(self, sealed: bytes, now: datetime) -> bytes:
        """What was sealed. Raises ValueError for what was sealed to another key, or to the old one too late."""
        keys = [self.seal]
        if self.old_seal and self.old_until and now < self.old_until:
            keys.append(self.old_seal)
        for key in keys:
            with suppress(CryptoError):
                return bytes(SealedBox(key).decrypt(sealed))
        raise ValueError("sealed to another key")

    def rotated(self, now: datetime) -> Keys:
        """New keys in place of these; the old seal key is good for some minutes more."""
        return Keys(PrivateKey.generate(), SigningKey.generate(), self.seal, now + GRACE)


def new_keys() -> Keys:
    """Keys that nobody has had before."""
    return Keys(PrivateKey.generate(), SigningKey.generate())


def key_file(ledger: Path) -> Path:
    """Where the keys of a ledger lie."""
    return ledger.with_name(NAME)


def read_keys(path: Path) -> Keys | None:
    """The keys, None where there is no file. Raises LedgerUnavailable where others can read it, or it holds none."""
    try:
        with path.open(encoding="ascii") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            found = json.load(file)
        keys = _from_document(found)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LedgerUnavailable(f"the keys in {path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:  # without it: it may say what stands there
        raise LedgerUnavailable(f"there are no keys in {path}; put those of the backup there") from error
    if mode & 0o077:
        raise LedgerUnavailable(f"the keys in {path} have mode {mode:04o}, so that others can read them: chmod 600 it")
    return keys


def write_keys(path: Path, keys: Keys) -> None:
    """Puts the keys in the place of those before, whole or not at all. Raises OSError."""
    document = {
        "seal": bytes(keys.seal).hex(),
        "sign": bytes(keys.sign).hex(),
        "old_seal": bytes(keys.old_seal).hex() if keys.old_seal else None,
        "old_until": iso(keys.old_until),
    }
    replace_file(path, json.dumps(document) + "\n", 0o600)


def publish(path: Path, keys: Keys) -> None:
    """Writes what is sealed to into a file that all can read and nobody else write. Raises LedgerUnavailable."""
    try:
        if not path.exists() or path.read_text(encoding="ascii", errors="replace") != f"{keys.public}\n":
            replace_file(path, f"{keys.public}\n", 0o644)
        why = others_may_write(path)
    except OSError as error:
        why = f"the public key cannot be written to {path} ({error.strerror})"
    if why:
        raise LedgerUnavailable(f"{why}: name a file that only the agent can write in [ledger] public_key")


def replace_file(path: Path, text: str, mode: int) -> None:
    """Puts a file in the place of the one before, on the disk when it returns. Raises OSError."""
    new = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        new.unlink()
    with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, mode), "w") as file:
        os.fchmod(file.fileno(), mode)  # whatever the umask
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _from_document(found: dict[str, str | None]) -> Keys:
    """The keys in a document. Raises what a damaged one may."""
    old_seal, old_until = found["old_seal"], found["old_until"]
    return Keys(
        PrivateKey(bytes.fromhex(str(found["seal"]))),
        SigningKey(bytes.fromhex(str(found["sign"]))),
        PrivateKey(bytes.fromhex(old_seal)) if old_seal else None,
        datetime.fromisoformat(old_until).astimezone(UTC) if old_until else None,
    )
