"""`python -m botd` is the command `botd`."""

import sys

from botd.cli import main

sys.exit(main())
