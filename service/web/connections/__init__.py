"""Connections: their number, time limits for slow clients, and how bytes are read."""
