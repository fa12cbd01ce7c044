"""Tissue codes in compiled loops: 0 outside the body, 1 body, then voids of the lung and each lung or
lobe."""

VOID, LUNG = 2, 3
"""Codes of a void and of the first lung structure."""
