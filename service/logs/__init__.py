"""Logs: lines of JSON on stderr, the audit log in a file, and how many lines are written of each kind."""
