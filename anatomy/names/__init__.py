"""Names: what a structure's name tells, its role, its side, its number; and what a misspelt one may mean."""
