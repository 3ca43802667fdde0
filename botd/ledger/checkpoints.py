"""The signed heads of the audit in a file that no backup of the ledger brings back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

from botd.audit import Checkpoint, checkpoint_text, read_checkpoint
from botd.errors import LedgerUnavailable

LONGEST = 4096
"""Bytes that a line surely is shorter than."""


class Checkpoints:
    """The file: one line for each. Lines are only ever added."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def newest(self) -> Checkpoint | None:
        """The last line, None where there is no file or nothing in it. Raises LedgerUnavailable for anything else.

        A line that broke off when the machine lost its power counts as not there.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - 2 * LONGEST))
                tail = file.read().splitlines(keepends=True)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LedgerUnavailable(f"the checkpoints in {self.path} cannot be read: {error.strerror}") from error
        whole = [line for line in tail if line.endswith(b"\n")]
        try:
            return read_checkpoint(whole[-1].decode()) if whole else None
        except (ValueError, TypeError) as error:
            raise LedgerUnavailable(
                f"the last line of {self.path} is no checkpoint ({error}): see docs/ledger.rst"
            ) from error

    def append(self, checkpoint: Checkpoint) -> None:
        """Adds a line, on the disk when it returns. Raises LedgerUnavailable."""
        flags = os.O_CREAT | os.O_APPEND | os.O_RDWR | os.O_NOFOLLOW
        try:
            with os.fdopen(os.open(self.path, flags, 0o644), "rb+", buffering=0) as file:
                file.truncate(_whole(file))
                file.write(f"{checkpoint_text(checkpoint)}\n".encode())
                os.fsync(file.fileno())
        except OSError as error:
            raise LedgerUnavailable(
                f"the checkpoint cannot be written to {self.path} ({error.strerror}): "
                "name a file that the agent can write in [ledger] checkpoints"
            ) from error


def _whole(file: IO[bytes]) -> int:
    """The bytes of a file up to its last end of a line."""
    end = file.seek(0, os.SEEK_END)
    start = max(0, end - LONGEST)
    file.seek(start)
    tail = file.read()
    return start + tail.rfind(b"\n") + 1 if b"\n" in tail else start
