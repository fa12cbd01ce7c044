"""Claims on how well the prescribed dose fits the PTV: conformity, external and homogeneity index.

CI = (V_T,ref / V_T) (V_T,ref / V_ref)   EI = (V_ref - V_T,ref) / V_T   HI = (V_T,ref - V_T,1.5ref) / V_T,ref

(Wang 2022, 10.5114/jcb.2022.113548). HI and CI follow from the V values and EI. EI is sampled: points are
spread over all cubes that may get the dose, and those that get it outside the PTV are counted.
"""

from math import sqrt

import numpy as np
from jaxtyping import Float

from anatomy.geometry.frames import MM3_PER_CC, Grid
from anatomy.geometry.masks import VoxelMask
from planner.records.dose import TargetDose
from planner.verify.claims import Claims
from planner.verify.dose.dvh import NONE_SEEN, RECURRENCE, SIGMAS
from planner.verify.dose.grid_alignment import alignment_error_mm3, correlated_cells
from planner.verify.dose.reach import cubes_that_may_get
from planner.verify.dose.seed_doses import SeedDoses
from planner.verify.needle_set.ptv import holds
from planner.verify.tolerances import DOSE, RATIO

SUBJECT = "dose in the PTV"

POINTS = 100_000
"""Number of points [U]: if the PTV is half as large as the cubes, the tolerance of EI is 0.01."""
COUNTED_PART = 0.002
"""Part of V_ref that a plan's count of the volume outside the PTV may be off by: the limit that its tests
enforce."""
CELL_MM = 1.0
"""Side of the largest cell of a plan."""
PARTS, MIN_PARTS, MAX_PARTS, NEAR_MM = 300_000, 3, 8, 4.0
"""A plan divides its cells within NEAR_MM of seeds along each axis: into about PARTS parts in all, and into
MIN_PARTS to MAX_PARTS parts along an axis."""
ROUNDING = 1e-9
"""Five voxels of 0.2 mm are a cell of 1 mm, whatever 1 / 0.2 rounds to."""


def check_indices(
    claims: Claims, stated: TargetDose, seeds: SeedDoses, ptv: VoxelMask, grid: Grid, prescribed_gy: float
) -> None:
    """CI, EI and HI of the PTV."""
    covered, hot = stated.v100_percent / 100.0, stated.v150_percent / 100.0
    reference = covered + stated.ei
    ci = covered * covered / reference if covered > 0.0 and reference > 0.0 else 0.0
    claims.equal("CI follows from V100 and EI", SUBJECT, stated.ci, ci, RATIO)
    none = (stated.hi is None, covered <= 0.0)
    stated_hi, expected_hi = ("none" if n else "an index" for n in none)
    claims.same("HI where anything gets the prescribed dose", SUBJECT, stated_hi, expected_hi)
    if stated.hi is not None and covered > 0.0:
        hi = (covered - hot) / covered
        claims.equal("HI follows from V100 and V150", SUBJECT, stated.hi, hi, RATIO / covered)
    outside, off = outside_mm3(seeds, ptv, grid, prescribed_gy)
    volume = stated.volume_cc * MM3_PER_CC
    if volume > 0.0:
        claims.equal("EI", SUBJECT, stated.ei, outside / volume, off / volume)


def outside_mm3(seeds: SeedDoses, ptv: VoxelMask, grid: Grid, prescribed_gy: float) -> tuple[float, float]:
    """Volume outside the PTV that gets the prescribed dose, and how far a plan's value may be from it. [mm3]

    The tolerance is the sum of three standard deviations of this count, of the error of the plan's own count,
    and of the volume so near to the isodose that the tolerance of doses puts it on the other side.
    """
    if not len(seeds.centres_P):
        return 0.0, 0.0
    # There is at least one cube: the inside of a seed gets any dose.
    middles_B, side = cubes_that_may_get((1.0 - DOSE) * prescribed_gy, seeds, grid)
    n = np.arange(POINTS)
    cubes_B = middles_B[(2 * n + 1) * len(middles_B) // (2 * POINTS)]
    points_B = cubes_B + side * (np.outer(n + 1, RECURRENCE) % 1.0 - 0.5)
    doses = seeds.doses(grid.to_patient(points_B))
    beyond = doses[~holds(ptv, grid.spacing_mm, points_B)]
    few, share, many, reference = (
        float(np.count_nonzero(part >= level * prescribed_gy)) / POINTS
        for part, level in ((beyond, 1.0 + DOSE), (beyond, 1.0), (beyond, 1.0 - DOSE), (doses, 1.0))
    )
    off = SIGMAS * sqrt(share * (1.0 - share) / POINTS) + NONE_SEEN / POINTS + max(many - share, share - few)
    volume = len(middles_B) * side**3
    return share * volume, off * volume + _counted_off_mm3(reference * volume, seeds, grid)


def _counted_off_mm3(reference_mm3: float, seeds: SeedDoses, grid: Grid) -> float:
    """How far a plan's count of cells may be off: by a part of V_ref, or as cells around seeds are. [mm3]"""
    count = len(seeds.centres_P)
    part_mm = widest_part_mm(count, grid.spacing_mm)
    about_seeds_mm3 = alignment_error_mm3(
        reference_mm3, count, correlated_cells(seeds, grid, part_mm), part_mm
    )
    return max(COUNTED_PART * reference_mm3, about_seeds_mm3)


def widest_part_mm(seeds: int, spacing_mm: Float[np.ndarray, "3"]) -> float:
    """The longest side of a part of a plan's cells around this many seeds. Fewer seeds have finer parts. [mm]

    A cell is a whole number of voxels, or a voxel a whole number of cells, as few as CELL_MM allows. For
    seeds so far apart that a plan takes larger cells, the result is too small.
    """
    voxels = np.maximum(np.floor(CELL_MM / spacing_mm + ROUNDING), 1.0)
    cells_mm = spacing_mm * voxels / np.ceil(spacing_mm / CELL_MM - ROUNDING)
    cube_count = seeds * np.prod(2.0 * NEAR_MM / cells_mm + 3.0)
    parts = np.clip(np.floor((PARTS / cube_count) ** (1.0 / 3.0)), MIN_PARTS, MAX_PARTS)
    return float((cells_mm / parts).max())
