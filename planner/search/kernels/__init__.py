"""Kernels: the compiled loops of the search. Plain numbers, tuples and arrays in B; no object but
SearchFields."""
