"""Measuring: one needle, exactly, on the original voxels and triangles."""
