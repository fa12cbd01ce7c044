"""Patient: from a segmentation to a patient on a table, with roles, a body, a target and a pose."""
