"""Liveness: whether processes are alive or stalled."""
