"""Measuring: exact measurements of needles on the original voxels and triangles."""
