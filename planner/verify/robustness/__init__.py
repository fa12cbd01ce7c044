"""Verification of robustness: placement errors drawn again, and what needles touch under them."""
