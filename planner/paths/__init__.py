"""Paths: from a million safe lines to ten ranked and named paths, or the reason why there is none."""
