"""Codes of tissue in compiled loops: 0 no body, 1 body, then voids of the lung and each lung or lobe."""

VOID, LUNG = 2, 3
"""Tissue of a void and of the first lung structure."""
