"""Robustness: how placement errors are sampled."""

from dataclasses import dataclass
from enum import StrEnum


class Placement(StrEnum):
    """By what means needles are placed, which says how far they go wrong."""

    TEMPLATE = "template"
    ROBOT = "robot"
    ELECTROMAGNETIC = "electromagnetic"


@dataclass(frozen=True)
class RobustnessRequest:
    """How placement errors are sampled. No samples: robustness is not looked at."""

    placement: Placement = Placement.TEMPLATE
    samples: int = 200
