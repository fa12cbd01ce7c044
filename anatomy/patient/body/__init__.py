"""Body: which voxels are trunk, which parts are obstacles outside it, and where the field of view cuts it."""
