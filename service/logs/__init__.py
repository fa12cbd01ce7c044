"""Logs: JSON lines on stderr, the audit log in a file, and limits on how many lines are written."""
