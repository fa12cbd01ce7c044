"""Verification of a needle set: its needles together, their seeds, and the PTV."""
