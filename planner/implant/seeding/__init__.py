"""Seeding: where the seeds are placed along the needles of a set, so that the goals of the prescription are
met."""
