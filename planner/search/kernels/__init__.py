"""The search's compiled loops. Plain numbers, tuples and arrays in B; no object but SearchFields."""
