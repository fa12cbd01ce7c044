"""Solids by formula: shapes that say which voxel centres they contain, for any phantom."""
