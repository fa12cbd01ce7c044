"""NRRD: header and layers, as 3D Slicer's segmentations have them."""
