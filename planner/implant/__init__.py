"""Implant: needles and seeds, chosen together from the tracks that the search finds."""
