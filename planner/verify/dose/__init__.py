"""Verification of the dose: of every number of a dose report, from seeds and published tables."""
