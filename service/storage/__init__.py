"""Storage: files and rows of cases and results, per owner, complete or not there at all."""
