"""The dose at a point by the direct TG-43 sum: the formula for every seed, without a table of doses.

    dose = sum over seeds of  S_K Lambda  G / G0  g(r)  F(r, theta)  x  half-life / ln 2

AAPM TG-43U1 (Rivard 2004, 10.1118/1.1646040), eqs. 1, 4 and 11. All lengths here are cm, as in the tables.
The angle beta under which a point sees the active line is the difference of the directions to its two ends.
Near the axis, the formula's limit is used.
"""

from itertools import pairwise
from math import fsum, log, pi

import numpy as np
from jaxtyping import Float

from planner.sources.source import Source

_CM_PER_MM = 0.1
_HOURS_PER_DAY = 24.0
_GY_PER_CGY = 0.01

_NEAR_AXIS = 1e-4
"""Where sin theta is below this, the directions to the line's ends are so nearly equal that the limit on the
axis is more accurate: to about 1e-8."""

_SIMPSON_PARTS = 8
"""Parts of each interval between the angles of F. The mean over directions is then accurate to 2e-6 beyond
2.5 mm, and to 1e-4 anywhere."""


def direct_dose_gy(
    source: Source,
    strength_u: float,
    seeds_mm: Float[np.ndarray, "m 3"],
    axes: Float[np.ndarray, "m 3"] | None,
    point_mm: Float[np.ndarray, "3"],
) -> float:
    """Dose at a point until all seeds have decayed, each of `strength_u` at the implant. [Gy]

    `axes` need not have unit length; None, if they are not known, means the 1D formalism. Inside a seed, the
    dose is capped at its value on the capsule's side.
    """
    to_point = (point_mm - seeds_mm) * _CM_PER_MM
    capsule_cm = _CM_PER_MM * source.seed_diameter_mm / 2
    if axes is None:
        r = np.maximum(np.sqrt(np.einsum("ij,ij->i", to_point, to_point)), capsule_cm)
        across = np.full(len(r), pi / 2)
        rates = _line(source, r, across) * _radial(source, r) * _mean_over_directions(source, r)
    else:
        units = axes / np.sqrt(np.einsum("ij,ij->i", axes, axes))[:, None]
        z = np.einsum("ij,ij->i", to_point, units)
        rho = np.linalg.norm(np.cross(units, to_point), axis=1)
        at_side = np.abs(z) <= _CM_PER_MM * source.seed_length_mm / 2
        rho[at_side] = np.maximum(rho[at_side], capsule_cm)
        r = np.sqrt(z**2 + rho**2)
        theta = np.arctan2(rho, z)
        rates = _line(source, r, theta) * _radial(source, r) * _anisotropy(source, r, theta)
    hours = source.half_life_d * _HOURS_PER_DAY / log(2.0)
    per_u = source.dose_rate_constant_cgy_per_h_u * hours * _GY_PER_CGY
    return strength_u * per_u * fsum(rates.tolist())


def _line(source: Source, r: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """G_L(r, theta) / G_L(1 cm, 90 deg), theta in radians from 0 to pi."""
    length = source.active_length_cm
    at_1_cm = 2.0 * np.arctan2(length / 2, 1.0) / length
    z, rho = r * np.cos(theta), r * np.sin(theta)
    on_axis = rho < _NEAR_AXIS * r
    apart = np.where(on_axis, 1.0, rho)
    beta = np.arctan2(z + length / 2, apart) - np.arctan2(z - length / 2, apart)
    limit = 1.0 / np.where(on_axis, r**2 - length**2 / 4, 1.0)
    return np.asarray(np.where(on_axis, limit, beta / (length * apart)) / at_1_cm)


def _radial(source: Source, r: np.ndarray) -> np.ndarray:
    """g_L(r): linear in its logarithm, extrapolated beyond the last radius, constant before the first."""
    radii, g = source.radial
    logs = [log(v) for v in g]
    far = radii[-1] + 1e3
    reached = logs[-1] + (logs[-1] - logs[-2]) * (far - radii[-1]) / (radii[-1] - radii[-2])
    return np.asarray(np.exp(np.interp(r, [*radii, far], [*logs, reached])))


def _anisotropy(source: Source, r: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """F(r, theta), theta in radians from 0 to pi: interpolated in theta first, then between two radii."""
    radii, angles, table = source.anisotropy
    folded = np.degrees(np.minimum(theta, pi - theta))
    by_radius = np.stack([np.interp(folded, angles, row) for row in table])
    k, part = _between(radii, r)
    rows = np.arange(len(k))
    low, high = by_radius[k, rows], by_radius[k + 1, rows]
    return np.asarray(low + part * (high - low))


def _between(nodes: tuple[float, ...], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of the last node at or below each x, at most the last but one; and x's part of the way to the
    next node, from 0 to 1."""
    inner = np.array(nodes[1:-1])
    low = (x[:, None] >= inner).sum(axis=1)
    ends = np.array(nodes)
    part = (x - ends[low]) / (ends[low + 1] - ends[low])
    return low, np.minimum(np.maximum(part, 0.0), 1.0)


def _mean_over_directions(source: Source, r: np.ndarray) -> np.ndarray:
    """phi_an(r), from its table, or as the mean of G F over all directions divided by G at 90 degrees
    (eq. 12)."""
    if source.phi_an is not None:
        return np.asarray(np.interp(r, *source.phi_an))
    theta, weights = _simpson(source.anisotropy.theta_deg)
    every_r, every_theta = (v.ravel() for v in np.meshgrid(r, theta, indexing="ij"))
    rings = (
        _line(source, every_r, every_theta) * _anisotropy(source, every_r, every_theta) * np.sin(every_theta)
    )
    across = np.full(len(r), pi / 2)
    return np.asarray(rings.reshape(len(r), len(theta)) @ weights / _line(source, r, across))


def _simpson(angles_deg: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for an integral over theta from 0 to 90 degrees. [rad]

    Simpson's rule between the angles of F, where F has kinks, in x = sqrt(theta), with d theta = 2 x dx. Near
    r = L / 2 the integrand has a step on the axis, where nodes in x are densest.
    """
    pattern = np.array([1.0, *[4.0, 2.0] * (_SIMPSON_PARTS // 2 - 1), 4.0, 1.0])
    nodes, weights = [], []
    for a, b in pairwise(np.sqrt(np.radians(angles_deg)).tolist()):
        x = np.linspace(a, b, _SIMPSON_PARTS + 1)
        nodes.append(x**2)
        weights.append(pattern * (b - a) / (3 * _SIMPSON_PARTS) * 2 * x)
    return np.concatenate(nodes), np.concatenate(weights)
