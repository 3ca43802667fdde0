"""Asking BMCs: whether one is there, and whether its node has power."""
