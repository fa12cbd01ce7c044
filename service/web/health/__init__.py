"""Health: whether the service can take work, checked in the background before anybody asks."""
