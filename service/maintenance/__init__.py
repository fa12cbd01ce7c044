"""Maintenance: files against their hashes, rows made again, backups, and what goes after a time."""
