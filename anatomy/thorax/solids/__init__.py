"""Solids by formula: shapes that tell which voxel centres they hold, for any phantom."""
