"""Verification of the dose: every number of a dose report, from the seeds and published tables."""
