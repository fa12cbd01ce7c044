"""Claims on how well the prescribed dose fits the PTV: conformity, external and homogeneity index.

CI = (V_T,ref / V_T) (V_T,ref / V_ref)   EI = (V_ref - V_T,ref) / V_T   HI = (V_T,ref - V_T,1.5ref) / V_T,ref

(Wang 2022, 10.5114/jcb.2022.113548). HI and CI follow from the V values and EI; EI is sampled: points all
over a box around the seeds, outside the PTV, are counted.
"""

import numpy as np
from jaxtyping import Float

from anatomy.frames import Grid
from anatomy.structures import VoxelMask
from planner.implant_records import TargetDose
from planner.verify.claims import Claims
from planner.verify.dvh import CC_MM3, RECURRENCE, share_tolerance
from planner.verify.planted import Planted
from planner.verify.ptv import holds
from planner.verify.tolerances import RATIO

SUBJECT = "dose in the PTV"

POINTS = 100_000
"""Points of a box at most: no more than one for each mm3, which is what a plan counts by [U]."""
FIRST_MARGIN_MM, MOST_MARGIN_MM, WIDER = 12.0, 320.0, 1.6
"""How far beyond the outermost seeds the dose is looked for: first, at last, and from box to box [U]."""


def check_indices(
    claims: Claims, stated: TargetDose, seeds: Planted, ptv: VoxelMask, grid: Grid, prescribed_gy: float
) -> None:
    """CI, EI and HI of the PTV."""
    covered, hot = stated.v100_percent / 100.0, stated.v150_percent / 100.0
    reference = covered + stated.ei
    ci = covered * covered / reference if covered > 0.0 and reference > 0.0 else 0.0
    claims.equal("CI follows from V100 and EI", SUBJECT, stated.ci, ci, RATIO)
    none = (stated.hi is None, covered <= 0.0)
    said, found = ("none" if n else "an index" for n in none)
    claims.same("HI where anything gets the prescribed dose", SUBJECT, said, found)
    if stated.hi is not None and covered > 0.0:
        hi = (covered - hot) / covered
        claims.equal("HI follows from V100 and V150", SUBJECT, stated.hi, hi, RATIO / covered)
    outside, off = outside_mm3(seeds, ptv, grid, prescribed_gy)
    volume = stated.volume_cc * CC_MM3
    if volume > 0.0:
        claims.equal("EI", SUBJECT, stated.ei, outside / volume, off / volume)


def outside_mm3(seeds: Planted, ptv: VoxelMask, grid: Grid, prescribed_gy: float) -> tuple[float, float]:
    """Volume outside the PTV that gets the prescribed dose, and how far a plan's count may be off. [mm3]"""
    if not len(seeds.centres_P):
        return 0.0, 0.0
    centres_B = grid.to_box(seeds.centres_P)
    margin = FIRST_MARGIN_MM
    while True:
        low, high = centres_B.min(axis=0) - margin, centres_B.max(axis=0) + margin
        points_B = _spread(low, high)
        reached = points_B[seeds.doses(grid.to_patient(points_B)) >= prescribed_gy]
        at_side = np.minimum(reached - low, high - reached).min(axis=1, initial=margin) < 0.2 * margin
        if not at_side.any() or margin >= MOST_MARGIN_MM:
            break
        margin = min(MOST_MARGIN_MM, WIDER * margin)
    beyond = reached[~holds(ptv, grid.spacing_mm, reached)]
    box, share = float(np.prod(high - low)), len(beyond) / len(points_B)
    return share * box, share_tolerance(share, len(points_B)) * box


def _spread(low: Float[np.ndarray, "3"], high: Float[np.ndarray, "3"]) -> Float[np.ndarray, "n 3"]:
    """Points spread evenly over a box."""
    count = max(1, min(POINTS, int(np.prod(high - low))))
    return np.asarray(low + (np.outer(np.arange(1, count + 1), RECURRENCE) % 1.0) * (high - low))
