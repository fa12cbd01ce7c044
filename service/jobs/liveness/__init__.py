"""Liveness: whether processes are heard, or stand still."""
