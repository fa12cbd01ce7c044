"""Body: which voxels are trunk, what beside it is an obstacle, and where the field of view cuts it short."""
