"""Who asks, in HTTP: what a request may say, what it asks, and how the answer goes out."""
