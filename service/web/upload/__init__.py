"""Upload: the parts of a form, and what of them becomes a case."""
