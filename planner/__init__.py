"""What may be done: paths, needle sets, seeds and dose for a scene and a request, and their verification."""

SOFTWARE = "seedpath 0.1.0"
"""Name and version as plans state them; a test compares the version with the distribution's."""
