"""Paths: from a million safe lines to ten ranked, named paths, or why there is none."""
