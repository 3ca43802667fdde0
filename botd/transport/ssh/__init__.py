"""Logging in to nodes, with paramiko: one connection and one command for all remote checks of a node."""
