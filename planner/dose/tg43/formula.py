"""TG-43 dose of one seed, by its formula: the reference that faster computations are tested against.

    dose rate (r, theta) = S_K Lambda  G_L(r, theta) / G_L(1 cm, 90 deg)  g_L(r)  F(r, theta)

AAPM TG-43U1 (Rivard 2004, 10.1118/1.1646040), 2D formalism, eq. 1, for S_K = 1 U. Details that the report
does not specify follow its supplement (10.1118/1.2736790) and the clinical notes: g_L is log-linear in r,
constant below its first radius, and exponential through its last two radii beyond them; F is bilinear in (r,
theta), and that of the nearest radius outside its radii; theta is folded at 90 degrees.

    away                     . P
      |                  .  / |
      |   beta at P  .     /  | rho         L        active line, G_L = beta / (L rho)  (eq. 4)
      |          .        /   |             beta     angle under which P sees the line
    --[====+====]--------+----+-- along     [ ]      capsule, 4.5 x 0.8 mm
           |<--- z ---------->|

In water, everywhere: "dose to water in water, TG-43". No dose exists inside a seed. There it is capped at its
value on the capsule's side at the same z, so that sums stay finite; no reported index may depend on it.
"""

import numpy as np
from jaxtyping import Float

from planner.sources.source import Source

MM_PER_CM = 10.0
CGY_PER_GY = 100.0

_ON_AXIS_MM = 1e-9
"""Points nearer to the axis are moved to this distance, where beta / rho equals its limit to all digits: the
second line of eq. 4, 1 / (r^2 - L^2 / 4), without a division by zero."""

_POLAR_NODES = 8
"""Gauss-Legendre nodes between two angles of F, where the integrand is smooth."""

_CAP_STEP_MM = 0.01
"""Step along the capsule in the search for its least dose."""


def total_dose_gy_per_u(
    source: Source, along_mm: Float[np.ndarray, "*p"], away_mm: Float[np.ndarray, "*p"]
) -> Float[np.ndarray, "*p"]:
    """Dose that a permanent seed of 1 U gives until it has decayed. [Gy/U]

    Points by their coordinates along the seed's axis, from its middle, and away from it (>= 0). [mm]
    """
    return dose_rate_cgy_per_h_u(source, along_mm, away_mm) * (source.mean_life_h / CGY_PER_GY)


def dose_rate_cgy_per_h_u(
    source: Source, along_mm: Float[np.ndarray, "*p"], away_mm: Float[np.ndarray, "*p"]
) -> Float[np.ndarray, "*p"]:
    """Dose rate of a seed of 1 U, eq. 1 of TG-43U1. Points as for `total_dose_gy_per_u`. [cGy/h/U]"""
    radius = source.seed_diameter_mm / 2
    inside = (np.abs(along_mm) <= source.seed_length_mm / 2) & (away_mm < radius)
    return uncapped_rate_cgy_per_h_u(source, along_mm, np.where(inside, radius, away_mm))


def uncapped_rate_cgy_per_h_u(
    source: Source, along_mm: Float[np.ndarray, "*p"], away_mm: Float[np.ndarray, "*p"]
) -> Float[np.ndarray, "*p"]:
    """As `dose_rate_cgy_per_h_u`, but by the formula inside the seed too, for tables that its side cuts
    through. [cGy/h/U]
    """
    r = np.hypot(along_mm, away_mm)
    theta_deg = np.degrees(np.arctan2(away_mm, np.abs(along_mm)))
    return np.asarray(
        source.dose_rate_constant_cgy_per_h_u
        * relative_geometry(source, along_mm, away_mm)
        * radial_dose(source, r)
        * anisotropy(source, r, theta_deg)
    )


def relative_geometry(
    source: Source, along_mm: Float[np.ndarray, "*p"], away_mm: Float[np.ndarray, "*p"]
) -> Float[np.ndarray, "*p"]:
    """G_L(r, theta) / G_L(1 cm, 90 deg) of the active line, eq. 4. Not capped: infinite on the line.

    beta from one arc tangent of tan beta = L rho / (rho^2 + z^2 - L^2 / 4). It lies in (0, pi), and is exact
    near the axis too, where the two angles it is the difference of nearly agree.
    """
    length = MM_PER_CM * source.active_length_cm
    rho = np.maximum(away_mm, _ON_AXIS_MM)
    g_at_p = _beta(length, rho, np.hypot(along_mm, rho)) / (length * rho)
    at_1_cm = np.array(MM_PER_CM)
    return np.asarray(g_at_p * (length * MM_PER_CM / _beta(length, at_1_cm, at_1_cm)))


def _beta(
    length_mm: float, away_mm: Float[np.ndarray, "*p"], r_mm: Float[np.ndarray, "*p"]
) -> Float[np.ndarray, "*p"]:
    """The angle under which points see the active line, see `relative_geometry`. [rad]"""
    return np.asarray(np.arctan2(length_mm * away_mm, r_mm * r_mm - length_mm * length_mm / 4))


def radial_dose(source: Source, r_mm: Float[np.ndarray, "*p"]) -> Float[np.ndarray, "*p"]:
    """g_L(r), eq. 6 of TG-43U1, interpolated and extrapolated as described at the top of the module."""
    r = r_mm / MM_PER_CM
    nodes, logs = np.array(source.radial.r_cm), np.log(source.radial.g)
    slope = (logs[-1] - logs[-2]) / (nodes[-1] - nodes[-2])
    return np.asarray(np.exp(np.interp(r, nodes, logs) + slope * np.maximum(r - nodes[-1], 0.0)))


def anisotropy(
    source: Source, r_mm: Float[np.ndarray, "*p"], theta_deg: Float[np.ndarray, "*p"]
) -> Float[np.ndarray, "*p"]:
    """F(r, theta), eq. 8 of TG-43U1, for theta from 0 to 90 degrees."""
    table = source.anisotropy
    values = np.array(table.F)
    i, u = _cell(np.array(table.r_cm), r_mm / MM_PER_CM)
    j, v = _cell(np.array(table.theta_deg), theta_deg)
    nearer = (1.0 - v) * values[i, j] + v * values[i, j + 1]
    farther = (1.0 - v) * values[i + 1, j] + v * values[i + 1, j + 1]
    return np.asarray((1.0 - u) * nearer + u * farther)


def _cell(nodes: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The interval of `nodes` that holds each x, and how far x lies through it: 0 or 1 outside all."""
    i = np.clip(np.searchsorted(nodes, x, side="right") - 1, 0, len(nodes) - 2)
    return i, np.clip((x - nodes[i]) / (nodes[i + 1] - nodes[i]), 0.0, 1.0)


def total_dose_1d_gy_per_u(source: Source, r_mm: Float[np.ndarray, "*p"]) -> Float[np.ndarray, "*p"]:
    """As `total_dose_gy_per_u` for a seed whose axis is not known: the 1D formalism, eq. 11. [Gy/U]

    S_K Lambda G_L(r, 90 deg) / G_L(1 cm, 90 deg) g_L(r) phi_an(r). Nearer than the capsule's radius dose is
    capped at its value there.
    """
    r = np.maximum(r_mm, source.seed_diameter_mm / 2)
    rate = (
        source.dose_rate_constant_cgy_per_h_u
        * relative_geometry(source, np.zeros_like(r), r)
        * radial_dose(source, r)
        * mean_anisotropy(source, r)
    )
    return np.asarray(rate * (source.mean_life_h / CGY_PER_GY))


def mean_anisotropy(source: Source, r_mm: Float[np.ndarray, "*p"]) -> Float[np.ndarray, "*p"]:
    """phi_an(r): from its table, linear in r and that of the nearest radius outside; else from F, eq. 12.

    phi_an = integral from 0 to pi of rate(r, theta) sin theta / (2 rate(r, 90 deg)). With G_L sin theta =
    beta / (L r) and F(90 deg) = 1 that is the integral of beta(theta) / beta(90 deg) F(r, theta) up to 90
    degrees. Off by less than 1e-8 beyond 2.5 mm, and 2e-4 about r = L / 2, where beta has a step on the axis.

    Below the first radius of a table, its first value is less than that average: for the 6711 by 6 % at 3 mm.
    """
    if source.phi_an is not None:
        return np.asarray(np.interp(r_mm / MM_PER_CM, source.phi_an.r_cm, source.phi_an.phi))
    x, w = np.polynomial.legendre.leggauss(_POLAR_NODES)
    edges = np.array(source.anisotropy.theta_deg)[:, None]
    width = np.diff(edges, axis=0)
    theta = np.ravel(edges[:-1] + width * (1.0 + x) / 2)
    weights = np.radians(np.ravel(width * w / 2))
    length = MM_PER_CM * source.active_length_cm
    r, t = np.broadcast_arrays(r_mm[..., None], theta)
    weighted = _beta(length, r * np.sin(np.radians(t)), r) * anisotropy(source, r, t)
    return np.asarray(weighted @ weights / _beta(length, r_mm, r_mm))


def cap_gy_per_u(source: Source) -> float:
    """The least dose that `total_dose_gy_per_u` gives inside the seed. [Gy/U]

    A seed of strength S adds S times this, or more, wherever it is capped: no V or D of a dose up to there
    depends on the cap.
    """
    half = source.seed_length_mm / 2
    along = np.linspace(0.0, half, 1 + round(half / _CAP_STEP_MM))
    on_side = total_dose_gy_per_u(source, along, np.full_like(along, source.seed_diameter_mm / 2))
    return float(on_side.min())
