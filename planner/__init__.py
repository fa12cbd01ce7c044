"""What may be done: paths, needle sets, seeds and dose for a scene and a request, and their verification."""
