"""Geometry of verification: where an axis meets voxels, boxes and triangles, in closed form."""
