"""botd does the morning round of an HPC cluster: every drained or lost node checked at once, in one table."""

__version__ = "0.1.0"
