"""Connections: how many there are, how long a client is waited for, and how its bytes are read."""
