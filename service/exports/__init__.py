"""Exports: a plan in a format of others, one a file."""
