"""JSON: strict reading, canonical writing, and messages for what is refused."""
