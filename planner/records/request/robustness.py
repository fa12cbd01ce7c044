"""Robustness: how placement errors are sampled."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from planner.records.bounds import Limit

Samples = Annotated[int, Limit(0.0, 10_000.0, "", "0 leaves robustness out; more tell no more")]


class Placement(StrEnum):
    """By what means needles are placed, which says how far they go wrong."""

    TEMPLATE = "template"
    ROBOT = "robot"
    ELECTROMAGNETIC = "electromagnetic"


@dataclass(frozen=True)
class RobustnessRequest:
    """How placement errors are sampled. No samples: robustness is not looked at."""

    placement: Placement = Placement.TEMPLATE
    samples: Samples = 200
