"""Geometry: frames and grids, masks and surfaces, conversion from one to the other, and distances to them."""
