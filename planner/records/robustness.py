"""Robustness: what needles touch and how the dose changes under published placement errors."""

from dataclasses import dataclass

from planner.records.bounds import Count, NonNegative, Share


@dataclass(frozen=True)
class Touch:
    """The chance that a needle with the published errors touches a structure, from 0 to 1."""

    structure: str
    chance: Share


@dataclass(frozen=True)
class NeedleRisk:
    """One needle under placement errors. If it turns about its entry by less than `tolerance_deg`, its wall
    touches no forbidden structure. `touches` names the structures that at least one sample touched; it is
    empty for a given needle, which is already in place."""

    path_id: str
    tolerance_deg: NonNegative
    touches: tuple[Touch, ...]


@dataclass(frozen=True)
class Spread:
    """5th, 50th and 95th percentile over the samples."""

    p5: float
    p50: float
    p95: float


@dataclass(frozen=True)
class Robustness:
    """The effect of placement errors, over `samples` of the errors published for `placement`, and on the
    dose, over the first `dose_samples` of them."""

    placement: str
    samples: Count
    dose_samples: Count
    needles: tuple[NeedleRisk, ...]
    d90_gy: Spread
    v100_percent: Spread
    goals_met_share: Share
