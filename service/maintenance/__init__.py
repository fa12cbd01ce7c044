"""Maintenance: check files against hashes, rebuild rows, back up, restore, and remove what is old."""
