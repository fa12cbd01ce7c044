"""Geometry: frames and grids, masks and surfaces, what turns one into the other, and distances to them."""
