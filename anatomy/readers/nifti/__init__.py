"""NIfTI: header, position in the patient, and voxels."""
