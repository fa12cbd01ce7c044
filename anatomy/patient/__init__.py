"""Patient: from a segmentation to a patient on the table: roles, body, target and pose."""
