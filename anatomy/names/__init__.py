"""Names: the role, side and number that a structure's name implies, and suggestions for misspelt names."""
