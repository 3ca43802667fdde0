"""Benchmarks: `make bench` runs them, prints their tables and writes the figures as JSON. Nothing here is a test."""
