"""Seed model: its published TG-43 tables, without any dose computation.

Lengths in the tables are in cm and angles in degrees, as printed, so that a table can be proofread against
its report. The dose computation converts them once.

         away
          |        . P          r      distance of P from the middle of the line
          |     r .             theta  angle at the middle, 0 on the axis, 90 on the transverse plane
          |     . theta
    ------====+====------ along         ==== active line, ---- capsule
"""

from dataclasses import dataclass
from itertools import pairwise
from math import isfinite, log
from typing import NamedTuple

HOURS_PER_DAY = 24.0

SEED_LENGTH_MM, SEED_DIAMETER_MM = 4.5, 0.8
"""Outer size of a capsule, unless a source gives another one (Dong 2021, 10.1111/1759-7714.13932)."""


class RadialDose(NamedTuple):
    """Radial dose function for the line source, g_L(r): 1 at 1 cm."""

    r_cm: tuple[float, ...]
    g: tuple[float, ...]


class Anisotropy(NamedTuple):
    """2D anisotropy function: F[i][j] at r_cm[i], theta_deg[j]. Angles from 0 to 90, where F is 1."""

    r_cm: tuple[float, ...]
    theta_deg: tuple[float, ...]
    F: tuple[tuple[float, ...], ...]


class Anisotropy1D(NamedTuple):
    """1D anisotropy function, phi_an(r): dose at r averaged over all directions, divided by dose at 90
    degrees."""

    r_cm: tuple[float, ...]
    phi: tuple[float, ...]


@dataclass(frozen=True)
class Source:
    """A seed model.

    `name` identifies it in requests, `label` is for people. `dose_rate_constant_cgy_per_h_u` is for 1 U of
    air-kerma strength (1 U = 1 cGy cm2/h). g_L, F and the constant are valid only for `active_length_cm`.
    `reference` is the publication of the tables, `status` how far the transcription was checked.

    Raises ValueError for tables that the rules of `planner.dose.tg43.formula` do not cover.
    """

    name: str
    label: str
    nuclide: str
    half_life_d: float
    dose_rate_constant_cgy_per_h_u: float
    active_length_cm: float
    radial: RadialDose
    anisotropy: Anisotropy
    reference: str
    status: str
    phi_an: Anisotropy1D | None = None
    seed_length_mm: float = SEED_LENGTH_MM
    seed_diameter_mm: float = SEED_DIAMETER_MM

    def __post_init__(self) -> None:
        """Raise ValueError for tables with gaps, out of order, or of a kind that the formula does not
        support."""
        radial, anisotropy = self.radial, self.anisotropy
        self._refuse_unless(
            all(_positive(v) for v in (self.half_life_d, self.dose_rate_constant_cgy_per_h_u)),
            "half-life and dose-rate constant must be positive",
        )
        self._refuse_unless(_is_table(radial.r_cm, radial.g), "g needs one positive value at each radius")
        at_1_cm = [g for r, g in zip(radial.r_cm, radial.g, strict=True) if r == 1.0]
        self._refuse_unless(at_1_cm == [1.0], "g must be tabulated as 1 at 1 cm")
        self._refuse_unless(
            len(anisotropy.F) == len(anisotropy.r_cm)
            and all(_is_table(anisotropy.theta_deg, row) for row in anisotropy.F)
            and _is_table(anisotropy.r_cm, [row[0] for row in anisotropy.F]),
            "F needs one positive value at each radius and angle",
        )
        self._refuse_unless(
            (anisotropy.theta_deg[0], anisotropy.theta_deg[-1]) == (0.0, 90.0)
            and all(row[-1] == 1.0 for row in anisotropy.F),
            "F must run from 0 to 90 degrees and be 1 at 90: fold a table that extends to 180",
        )
        self._refuse_unless(
            self.phi_an is None or _is_table(*self.phi_an), "phi_an needs one positive value at each radius"
        )
        # On the axis dose has a pole at the line's ends, which must lie inside the capsule.
        self._refuse_unless(
            0.0 < 10.0 * self.active_length_cm < self.seed_length_mm and self.seed_diameter_mm > 0.0,
            "the active line must lie within the capsule",
        )

    def _refuse_unless(self, holds: bool, sentence: str) -> None:
        if not holds:
            raise ValueError(f"source {self.name}: {sentence}")

    @property
    def mean_life_h(self) -> float:
        """Half-life divided by ln 2: the total dose of a permanent seed is its initial dose rate times this.
        [h]"""
        return self.half_life_d * HOURS_PER_DAY / log(2.0)


def _positive(value: float) -> bool:
    return isfinite(value) and value > 0.0


def _is_table(nodes: tuple[float, ...], values: tuple[float, ...] | list[float]) -> bool:
    """Whether there are two or more nodes, ascending from 0 or above, with the same number of positive
    values."""
    return (
        len(nodes) == len(values) >= 2
        and all(isfinite(v) for v in nodes)
        and nodes[0] >= 0.0
        and all(a < b for a, b in pairwise(nodes))
        and all(map(_positive, values))
    )
