"""Upload: the parts of a form, and which of them become a case."""
