"""Search: every safe straight line to the target, to a proved resolution."""
