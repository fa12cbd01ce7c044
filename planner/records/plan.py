"""Records: the plan's data types, as they leave the planner. Frame P (LPS), mm, degrees where named.

Plan
|-- Outcome            planned, or why not, in a sentence
|-- SearchReport       what was searched and what that proves
|-- Path[m]            ranked; each with Crossing[k] and SeedDrop[s]
|-- Window[w]          connected regions of safe lines
|-- NeedleSet, DoseReport, Robustness   the implant, where a dose is prescribed (planner.records.dose)
|-- Blocker[b], NearestMiss, Relaxation     why nothing, or not more, fits
`-- Verification       every claim recomputed by another route
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Float

from anatomy.structures import InputDigest
from planner.records.dose import DoseReport
from planner.records.needle_set import NeedleSet
from planner.records.paths import Path, Window
from planner.records.request.request import Request
from planner.records.robustness import Robustness
from planner.records.search import Blocker, NearestMiss, SearchReport
from planner.records.verification import Verification

SCHEMA = "seedpath.plan/3"


class Status(StrEnum):
    """How planning ended."""

    PLANNED = "planned"
    NO_PATH = "no_path"
    GOALS_NOT_MET = "goals_not_met"
    TIMED_OUT = "timed_out"


@dataclass(frozen=True)
class Outcome:
    """How planning ended, and a sentence that a clinician can act on."""

    status: Status
    message: str


NO_OUTCOME = Outcome(Status.NO_PATH, "")
"""The outcome of a plan that is not complete: the outcome follows from all its other parts."""


@dataclass(frozen=True)
class Plan:
    """The whole answer. `request` has all defaults filled in; `roles` has the role used for each structure.
    `skin_structures` are the structures whose surface is the skin; empty if the skin is guessed.
    `skin_source` says which."""

    schema: str
    software: str
    inputs: tuple[InputDigest, ...]
    frame: str
    request: Request
    roles: tuple[tuple[str, str], ...]
    skin_structures: tuple[str, ...]
    skin_source: str
    notes: tuple[str, ...]
    outcome: Outcome
    search: SearchReport
    paths: tuple[Path, ...]
    windows: tuple[Window, ...]
    blocked_by: tuple[Blocker, ...]
    missing_structures: tuple[str, ...]
    nearest_miss: NearestMiss | None
    needle_set: NeedleSet | None
    dose: DoseReport | None
    robustness: Robustness | None
    verification: Verification | None


@dataclass(frozen=True, eq=False)
class SkinAccess:
    """Where safe paths enter the skin: entry points (n, 3) in P, and the least lung length of a safe path
    from each. [mm]"""

    entry_mm: Float[np.ndarray, "n 3"]
    lung_length_mm: Float[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class PlanningResult:
    """What planning returns: a verified plan, and the skin access map from which its paths were selected."""

    plan: Plan
    access: SkinAccess
