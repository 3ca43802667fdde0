"""The code of the moment of a person of the demo: `python -m botd.demo.code FILE`, where a telephone would be.

RFC 6238 with SHA-1, 6 digits and 30 s, which is what every app takes without being told.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import sys
import time
from pathlib import Path

STEP_S = 30


def code(secret: str, at: float) -> str:
    """The six digits for a secret in base 32 at a time in seconds since the epoch."""
    key = base64.b32decode(secret.strip().upper() + "=" * (-len(secret.strip()) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(at) // STEP_S), hashlib.sha1).digest()
    place = digest[-1] & 0xF
    (number,) = struct.unpack(">I", digest[place : place + 4])
    return f"{(number & 0x7FFFFFFF) % 10**6:06d}"


def main(path: str) -> None:
    """Prints the code, and on standard error how long it is still good."""
    now = time.time()
    print(code(Path(path).read_text(encoding="ascii"), now))
    print(f"good for {STEP_S - now % STEP_S:.0f} s more", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1])
