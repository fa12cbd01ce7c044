"""Schemas: wire formats as strict models, and their way to records and back."""
