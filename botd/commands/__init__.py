"""What the commands of `botd` do, one module for each."""
