"""JSON: strict reading, canonical writing, and error messages."""
