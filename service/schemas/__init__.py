"""Schemas: wire formats as strict models, and their conversion to records and back."""
