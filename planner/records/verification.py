"""Verification: each claim of a plan beside the value that was recomputed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One claim, recomputed: passed only if |claimed - recomputed| <= tolerance (or as the name says).
    `subject` is the path, structure or input it is about."""

    name: str
    subject: str
    claimed: float | str
    recomputed: float | str
    tolerance: float
    passed: bool


@dataclass(frozen=True)
class Verification:
    """All claims, recomputed from the original data by another route. `not_recomputed` are JSON pointers to
    what only making the plan again can tell; "*" stands for every item."""

    passed: bool
    checks: tuple[Check, ...]
    not_recomputed: tuple[str, ...]
