"""Build: the built-in thorax as solids, and as voxels on a grid.

Both use the same solids: a voxel belongs to a structure if its centre lies in the structure's solid.
"""

import numpy as np
from jaxtyping import Float

from anatomy.errors import AnatomyError
from anatomy.geometry.frames import MAX_SPACING_MM, MIN_SPACING_MM, Grid
from anatomy.geometry.masks import MaskLayers
from anatomy.patient.pose import gravity_P
from anatomy.structures import InputDigest, Role, Segmentation, Structure
from anatomy.thorax.abdomen import abdomen
from anatomy.thorax.cage import cage, rib_necks
from anatomy.thorax.lungs import lungs
from anatomy.thorax.mediastinum import mediastinum
from anatomy.thorax.nodes import nodes
from anatomy.thorax.outlines import skin
from anatomy.thorax.parameters import ThoraxParameters, chest
from anatomy.thorax.solids.solid import Bounds, Solid
from anatomy.thorax.solids.voxel_centres import EMPTY, VoxelCentres
from anatomy.thorax.spine import spine
from anatomy.thorax.table_and_cushion import support

NAME = "built-in thorax"

TOP_MM, BOTTOM_MM = 90.0, -190.0
"""The field of view along z, in the reference chest: from the root of the neck to the upper abdomen, both
cut."""

AIR_MM = 20.0
"""Air around the skin."""

TABLE_SHOWN_MM = 40.0
"""Extent of the field of view beyond the skin on the table's side."""

MAX_VOXELS = 200_000_000
"""A grid finer than about 0.6 mm is of no use here, and would fill the memory."""

DEFAULT = ThoraxParameters()


def solids(parameters: ThoraxParameters = DEFAULT) -> dict[str, Solid]:
    """Every structure of the thorax as a solid in P, by name: the exact shape that voxels approximate."""
    size = chest(parameters)
    body = skin(size)
    between = mediastinum(size)
    bones = spine(size) | cage(size)
    inward = [*rib_necks(size), *(s for n, s in bones.items() if n.startswith("vertebrae"))]
    treated = nodes(parameters, size)
    pushing = {n: s for n, s in treated.items() if n.startswith("node")}
    return {
        "body": body,
        **lungs(size, between, inward, pushing),
        **between,
        **bones,
        **abdomen(size, between, inward),
        **support(body, parameters.position),
        **treated,
    }


def field_of_view_P(parameters: ThoraxParameters = DEFAULT) -> Bounds:
    """The box of P that the default grid covers: air around the skin, table, and cut ends along z. [mm]"""
    size = chest(parameters)
    box = skin(size).bounds_P.copy()
    gravity = gravity_P(parameters.position, 0.0).round()
    for axis in (0, 1):
        box[0, axis] -= TABLE_SHOWN_MM if gravity[axis] < 0 else AIR_MM
        box[1, axis] += TABLE_SHOWN_MM if gravity[axis] > 0 else AIR_MM
    box[:, 2] = BOTTOM_MM * size.z, TOP_MM * size.z
    return box


def _grid(parameters: ThoraxParameters, spacing: np.ndarray, R_PB: np.ndarray) -> Grid:
    """A grid along the columns of R_PB whose box holds the field of view."""
    box = field_of_view_P(parameters)
    corners_P = np.array([[box[a, 0], box[b, 1], box[c, 2]] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    corners_B = corners_P @ R_PB
    low, high = corners_B.min(axis=0), corners_B.max(axis=0)
    # Rounding must not add a slice if the box is a whole number of voxels.
    count = np.ceil((high - low) / spacing - 1e-6).astype(int)
    if np.prod(count.astype(float)) > MAX_VOXELS:
        raise AnatomyError(
            "thorax/spacing_mm", f"{spacing.tolist()} mm", f"Keep the grid below {MAX_VOXELS} voxels."
        )
    X = np.eye(4)
    X[:3, :3] = R_PB * spacing
    X[:3, 3] = R_PB @ (low + 0.5 * spacing)
    return Grid((int(count[0]), int(count[1]), int(count[2])), X)


def _role(name: str) -> Role:
    if name == "body":
        return Role.SKIN
    if name.startswith("lung_"):
        return Role.LUNG
    if name in ("table", "cushion"):
        return Role.OUTSIDE
    if name.startswith(("node_", "lesion_")):
        return Role.TARGET
    return Role.FORBIDDEN


def thorax(
    spacing_mm: tuple[float, float, float] | float = 1.5,
    parameters: ThoraxParameters = DEFAULT,
    R_PB: Float[np.ndarray, "3 3"] | None = None,
) -> Segmentation:
    """The thorax on a voxel grid, with a label for each structure.

    `spacing_mm` is along i, j, k. The grid's axes run along the columns of `R_PB`, a rotation; by default i
    to the left, j to posterior, k to superior. The organs keep their positions in P. Raises AnatomyError for
    a spacing out of range and for an `R_PB` that is not a rotation.
    """
    spacing = np.broadcast_to(np.asarray(spacing_mm, dtype=float), (3,))
    if not ((spacing >= MIN_SPACING_MM) & (spacing <= MAX_SPACING_MM)).all():
        raise AnatomyError(
            "thorax/spacing_mm", f"{spacing_mm} mm", f"Give {MIN_SPACING_MM} to {MAX_SPACING_MM} mm."
        )
    axes = np.eye(3) if R_PB is None else np.asarray(R_PB, dtype=float)
    if (
        axes.shape != (3, 3)
        or not np.allclose(axes.T @ axes, np.eye(3), atol=1e-9)
        or np.linalg.det(axes) < 0
    ):
        raise AnatomyError(
            "thorax/R_PB", "its columns are not a rotation", "Give orthonormal, right-handed axes."
        )
    grid = _grid(parameters, spacing, axes)
    centres = VoxelCentres(grid)
    layers = MaskLayers(grid.shape)
    structures = []
    for name, solid in solids(parameters).items():
        reach = centres.box_of(solid.bounds_P, centres.whole) or EMPTY
        corner = (reach[0].start, reach[1].start, reach[2].start)
        structures.append(
            Structure(name, layers.add_cropped(solid.mask(centres, reach), corner), _role(name))
        )
    digest = parameters.sha256((float(spacing[0]), float(spacing[1]), float(spacing[2])), axes)
    return Segmentation(grid, tuple(structures), (InputDigest(NAME, digest),))
