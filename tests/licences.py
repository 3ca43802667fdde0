"""`python -m tests.licences`: writes docs/licences.rst, what botd runs on and under which licences, by pip-licenses."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "licences.rst"

OPTIONAL = (
    "psycopg",
    "psycopg-binary",
    *("amqp", "billiard", "celery", "click", "click-didyoumean", "click-plugins", "click-repl", "kombu"),
    *("prompt-toolkit", "redis", "tzlocal", "vine", "wcwidth"),
)
"""What the extras `postgresql` and `workers` of pyproject.toml bring."""

HEAD = """\
Licences
========

botd imports python-hostlist, which is under the GNU GPL, version 2 or later, and libraries under the Apache License
2.0, which goes together with version 3 alone. So the whole is distributed under ``GPL-3.0-or-later``; ``LICENSE`` has
its words. No library is copied into botd: pip installs each with its own licence. itables brings along DataTables and
jQuery, which the page in a browser loads; both are under MIT.

This is what botd runs on, as the libraries themselves say it. ``make licences`` writes this page with pip-licenses. The
second table comes with PostgreSQL alone (``pip install botd[postgresql]``: psycopg) and with workers alone
(``[workers]``: all others).

"""


def runs_on() -> list[str]:
    """The names in requirements.txt."""
    return re.findall(r"^([\w.-]+)==", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)


def table_of(names: list[str]) -> str:
    """The licences of installed libraries as a table."""
    words = ["--format=rst", "--from=mixed", "--with-system", "--no-version", "--with-urls", "--packages", *names]
    command = [sys.executable, "-m", "piplicenses", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def document() -> str:
    """The page as it has to be."""
    return HEAD + table_of(runs_on()).strip() + "\n\n" + table_of([*OPTIONAL]).strip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(document(), encoding="utf-8")
