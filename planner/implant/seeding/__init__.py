"""Seeding: which seeds stand where along the needles of a set, so that the goals of the prescription are
met."""
