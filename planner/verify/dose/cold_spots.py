"""Claims on cold spots: regions of PTV voxels, connected by faces, that get less than the prescribed dose.

    surely cold   below the prescribed dose by more than the tolerance of doses
    maybe cold    below the prescribed dose plus this tolerance

A spot contains at least the surely cold region around its coldest place, and at most the maybe cold one. Each
region that is surely cold and large enough has a spot.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from anatomy.geometry.frames import MM3_PER_CC, Grid
from anatomy.geometry.masks import VoxelMask
from planner.records.followup import ColdSpot
from planner.verify.claims import Claims
from planner.verify.dose.seed_doses import SeedDoses
from planner.verify.geometry.voxels import voxels_of
from planner.verify.tolerances import DOSE, DOSE_GY, DOSE_NEAR, LENGTH_MM, RATIO

SUBJECT = "cold spots"
MIN_SPOT_CC = 0.02
"""Smaller regions are not listed."""


def check_cold_spots(
    claims: Claims,
    spots: Sequence[ColdSpot],
    seeds: SeedDoses,
    ptv: VoxelMask,
    grid: Grid,
    prescribed_gy: float,
) -> None:
    """Every spot against the doses at voxel centres; and no spot is missing."""
    index = voxels_of(ptv, outer_only=False)
    doses = seeds.doses(grid.to_patient(index * grid.spacing_mm))
    off = DOSE * prescribed_gy
    surely, maybe = (_regions(index, doses < level) for level in (prescribed_gy - off, prescribed_gy + off))
    volumes = [spot.volume_cc for spot in spots]
    in_order = volumes == sorted(volumes, reverse=True)
    words = "in order" if in_order else "out of order"
    claims.holds("the largest cold spot comes first", SUBJECT, "in order", words, in_order)
    listed: list[int] = []
    for number, spot in enumerate(spots, start=1):
        subject = f"cold spot {number}"
        row = _row_of(index, grid, spot)
        cold = row is not None and bool(maybe[row] >= 0)
        words = "a cold voxel of the PTV" if cold else "elsewhere"
        claims.holds("its coldest place", subject, "a cold voxel of the PTV", words, cold)
        if row is not None and cold:
            listed.append(row)
            inner = surely == surely[row] if surely[row] >= 0 else np.zeros(len(index), bool)
            centres_P = grid.to_patient(index * grid.spacing_mm)
            _check_dose(claims, subject, spot, doses[inner], float(doses[row]))
            _check_size(claims, subject, spot, inner, maybe == maybe[row], centres_P, grid.voxel_volume_mm3)
    enough = MIN_SPOT_CC * MM3_PER_CC / grid.voxel_volume_mm3
    large = np.flatnonzero(np.bincount(surely[surely >= 0]) >= enough * (1.0 + RATIO))
    left_out = [n for n in large if int(maybe[np.flatnonzero(surely == n)[0]]) not in maybe[listed]]
    claims.equal("cold regions left out", SUBJECT, 0.0, float(len(left_out)), 0.0)
    inner = surely[listed]
    twice = len(set(listed)) < len(listed) or len(np.unique(inner[inner >= 0])) < np.count_nonzero(inner >= 0)
    claims.holds("each cold region is listed once", SUBJECT, "once", "twice" if twice else "once", not twice)


def _regions(index: Int[np.ndarray, "n 3"], cold: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The number of each cold voxel's region, -1 for the others."""
    region = np.full(len(index), -1)
    rows = np.flatnonzero(cold)
    if not len(rows):
        return region
    lower = index[rows].min(axis=0)
    place = np.full(index[rows].max(axis=0) - lower + 2, -1)
    at = index[rows] - lower
    place[tuple(at.T)] = np.arange(len(rows))
    pairs = []
    for step in np.eye(3, dtype=int):
        neighbour = place[tuple((at + step).T)]
        both = np.flatnonzero(neighbour >= 0)
        pairs.append(np.stack([both, neighbour[both]]))
    one, two = np.concatenate(pairs, axis=1)
    touching = coo_array((np.ones(len(one)), (one, two)), shape=(len(rows), len(rows)))
    region[rows] = connected_components(touching, directed=False)[1]
    return region


def _row_of(index: Int[np.ndarray, "n 3"], grid: Grid, spot: ColdSpot) -> int | None:
    """The row of the voxel whose centre is the spot's coldest place, or None."""
    at_B = grid.to_box(np.array(spot.least_at_mm))
    row = int(np.abs(index * grid.spacing_mm - at_B).max(axis=1).argmin())
    return row if np.abs(index[row] * grid.spacing_mm - at_B).max() <= LENGTH_MM else None


def _check_dose(
    claims: Claims, subject: str, spot: ColdSpot, inner_gy: Float[np.ndarray, " k"], dose_gy: float
) -> None:
    """The dose at the spot's coldest place; and no place of the spot is colder."""
    off = max(DOSE_GY, DOSE_NEAR * dose_gy)
    claims.equal("dose of the coldest place", subject, spot.least_dose_gy, dose_gy, off)
    coldest = float(inner_gy.min(initial=dose_gy))
    claims.at_least("no place of it is colder", subject, spot.least_dose_gy, coldest, off)


def _check_size(
    claims: Claims,
    subject: str,
    spot: ColdSpot,
    inner: Bool[np.ndarray, " n"],
    outer: Bool[np.ndarray, " n"],
    centres_P: Float[np.ndarray, "n 3"],
    voxel_mm3: float,
) -> None:
    """The spot's volume and centre, up to the voxels whose dose is near the prescribed dose."""
    few, many = (float(np.count_nonzero(part)) * voxel_mm3 / MM3_PER_CC for part in (inner, outer))
    claims.equal("volume", subject, spot.volume_cc, 0.5 * (few + many), 0.5 * (many - few) + RATIO * many)
    claims.at_least("a cold spot is large enough", subject, MIN_SPOT_CC, spot.volume_cc, RATIO)
    middle = centres_P[outer].mean(axis=0)
    farthest = float(np.linalg.norm(centres_P[outer] - middle, axis=1).max())
    # If these voxels are left out of the outer region, its centre moves by at most this distance.
    move = farthest * (many - few) / few if few > 0.0 else farthest
    away = float(np.linalg.norm(np.array(spot.centre_mm) - middle))
    claims.at_most("the centre of its volume", subject, move, away, LENGTH_MM)
