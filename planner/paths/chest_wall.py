"""Chest wall: bony landmarks around a needle's axis, to name a path as radiologists do. Frame P (LPS).

               rib o
                   :           each rib near the axis: the depth and distance at which it comes nearest to it,
    entry ---->----o---> tip   and whether it lies above or below the axis there

Ribs slope, so above and below are determined only where a rib comes nearest to the axis.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask
from anatomy.names.landmarks import rib_of, side_of
from anatomy.names.roles import key_of
from anatomy.scene import Scene
from anatomy.structures import Structure
from planner.measuring.measured import MeasuredPath

NEIGHBOUR_MM = 40.0
"""Ribs farther from the axis do not show where it passes the rib cage: intercostal spaces are 10 to 30 mm
wide [U]."""

_AT_THE_WALL_MM = 15.0
"""Within this distance of a rib, the axis passes the rib cage: half an intercostal space and a rib [U]."""
_ALONG_MM = 30.0
"""Largest length along the axis of one passage through the cage [U]."""


@dataclass(frozen=True)
class Rib:
    """One rib that the axis passes: its side and number if the name contains them, and its smallest
    distance."""

    side: str | None
    number: int | None
    distance_mm: float
    above: bool


@dataclass(frozen=True)
class RibSpace:
    """The nearest ribs above and below the axis where it passes the rib cage; None if there is none."""

    above: Rib | None
    below: Rib | None

    @property
    def side(self) -> str | None:
        """The side in the nearer rib's name."""
        ribs = sorted((r for r in (self.above, self.below) if r and r.side), key=lambda r: r.distance_mm)
        return ribs[0].side if ribs else None

    @property
    def numbers(self) -> tuple[int | None, int | None]:
        """The numbers of the ribs above and below, if they determine the space: both, the smaller first; or
        the number of one if there is no other."""
        above = self.above.number if self.above else None
        below = self.below.number if self.below else None
        if above is not None and below is not None and above != below:
            return min(above, below), max(above, below)
        if above is not None and self.below is None:
            return above, None
        if below is not None and self.above is None:
            return None, below
        return None, None


def is_rib(name: str) -> bool:
    """Whether the name is of a rib or of the ribs of a side; cartilage is not a rib."""
    return key_of(name) == ("rib",)


def points_between(
    structures: Iterable[Structure],
    grid: Grid,
    lower_P: Float[np.ndarray, "3"],
    upper_P: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "n 3"]:
    """Centres of the structures' voxels in a box given by its corners in P. [mm]"""
    points = [np.zeros((0, 3))]
    for s in structures:
        crop, first_V = _window(s.mask, grid, lower_P, upper_P)
        points_P = _centres(crop, first_V, grid)
        points.append(points_P[((points_P >= lower_P) & (points_P <= upper_P)).all(axis=1)])
    return np.concatenate(points)


def rib_space(scene: Scene, measured: MeasuredPath) -> RibSpace:
    """Where the axis passes the rib cage, from the skin inwards."""
    nearby = [
        part for part in _rib_parts(scene, measured) if part.distances_mm.min(initial=inf) <= NEIGHBOUR_MM
    ]
    if not nearby:
        return RibSpace(None, None)
    nearest = min(float(part.distances_mm.min()) for part in nearby)
    # The far side of the cage may be nearer to the axis than the near side: the first passage from the skin
    # counts.
    reach = max(_AT_THE_WALL_MM, nearest)
    first = min(float(part.depths_mm[part.distances_mm <= reach].min(initial=inf)) for part in nearby)
    ribs = [r for r in (_rib(part, first, first + _ALONG_MM) for part in nearby) if r is not None]
    ribs.sort(key=lambda r: (r.distance_mm, r.number or 0))
    return RibSpace(next((r for r in ribs if r.above), None), next((r for r in ribs if not r.above), None))


@dataclass(frozen=True, eq=False)
class _RibPart:
    """A rib's voxel centres relative to the axis: the depth at which each is nearest to the axis, its
    distance, and its offset to cranial."""

    side: str | None
    number: int | None
    depths_mm: Float[np.ndarray, "n"]
    distances_mm: Float[np.ndarray, "n"]
    rises_mm: Float[np.ndarray, "n"]


def _rib(part: _RibPart, first_mm: float, last_mm: float) -> Rib | None:
    """The rib at its nearest point between two depths; None if it is not near there."""
    at_depth = (part.depths_mm >= first_mm) & (part.depths_mm <= last_mm)
    here = np.flatnonzero(at_depth & (part.distances_mm <= NEIGHBOUR_MM))
    if here.size == 0:
        return None
    n = here[np.argmin(part.distances_mm[here])]
    return Rib(part.side, part.number, float(part.distances_mm[n]), bool(part.rises_mm[n] > 0))


def _rib_parts(scene: Scene, measured: MeasuredPath) -> list[_RibPart]:
    """Each rib near the axis. Ribs in one structure are separated into pieces that do not touch."""
    ends = np.stack([measured.entry_P, measured.tip_P])
    lower_P, upper_P = ends.min(axis=0) - NEIGHBOUR_MM, ends.max(axis=0) + NEIGHBOUR_MM
    parts = []
    for s in scene.structures:
        if not is_rib(s.name):
            continue
        crop, first_V = _window(s.mask, scene.grid, lower_P, upper_P)
        points_P = _centres(crop, first_V, scene.grid)
        one = rib_of(s.name)
        if one is not None:
            parts.append(_rib_part(*one, points_P, measured))
            continue
        pieces, count = ndimage.label(crop)
        piece_of = pieces[crop]
        for piece in range(1, count + 1):
            parts.append(_rib_part(side_of(s.name), None, points_P[piece_of == piece], measured))
    return parts


def _rib_part(
    side: str | None, number: int | None, points_P: Float[np.ndarray, "n 3"], measured: MeasuredPath
) -> _RibPart:
    from_entry = points_P - measured.entry_P
    depths = np.clip(from_entry @ measured.direction_P, 0.0, measured.length_mm)
    offsets = from_entry - depths[:, None] * measured.direction_P
    return _RibPart(side, number, depths, np.asarray(np.linalg.norm(offsets, axis=1)), offsets[:, 2])


def _window(
    mask: VoxelMask, grid: Grid, lower_P: Float[np.ndarray, "3"], upper_P: Float[np.ndarray, "3"]
) -> tuple[Bool[np.ndarray, "mx my mz"], Float[np.ndarray, "3"]]:
    """The mask over the voxels whose centres may lie in a box in P, and the index of the first of them."""
    box_P = np.array([np.where(np.array(pick), upper_P, lower_P) for pick in np.ndindex(2, 2, 2)])
    box_V = grid.to_box(box_P) / grid.spacing_mm
    first = np.clip(np.ceil(box_V.min(axis=0)), mask.lower, mask.upper).astype(int)
    last = np.clip(np.floor(box_V.max(axis=0)) + 1, first, mask.upper).astype(int)
    box = tuple(slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    return np.asarray(mask.layer[box] == mask.label), first.astype(float)


def _centres(
    crop: Bool[np.ndarray, "mx my mz"], first_V: Float[np.ndarray, "3"], grid: Grid
) -> Float[np.ndarray, "n 3"]:
    return grid.to_patient((np.argwhere(crop) + first_V) * grid.spacing_mm)
