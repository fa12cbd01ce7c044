"""Storage: files and rows of cases and results, owner by owner, whole or not there."""
