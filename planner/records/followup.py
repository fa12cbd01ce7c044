"""Follow-up: what an implant gives after it, or while needles are in, and what to change."""

from dataclasses import dataclass

from planner.records.bounds import Count, NonNegative, Percent
from planner.records.dose import GoalResult, OrganDose, TargetDose, VolumeDose
from planner.records.plan import Outcome, Plan
from planner.records.request.given import GivenSeed
from planner.records.request.point import Point
from planner.records.verification import Verification

MIN_SPOT_CC = 0.02
"""Cold regions smaller than this are not named: two of the voxels of a common planning CT [U]."""


@dataclass(frozen=True)
class ColdSpot:
    """A connected region of the PTV that gets less than the prescribed dose: its volume, the centre of its
    volume, its least dose and where that is."""

    volume_cc: NonNegative
    centre_mm: Point
    least_dose_gy: NonNegative
    least_at_mm: Point


@dataclass(frozen=True)
class Achieved:
    """What seeds that were found after the implant give: their number, how many of them lie outside the PTV,
    how many pairs lie nearer to each other than a seed is long, the dose, that in organs with a goal, which
    goals it meets, and its cold spots, the largest first."""

    seeds_found: Count
    seeds_outside_ptv: Count
    seed_pairs_near: Count
    target: TargetDose
    gtv: VolumeDose
    organs: tuple[OrganDose, ...]
    goals: tuple[GoalResult, ...]
    cold_spots: tuple[ColdSpot, ...]


@dataclass(frozen=True)
class NeedleChange:
    """A needle before and after replanning. What is None was not there. [mm]"""

    before_id: str | None
    after_id: str | None
    entry_moved_mm: NonNegative | None
    tip_moved_mm: NonNegative | None
    seeds_before: Count
    seeds_after: Count


@dataclass(frozen=True)
class Changes:
    """What replanning changed: needles, seeds on them, seeds that were in already, and what all give."""

    needles: tuple[NeedleChange, ...]
    seeds_before: Count
    seeds_after: Count
    given_seeds_before: Count
    given_seeds_after: Count
    d90_before_gy: NonNegative
    d90_after_gy: NonNegative
    v100_before_percent: Percent
    v100_after_percent: Percent
    sentences: tuple[str, ...]


EVALUATION_SCHEMA = "seedpath.evaluation/2"


REPLAN_SCHEMA = "seedpath.replan/2"


@dataclass(frozen=True)
class Evaluation:
    """An implant as it came out: the `seeds` found, and what they give. `planned` is what the plan promised.
    `supplement` is a plan around the seeds found, whose needle set brings D90 back; None where nothing needs
    to be added."""

    schema: str
    plan_sha256: str
    seeds: tuple[GivenSeed, ...]
    outcome: Outcome
    planned: TargetDose | None
    achieved: Achieved
    supplement: Plan | None
    verification: Verification | None


@dataclass(frozen=True)
class Replanned:
    """A plan around needles as measured, and what changed against the plan before."""

    schema: str
    plan_sha256: str
    changes: Changes
    plan: Plan
    verification: Verification | None
