"""What is known: one web process's view of the store, what may be asked of it, and the answers."""
