"""Own verification: compares the verification in a plan with the recomputed one.

A plan states which of its claims were verified. If that part was emptied, shortened, altered or taken from
another plan, it differs from what verification finds.
"""

from collections import Counter
from collections.abc import Iterator
from math import isclose
from operator import attrgetter

from planner.records.verification import Check, Verification
from service.operations.reproduce import NEARLY_MM, nearly_same

NAME = "the plan's own verification"

TOLERANCE_ROUNDING = 1e-9
"""Tolerances with a smaller relative difference are the same: some are parts of a recomputed dose, which
processors round differently."""


def own_block(claimed: Verification | None, recomputed: Verification) -> tuple[Check, ...]:
    """One check for each difference between a plan's own verification and the recomputed one; one check that
    passes if there is none. Numbers may differ by NEARLY_MM, as when a plan is reproduced, texts not at
    all."""
    differences = tuple(_differences(claimed, recomputed))
    return differences or (_check("verification", "the same", "the same", True),)


def lacks_verification(claimed: Verification | None) -> str | None:
    """Why a plan cannot be called verified, from its own verification alone; None if it can."""
    if claimed is None:
        return "it has no verification"
    if not claimed.checks:
        return "its verification holds no check"
    if not (claimed.passed and all(check.passed for check in claimed.checks)):
        return "its verification failed"
    return None


def _differences(claimed: Verification | None, recomputed: Verification) -> Iterator[Check]:
    lacks = lacks_verification(claimed)
    if claimed is None or lacks is not None:
        yield _check("verification", lacks or "", "verified", False)
        return
    stated, actual = (Counter((c.name, c.subject) for c in one.checks) for one in (claimed, recomputed))
    for (name, subject), count in (actual - stated).items():
        yield _check(f"{name}, {subject}", "left out", f"claimed {count} times" if count > 1 else "claimed")
    for (name, subject), _ in (stated - actual).items():
        yield _check(f"{name}, {subject}", "claimed", "no such claim")
    if stated == actual:
        yield from _altered(claimed, recomputed)
    if claimed.not_recomputed != recomputed.not_recomputed:
        yield _check(
            "not_recomputed", ", ".join(claimed.not_recomputed), ", ".join(recomputed.not_recomputed)
        )


def _altered(claimed: Verification, recomputed: Verification) -> Iterator[Check]:
    """Claims of the same name and subject come in the same order among themselves."""
    sides = (sorted(block.checks, key=attrgetter("name", "subject")) for block in (claimed, recomputed))
    for one, other in zip(*sides, strict=True):
        subject = f"{one.name}, {one.subject}"
        if not nearly_same(one.claimed, other.claimed):
            yield _check(subject, one.claimed, other.claimed)
        if not nearly_same(one.recomputed, other.recomputed):
            yield _check(f"recomputed value of {subject}", one.recomputed, other.recomputed)
        if not isclose(one.tolerance, other.tolerance, rel_tol=TOLERANCE_ROUNDING):
            yield _check(f"tolerance of {subject}", one.tolerance, other.tolerance)


def _check(subject: str, claimed: float | str, recomputed: float | str, passed: bool = False) -> Check:
    return Check(NAME, subject, claimed, recomputed, NEARLY_MM, passed)
