"""Follow-up: the result of an implant after it, or while needles are in place, and what to change."""

from dataclasses import dataclass

from planner.records.bounds import Count, NonNegative, Percent
from planner.records.dose import GoalResult, OrganDose, TargetDose, VolumeDose
from planner.records.plan import Outcome, Plan
from planner.records.request.given import GivenSeed
from planner.records.request.point import Point
from planner.records.verification import Verification

MIN_SPOT_CC = 0.02
"""Smaller cold regions are not listed: two voxels of a common planning CT [U]."""


@dataclass(frozen=True)
class ColdSpot:
    """A connected region of the PTV that gets less than the prescribed dose: its volume, its centre, its
    least dose and the place of that dose."""

    volume_cc: NonNegative
    centre_mm: Point
    least_dose_gy: NonNegative
    least_at_mm: Point


@dataclass(frozen=True)
class Achieved:
    """The result of the seeds found after the implant: their number, how many lie outside the PTV, how many
    pairs are closer than a seed is long, the dose, the dose of organs with a goal, the goals met, and the
    cold spots, largest first."""

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
    """A needle before and after replanning. A field is None if the needle was not in that plan. [mm]"""

    before_id: str | None
    after_id: str | None
    entry_moved_mm: NonNegative | None
    tip_moved_mm: NonNegative | None
    seeds_before: Count
    seeds_after: Count


@dataclass(frozen=True)
class Changes:
    """What replanning changed: needles, seeds on them, seeds already in place, and doses."""

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


EVALUATION_SCHEMA = "seedpath.evaluation/3"


REPLAN_SCHEMA = "seedpath.replan/3"


@dataclass(frozen=True)
class Evaluation:
    """An implant as it was found: the `seeds` found and their result. `planned` is the result that the plan
    stated. `supplement` is a plan around the seeds found that brings D90 back; None if nothing needs to be
    added."""

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
    """A plan around measured needles, and what changed against the plan before."""

    schema: str
    plan_sha256: str
    changes: Changes
    plan: Plan
    verification: Verification | None
