"""What may be done to a node, and when not."""
