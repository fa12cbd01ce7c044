"""Results of looking at an implant again: after it, or while needles are in. What each says is
verified, and the plan that it holds is, like any other."""

from dataclasses import dataclass

from planner.implant_records import Achieved, Changes, TargetDose
from planner.records import Outcome, Plan, Verification
from planner.request import GivenSeed

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
    verification: Verification | None = None


@dataclass(frozen=True)
class Replanned:
    """A plan around needles as measured, and what changed against the plan before."""

    schema: str
    plan_sha256: str
    changes: Changes
    plan: Plan
    verification: Verification | None = None
