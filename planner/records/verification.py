"""Verification: each claim of a plan beside the value that was recomputed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One recomputed claim. It passed only if |claimed - recomputed| <= tolerance, or as its name says.
    `subject` is the path, structure or input that the claim is about."""

    name: str
    subject: str
    claimed: float | str
    recomputed: float | str
    tolerance: float
    passed: bool


@dataclass(frozen=True)
class Verification:
    """All claims, recomputed from the original data by another method. `not_recomputed` are JSON pointers to
    values that can be checked only by making the plan again; "*" stands for every item."""

    passed: bool
    checks: tuple[Check, ...]
    not_recomputed: tuple[str, ...]
