"""Shapes: structures as triangle meshes to look at, coarse enough for a browser. Nothing is computed on them.

    voxels --mean of blocks--> share of each block inside --blur--> marching cubes at one half --> triangles

A thin structure keeps small blocks; a large one gets blocks as large as its number of triangles allows.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage
from skimage.measure import marching_cubes

from anatomy.frames import Grid
from anatomy.roles import role_of
from anatomy.structures import Structure, Surface
from service.case import Case, open_case
from service.tasks import Report

MOST_TRIANGLES = 2000
"""About so many for each structure [U]: eighty structures are then a few megabytes of JSON."""

LARGEST_BLOCK_MM = 6.0
"""A larger structure gets more triangles instead: blocks of a finger's width would hide what shape it has."""

BLUR = 0.6
"""Of a block, so that voxels do not show as steps [U]."""

DECIMALS = 1
"""Of millimetres, in JSON."""

TRIANGLES_PER_BLOCK_FACE = 2.0


def shapes(report: Report, case: Case) -> list[dict[str, Any]]:
    """Every structure of a case as JSON values: name, role that its name implies, vertices and triangles.

    Vertices are in patient LPS. [mm] Raises AnatomyError for a case that cannot be read.
    """
    del report
    segmentation, _ = open_case(case)
    found = []
    for structure in segmentation.structures:
        surface = shape(structure, segmentation.grid)
        found.append(
            {
                "structure": structure.name,
                "role": str(structure.role or role_of(structure.name)),
                "vertices_mm": (surface.vertices_P.round(DECIMALS) + 0.0).tolist(),
                "triangles": surface.faces.tolist(),
            }
        )
    return found


def shape(structure: Structure, grid: Grid) -> Surface:
    """A structure's shape, closed and outward oriented, in P: its own mesh where that is small. [mm]

    Without triangles for an empty structure.
    """
    if structure.surface is not None and len(structure.surface.faces) <= MOST_TRIANGLES:
        return structure.surface
    mask = structure.mask
    if mask.count == 0:
        return Surface(np.zeros((0, 3)), np.zeros((0, 3), np.int64))
    voxels = mask.cropped()
    block = _block(voxels, grid)
    share = np.pad(_shares(voxels, block), 1)
    blurred = ndimage.gaussian_filter(share, BLUR)
    # A structure of one voxel must not vanish under the blur.
    level = min(0.5, 0.5 * float(blurred.max()))
    vertices, faces, _, _ = marching_cubes(blurred, level)  # type: ignore[no-untyped-call]
    # The middle of block n, without the padding, as a place among the voxels.
    place_V = (vertices.astype(np.float64) - 1.0 + 0.5) * block - 0.5 + np.array(mask.lower)
    if np.linalg.det(grid.X_PV[:3, :3]) > 0.0:
        # Marching cubes looks from the high side; a left-handed grid mirrors that already.
        faces = faces[:, ::-1]
    return Surface(grid.to_patient(place_V * grid.spacing_mm), faces.astype(np.int64))


def _block(voxels: Bool[np.ndarray, "nx ny nz"], grid: Grid) -> np.ndarray:
    """Voxels along each axis that are taken as one, (3,)."""
    faces = [int(np.count_nonzero(np.diff(np.pad(voxels, 1), axis=axis))) for axis in range(3)]
    sizes = np.prod(grid.spacing_mm) / grid.spacing_mm
    area_mm2 = float(np.array(faces) @ sizes)
    step_mm = np.sqrt(TRIANGLES_PER_BLOCK_FACE * area_mm2 / MOST_TRIANGLES)
    voxels_across = np.rint(min(step_mm, LARGEST_BLOCK_MM) / grid.spacing_mm)
    return np.asarray(np.maximum(1, voxels_across), dtype=np.int64)


def _shares(voxels: Bool[np.ndarray, "nx ny nz"], block: np.ndarray) -> Float[np.ndarray, "mx my mz"]:
    """How much of each block is inside, 0 to 1."""
    missing = -np.array(voxels.shape) % block
    whole = np.pad(voxels, [(0, int(m)) for m in missing])
    a, b, c = (np.array(whole.shape) // block).tolist()
    parts = whole.reshape(a, block[0], b, block[1], c, block[2])
    return np.asarray(parts.mean(axis=(1, 3, 5)), dtype=np.float64)
