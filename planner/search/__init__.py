"""Search: all safe straight lines to the target, to a proved resolution."""
