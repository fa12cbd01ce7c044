"""NRRD: header and layers of 3D Slicer's segmentations."""
