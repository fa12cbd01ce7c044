"""Health: whether the service can take work, found out by threads before anybody asks."""
