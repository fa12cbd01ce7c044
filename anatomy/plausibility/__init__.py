"""Plausibility: whether the input can be a patient, by sizes and orientation, and which structures are
missing."""
