"""Shapes: structures as triangle meshes for display, coarse enough for a browser. Nothing is computed on
them.

    voxels --mean of blocks--> share of each block inside --blur--> marching cubes at LEVEL --> triangles

A thin structure gets small blocks; a large one gets blocks as large as its number of triangles requires.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool
from scipy import ndimage
from skimage.measure import marching_cubes

from anatomy.geometry.frames import Grid
from anatomy.geometry.surface import Surface
from anatomy.names.roles import role_of
from anatomy.structures import Role, Structure
from service.operations.case import Case
from service.operations.open_case import open_case

MOST_TRIANGLES = 2000
"""Approximate number for each structure [U]: eighty structures are then a few megabytes of JSON."""

SMALLEST_LIMIT_MM, LARGEST_BLOCK_MM = 2.5, 6.0
"""A block is no larger than a structure's volume divided by its area, within these limits: a tube keeps its
wall [U]."""

BRANCHED_BELOW_MM = 4.0
"""Below this volume divided by area, a structure may have branches thinner than a block [U]."""

LEVEL, LEVEL_OF_BRANCHES = 0.5, 0.2
"""Share inside at which the surface is drawn. The second is for the square root of the share, if branches may
be thinner than a block: they stay at their place, and everything is drawn thicker than it is [U]."""

BLUR = 0.6
"""In blocks; so that voxels do not show as steps [U]."""

DECIMALS = 1
"""Decimals of millimetres in JSON."""

TRIANGLES_PER_BLOCK_FACE = 2.0


def shapes(case: Case) -> list[dict[str, Any]]:
    """Every structure of a case as JSON values: name, the role that its name implies, vertices and triangles.

    Vertices are in patient LPS. [mm] Raises AnatomyError for a case that cannot be read.
    """
    segmentation, _ = open_case(case)
    entries = []
    for structure in segmentation.structures:
        surface = shape(structure, segmentation.grid)
        entries.append(
            {
                "structure": structure.name,
                "role": str(structure.role or role_of(structure.name)),
                "vertices_mm": (surface.vertices_P.round(DECIMALS) + 0.0).tolist(),
                "triangles": surface.faces.tolist(),
            }
        )
    return entries


def shape(structure: Structure, grid: Grid) -> Surface:
    """The shape of a structure, closed and oriented outward, in P; its own mesh if that is small. [mm]

    An empty structure has no triangles.
    """
    if structure.surface is not None and len(structure.surface.faces) <= MOST_TRIANGLES:
        return structure.surface
    mask = structure.mask
    if mask.count == 0:
        return Surface(np.zeros((0, 3)), np.zeros((0, 3), np.int64))
    voxels = mask.cropped()
    area_mm2 = _area_mm2(voxels, grid)
    across_mm = mask.count * grid.voxel_volume_mm3 / area_mm2
    block = _block(area_mm2, across_mm, grid)
    shares = _blocks(voxels, block).mean(axis=(1, 3, 5))
    level = LEVEL
    if (structure.role or role_of(structure.name)) is Role.FORBIDDEN and across_mm < BRANCHED_BELOW_MM:
        shares, level = np.sqrt(shares), LEVEL_OF_BRANCHES
    blurred = ndimage.gaussian_filter(np.pad(shares, 1), BLUR)
    # A structure of one voxel must not vanish under the blur.
    level = min(level, 0.5 * float(blurred.max()))
    vertices, faces, _, _ = marching_cubes(blurred, level)  # type: ignore[no-untyped-call]
    # The middle of block n, without the padding, as a place among the voxels.
    place_V = (vertices.astype(np.float64) - 1.0 + 0.5) * block - 0.5 + np.array(mask.lower)
    if np.linalg.det(grid.X_PV[:3, :3]) > 0.0:
        # Marching cubes orients faces as seen from the high side; a left-handed grid already reverses that.
        faces = faces[:, ::-1]
    return Surface(grid.to_patient(place_V * grid.spacing_mm), faces.astype(np.int64))


def _area_mm2(voxels: Bool[np.ndarray, "nx ny nz"], grid: Grid) -> float:
    """The area of all voxel sides between inside and outside."""
    sides = [int(np.count_nonzero(np.diff(np.pad(voxels, 1), axis=axis))) for axis in range(3)]
    return float(np.array(sides) @ (grid.voxel_volume_mm3 / grid.spacing_mm))


def _block(area_mm2: float, across_mm: float, grid: Grid) -> np.ndarray:
    """Voxels along each axis that are taken as one, (3,)."""
    step_mm = np.sqrt(TRIANGLES_PER_BLOCK_FACE * area_mm2 / MOST_TRIANGLES)
    most_mm = np.clip(across_mm, SMALLEST_LIMIT_MM, LARGEST_BLOCK_MM)
    voxels_across = np.rint(min(step_mm, most_mm) / grid.spacing_mm)
    return np.asarray(np.maximum(1, voxels_across), dtype=np.int64)


def _blocks(voxels: Bool[np.ndarray, "nx ny nz"], block: np.ndarray) -> Bool[np.ndarray, "mx bx my by mz bz"]:
    """The voxels of each block."""
    missing = -np.array(voxels.shape) % block
    padded = np.pad(voxels, [(0, int(m)) for m in missing])
    a, b, c = (np.array(padded.shape) // block).tolist()
    return padded.reshape(a, block[0], b, block[1], c, block[2])
