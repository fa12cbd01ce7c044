"""Readers: one module for each input format; `read` detects the format."""
