"""Verification of organ limits: every row again, with its organs matched again by name."""
