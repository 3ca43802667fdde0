"""`python -m botd` is the command `botd`."""

from botd.cli import run

run()
