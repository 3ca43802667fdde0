"""Who they are, and what vouches for it."""
