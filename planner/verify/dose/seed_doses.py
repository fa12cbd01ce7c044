"""The dose of all seeds at many points by the direct TG-43 sum, seed by seed, in one compiled loop.

The same formula as in `planner.verify.dose.tg43`. Here the angle under which a point sees the active line is
the angle between the vectors to its two ends, from their cross and dot product:

    tan beta = L rho / (r^2 - L^2 / 4)

Inside a seed there is no tissue and no dose: points there get infinity, so that they reach every dose level.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import acos, atan2, exp, inf, pi, sqrt

import numpy as np
from jaxtyping import Float

from anatomy.runtime.parallel import parallel_for
from planner.records.needle_set import PlacedSeed
from planner.records.request.point import Point
from planner.sources.source import Source
from planner.verify.compiled import loop
from planner.verify.dose.tg43 import direct_dose_gy

_CM_PER_MM = 0.1
_FARTHEST_MM = 3000.0
ALONG, AROUND, OUTSIDE, HIGHER = 31, 12, 1.0 + 1e-9, 1.2
"""Points on a seed's surface: number of rings along it, number of points of a ring, and the factor that puts
them just outside. HIGHER is a factor for doses between these points [U]."""
_NODES = 2000
"""Number of radii, in equal steps of log r, at which the 1D formalism is computed."""

_ON_AXIS = 1e-6
"""Where rho / r is below this, the formula's limit is used."""


@dataclass(frozen=True, eq=False)
class SeedDoses:
    """The doses of m seeds of one model and strength. [mm, P; U]

    `axes_P` are unit vectors, or zeros for a seed whose axis is not known: its dose is that of the 1D
    formalism.
    """

    source: Source
    strength_u: float
    centres_P: Float[np.ndarray, "m 3"]
    axes_P: Float[np.ndarray, "m 3"]

    @cached_property
    def _known(self) -> np.ndarray:
        return np.asarray(self.axes_P.any(axis=1))

    @cached_property
    def _gy_per_cgy_per_h(self) -> float:
        return self.strength_u * self.source.dose_rate_constant_cgy_per_h_u * self.source.mean_life_h / 100.0

    def doses(self, points_P: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Dose at each point until all seeds have decayed, infinity inside one. [Gy]"""
        source, known = self.source, self._known
        radii, g = source.radial
        r_F, angles, table = source.anisotropy
        total = np.zeros(len(points_P))
        points_cm, centres_cm = points_P * _CM_PER_MM, self.centres_P[known] * _CM_PER_MM
        sizes_cm = (
            source.active_length_cm,
            _CM_PER_MM * source.seed_length_mm / 2,
            _CM_PER_MM * source.seed_diameter_mm / 2,
        )
        tables = (np.array(radii), np.log(g)), (np.array(r_F), np.array(angles), np.array(table))

        def run(a: int, b: int) -> None:
            line_doses(points_cm[a:b], centres_cm, self.axes_P[known], sizes_cm, *tables, total[a:b])

        parallel_for(run, len(points_P))
        total *= self._gy_per_cgy_per_h
        for centre in self.centres_P[~known]:
            r = np.linalg.norm(points_P - centre, axis=1)
            capsule = source.seed_diameter_mm / 2
            by_table = np.exp(
                np.interp(np.log(np.maximum(r, capsule)), *_mean_table(source, self.strength_u))
            )
            total += np.where(r < capsule, inf, by_table)
        return total

    def at(self, point: Point) -> float:
        """Dose at one point, by `planner.verify.dose.tg43`. [Gy]"""
        known, point_P = self._known, np.array(point)
        sums = [
            direct_dose_gy(self.source, self.strength_u, self.centres_P[rows], axes, point_P)
            for rows, axes in ((known, self.axes_P[known]), (~known, None))
            if rows.any()
        ]
        return sum(sums)

    @cached_property
    def highest_outside_gy(self) -> float:
        """An upper bound of the dose at any place outside the seeds. [Gy]

        Dose falls with the distance from a seed, so that it is highest on a surface. Points on each surface
        are taken, and the factor HIGHER for places between them.
        """
        half, radius = self.source.seed_length_mm / 2, self.source.seed_diameter_mm / 2 * OUTSIDE
        turns = 2.0 * np.pi * np.arange(AROUND) / AROUND
        rings = [(z, radius) for z in np.linspace(-half, half, ALONG)]
        rings += [(end * OUTSIDE * half, part * radius) for end in (-1.0, 1.0) for part in (0.0, 0.5, 1.0)]
        points = []
        for centre, axis in zip(self.centres_P, self.axes_P, strict=True):
            along = axis if axis.any() else np.array([0.0, 0.0, 1.0])
            one = np.cross(along, np.eye(3)[int(np.argmin(np.abs(along)))])
            one /= np.linalg.norm(one)
            across = np.cos(turns)[:, None] * one + np.sin(turns)[:, None] * np.cross(along, one)
            points += [centre + z * along + r * across for z, r in rings]
        doses = self.doses(np.concatenate([np.zeros((0, 3)), *points]))
        return HIGHER * float(doses[np.isfinite(doses)].max(initial=0.0))

    def nearest_mm(self, points_P: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Distance from each point to the nearest seed's axis, which is as long as its capsule. For a seed
        whose axis is not known, to the ball in which its ends lie. [mm]"""
        half = self.source.seed_length_mm / 2
        least = np.full(len(points_P), inf)
        for centre, axis, known in zip(self.centres_P, self.axes_P, self._known, strict=True):
            offsets = points_P - centre
            along = np.clip(offsets @ axis, -half, half)
            away = np.linalg.norm(offsets - along[:, None] * axis, axis=1)
            least = np.minimum(least, away if known else np.maximum(0.0, away - half))
        return least


@lru_cache(maxsize=16)
def _mean_table(source: Source, strength_u: float) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of radii and of the dose there by the 1D formalism. [mm, Gy]"""
    radii = np.geomspace(source.seed_diameter_mm / 2, _FARTHEST_MM, _NODES)
    centre = np.zeros((1, 3))
    doses = [direct_dose_gy(source, strength_u, centre, None, np.array([r, 0.0, 0.0])) for r in radii]
    return np.log(radii), np.log(doses)


def seed_doses(source: Source, strength_u: float, seeds: Sequence[PlacedSeed]) -> SeedDoses:
    """The doses of the seeds of a set. An axis of length 0 counts as not known."""
    axes = np.array([seed.axis or (0.0, 0.0, 0.0) for seed in seeds], float).reshape(-1, 3)
    lengths = np.linalg.norm(axes, axis=1, keepdims=True)
    centres = np.array([seed.position_mm for seed in seeds], float).reshape(-1, 3)
    return SeedDoses(source, strength_u, centres, axes / np.where(lengths > 0.0, lengths, 1.0))


@loop
def place_between(nodes, x):  # type: ignore[no-untyped-def]
    """Index of the last of ascending nodes at or below x, at most the last but one."""
    low, high = 0, len(nodes) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if nodes[middle] <= x:
            low = middle
        else:
            high = middle
    return low


@loop
def line_doses(points, seeds, axes, sizes, radial, anisotropy, total):  # type: ignore[no-untyped-def]
    """Add g F G / G0 of every seed to `total`, by point; infinity inside a seed. [cm]"""
    length, half, radius = sizes
    radii, log_g = radial
    r_F, angles, F = anisotropy
    at_1_cm = 2.0 * atan2(length / 2, 1.0) / length
    for n in range(len(points)):
        for m in range(len(seeds)):
            z, r2 = 0.0, 0.0
            for a in range(3):
                d = points[n, a] - seeds[m, a]
                z += d * axes[m, a]
                r2 += d * d
            z = abs(z)
            rho2 = max(0.0, r2 - z * z)
            if z <= half and rho2 < radius * radius:
                total[n] = inf
                break
            r, rho = sqrt(r2), sqrt(rho2)
            apart = r2 - length * length / 4
            off_axis = rho > _ON_AXIS * r
            line = atan2(length * rho, apart) / (length * rho) if off_axis else 1.0 / apart
            k = place_between(radii, r)
            # Constant before the first radius, extrapolated beyond the last.
            part = max(0.0, (r - radii[k]) / (radii[k + 1] - radii[k]))
            g = exp(log_g[k] + part * (log_g[k + 1] - log_g[k]))
            theta = acos(min(1.0, z / r)) * (180.0 / pi)
            j = place_between(angles, theta)
            across = (theta - angles[j]) / (angles[j + 1] - angles[j])
            i = place_between(r_F, r)
            along = min(1.0, max(0.0, (r - r_F[i]) / (r_F[i + 1] - r_F[i])))
            near = F[i, j] + across * (F[i, j + 1] - F[i, j])
            far = F[i + 1, j] + across * (F[i + 1, j + 1] - F[i + 1, j])
            total[n] += line / at_1_cm * g * (near + along * (far - near))
