"""Plausibility: whether what was read can be a patient: sizes, orientation, and which structures it lacks."""
