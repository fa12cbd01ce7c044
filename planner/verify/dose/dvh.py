"""Dose-volume statistics by another method: other sample points, of equal volume, and counting.

Points of a low-discrepancy sequence are placed in the voxels in turn, so that every voxel has its share:

    voxel of point n      floor((n + 1/2) V / N) of V voxels
    place in its voxel    frac((n + 1) a), a = (1/phi, 1/phi^2, 1/phi^3), phi^4 = phi + 1

the additive recurrence on the generalised golden ratio (Roberts 2018, "The unreasonable effectiveness of
quasirandom sequences"). No DVH is built: a V is a count, a D one order statistic.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import floor, inf, isfinite, sqrt

import numpy as np
from jaxtyping import Float

from anatomy.geometry.frames import MM3_PER_CC, Grid
from anatomy.geometry.masks import VoxelMask

POINTS = 200_000
"""Points of one structure [U]: the tolerance of a D90 is then 0.3 % of the volume."""

POINTS_AT_ONCE = 50_000
"""Points in one call for doses."""

PHI = 1.2207440846057596
RECURRENCE = np.array([PHI**-1, PHI**-2, PHI**-3])

SIGMAS, NONE_SEEN = 3.0, 6.6
"""A claim from another sample may differ by three standard deviations. Where none of N points was seen, the
share may still be x/N, where exp(-x) is as unlikely as three standard deviations to one side, 0.00135. The
rule of three (Hanley 1983, 10.1001/jama.1983.03330370053031) allows one miss in twenty; but a plan is checked
at some thousand levels and would always miss one."""


_WHOLE = 1e-9
"""Counts are whole numbers: a product this close to a whole number is that number."""


@dataclass(frozen=True)
class Recomputed:
    """A recomputed value, and the least and most that a claim from another sample of the structure may be."""

    value: float
    least: float
    most: float


@dataclass(frozen=True, eq=False)
class SampledDoses:
    """Doses at points that stand for equal parts of `volume_mm3`, in the order drawn. [Gy]

    No place outside seeds gets more than `highest_gy`. `off_mm3` gives, for a volume that gets a dose, the
    systematic error that another sample may have besides its statistical error.
    """

    doses_gy: Float[np.ndarray, " n"]
    volume_mm3: float
    highest_gy: float = inf
    off_mm3: Callable[[float], float] = lambda _: 0.0

    def covering_percent(self, percent: float) -> Recomputed:
        """D90 for 90.0: the largest dose that this percentage of the volume gets. [Gy]

        D100 is the least dose of any sample. Samples at the centres of boxes are never on the surface: where
        the boxes are large, their D100 may be more than `most`.
        """
        return self._reached_by(percent / 100.0)

    def hottest_cc(self, volume_cc: float) -> Recomputed | None:
        """D0.1cc for 0.1; None where the structure is smaller. [Gy]"""
        share = volume_cc * MM3_PER_CC / self.volume_mm3
        return self._reached_by(share) if share <= 1.0 else None

    def percent_at(self, dose_gy: float) -> Recomputed:
        """V100 for the prescribed dose: the part of the volume that gets it or more. [%]"""
        share = float(np.count_nonzero(self.doses_gy >= dose_gy)) / len(self.doses_gy)
        off = share_tolerance(share, len(self.doses_gy))
        off += self.off_mm3(share * self.volume_mm3) / self.volume_mm3
        return Recomputed(100.0 * share, 100.0 * max(0.0, share - off), 100.0 * min(1.0, share + off))

    def _reached_by(self, share: float) -> Recomputed:
        off = share_tolerance(share, len(self.doses_gy))
        value, least, most = (self._order_statistic(s) for s in (share, share + off, share - off))
        # A plan states the hottest dose outside seeds where a D would be inside one.
        return Recomputed(value, least, min(most, self.highest_gy) if isfinite(value) else most)

    def in_seeds(self, volume_cc: float) -> bool | None:
        """Whether the hottest `volume_cc` lies entirely in seeds; None where another sample may differ."""
        share, count = volume_cc * MM3_PER_CC / self.volume_mm3, len(self.doses_gy)
        inside, off = float(np.isinf(self.doses_gy).mean()), share_tolerance(min(1.0, share), count)
        return None if abs(inside - share) <= off else inside > share

    def _order_statistic(self, share: float) -> float:
        """The largest dose that this share of the points gets: 0 for a share above 1, infinity for none."""
        if share > 1.0:
            return 0.0
        if share <= 0.0:
            return inf
        count = len(self.doses_gy)
        below = min(floor(count * (1.0 - share) + _WHOLE), count - 1)
        return float(np.partition(self.doses_gy, below)[below])


def share_tolerance(share: float, count: int) -> float:
    """How far a sample of `count` points and one of as many or more may differ in a share of the volume.

    Three standard deviations of the difference of two binomial shares, as if points were independent; they
    are spread more evenly. NONE_SEEN points are added, because at shares of 0 and 1 the first term is 0.
    """
    return SIGMAS * sqrt(2.0 * max(0.0, share * (1.0 - share)) / count) + NONE_SEEN / count


def points_in(mask: VoxelMask, grid: Grid, count: int = POINTS) -> Float[np.ndarray, "n 3"]:
    """`count` points spread evenly over the voxels of the mask, in P. [mm] The mask must not be empty."""
    voxels = np.argwhere(mask.cropped()) + np.array(mask.lower)
    n = np.arange(count)
    voxel_V = voxels[(2 * n + 1) * len(voxels) // (2 * count)]
    p_V = voxel_V + (np.outer(n + 1, RECURRENCE) % 1.0 - 0.5)
    return np.asarray(p_V @ grid.X_PV[:3, :3].T + grid.X_PV[:3, 3])


def sampled_doses(
    mask: VoxelMask,
    grid: Grid,
    dose: Callable[[Float[np.ndarray, "n 3"]], Float[np.ndarray, " n"]],
    count: int = POINTS,
) -> SampledDoses:
    """Doses at `count` points of the mask. `dose` maps points in P (n, 3) to their doses. [mm, Gy]

    The tolerances are valid for no more points than the claim's own sample has.
    """
    points_P = points_in(mask, grid, count)
    cuts = range(POINTS_AT_ONCE, count, POINTS_AT_ONCE)
    doses = np.concatenate([dose(part) for part in np.split(points_P, list(cuts))])
    volume = float(abs(np.linalg.det(grid.X_PV[:3, :3])))
    return SampledDoses(doses, volume * int(np.count_nonzero(mask.cropped())))
