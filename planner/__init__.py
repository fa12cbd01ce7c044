"""What may be done: paths, needle sets, seeds and dose for a scene and a request, and their verification."""

NAME, VERSION = "seedpath", "0.1.0"
"""Of this software; a test compares them with the distribution's."""

SOFTWARE = f"{NAME} {VERSION}"
"""Name and version as plans state them."""
