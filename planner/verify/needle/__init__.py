"""Verification of one needle: clearance, lung, bore, seeds and side, on the original structures."""
