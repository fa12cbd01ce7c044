"""Seed drops along a track: distal first, each seed completely in the target with its margin.

    tip |--seed 1--|      |--seed 2--|  x x  |--seed 3--|            entry
        |<---- spacing --->|                                          e = 0 at the tip, growing proximally
        =========================|    |=================              within margin of a target voxel

The part of the axis within the margin of one voxel box is an interval whose ends have a closed form
(planner.measuring.segment_box), so the allowed part is a union of exactly known intervals. Seeds keep the
requested spacing as long as they fit; a seed that does not fit is moved proximally by the smallest distance
that makes it fit.
"""

import numpy as np
from jaxtyping import Float

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask
from anatomy.runtime.jit import jit
from anatomy.scene import Scene
from planner.measuring.measured import MeasuredPath
from planner.measuring.segment_box import span_within
from planner.records.paths import SeedDrop

_TOUCH_MM = 1e-9
"""Intervals this close are one: rounding separates the intervals of boxes that share a face."""


def seed_drops(
    scene: Scene, measured: MeasuredPath, *, margin_mm: float, spacing_mm: float, seed_mm: float
) -> tuple[SeedDrop, ...]:
    """Seeds of length `seed_mm` along a path, distal first.

    The first seed's distal end is at the tip if it fits there. Centres are `spacing_mm` or more apart. A seed
    fits if every point of its axis is within `margin_mm` of a target voxel and no part of it lies proximal of
    the entry. Empty if none fits.
    """
    allowed = within_margin(scene.target, scene.grid, measured.tip_P, measured.entry_P, margin_mm)
    drops: list[SeedDrop] = []
    previous = 0.0
    for distal in distal_ends(allowed, measured.length_mm, spacing_mm, seed_mm):
        depth = measured.length_mm - distal - seed_mm / 2
        centre_P = measured.entry_P + depth * measured.direction_P
        drops.append(
            SeedDrop(
                position_mm=(float(centre_P[0]), float(centre_P[1]), float(centre_P[2])),
                axis=measured.direction,
                depth_mm=depth,
                retraction_mm=distal - previous if drops else 0.0,
            )
        )
        previous = distal
    return tuple(drops)


def within_margin(
    target: VoxelMask,
    grid: Grid,
    tip_P: Float[np.ndarray, "3"],
    entry_P: Float[np.ndarray, "3"],
    margin_mm: float,
) -> list[tuple[float, float]]:
    """Parts of the axis whose points lie within `margin_mm` of a target voxel's box. [mm from the tip]

    Disjoint closed intervals, in order from the tip.
    """
    length = float(np.linalg.norm(entry_P - tip_P))
    spans = _spans(
        target.cropped(),
        np.array(target.lower),
        grid.spacing_mm,
        grid.to_box(tip_P),
        grid.to_box(entry_P),
        margin_mm,
    )
    merged: list[tuple[float, float]] = []
    for a, b in (spans[np.argsort(spans[:, 0], kind="stable")] * length).tolist():
        if merged and a <= merged[-1][1] + _TOUCH_MM:
            merged[-1] = (merged[-1][0], max(merged[-1][1], b))
        else:
            merged.append((a, b))
    return merged


@jit
def _spans(inside, first_V, spacing, tip_B, entry_B, margin_mm):  # type: ignore[no-untyped-def]
    """First and last t in [0, 1] from tip to entry within the margin of each voxel near the axis: (n, 2)."""
    intervals = []
    lower = np.empty(3)
    upper = np.empty(3)
    for i in range(inside.shape[0]):
        for j in range(inside.shape[1]):
            for k in range(inside.shape[2]):
                if inside[i, j, k]:
                    lower[0] = (first_V[0] + i - 0.5) * spacing[0]
                    lower[1] = (first_V[1] + j - 0.5) * spacing[1]
                    lower[2] = (first_V[2] + k - 0.5) * spacing[2]
                    for a in range(3):
                        upper[a] = lower[a] + spacing[a]
                    t0, t1 = span_within(tip_B, entry_B, lower, upper, margin_mm)
                    if t0 <= t1:
                        intervals.append((t0, t1))
    spans = np.empty((len(intervals), 2))
    for n in range(len(intervals)):
        spans[n, 0], spans[n, 1] = intervals[n]
    return spans


def distal_ends(
    allowed: list[tuple[float, float]], length_mm: float, spacing_mm: float, seed_mm: float
) -> list[float]:
    """Distal ends of seeds of `seed_mm` along a track of `length_mm`, from the tip; `allowed` is the result
    of `within_margin`.

    Each seed lies as near to the tip as it fits: `spacing_mm` after the previous one, or at the start of a
    later interval. [mm from the tip]
    """
    ends: list[float] = []
    earliest = 0.0
    for first, last in allowed:
        end = max(earliest, first)
        while end + seed_mm <= min(last, length_mm) + _TOUCH_MM:
            ends.append(end)
            end = earliest = end + spacing_mm
    return ends
