"""Write every expected.json from what botd makes of the recordings now: the diff is for a person to judge."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path

from tests.recorded import FOLDER
from tests.recorded.test_recordings import READ_BY_BOTD, made_of


def main() -> None:
    """Write them all."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    made: dict[str, dict[str, object]] = {}
    for name in READ_BY_BOTD:
        version, _, file = name.partition("/")
        with tempfile.TemporaryDirectory() as folder:
            made.setdefault(version, {})[file] = made_of(name, Path(folder))
    for version, entries in made.items():
        text = json.dumps(entries, indent=1, ensure_ascii=False, sort_keys=True)
        (FOLDER / version / "expected.json").write_text(f"{text}\n")


if __name__ == "__main__":
    main()
