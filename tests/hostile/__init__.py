"""Hostile nodes, BMCs, tools and clients, and a damaged database, around `botd serve` on a simulated cluster."""
