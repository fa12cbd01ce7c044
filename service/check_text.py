"""Check as text: what `seedpath check` found. That a plan was not made again comes first."""

from planner.records import Check
from service.table import verification_text
from service.work import Checked


def check_text(checked: Checked, *, quick: bool) -> str:
    """Whether the plan is verified, every claim that does not hold, and a summary."""
    said = verification_text(checked.verification)
    if checked.not_made_again is None:
        return said
    left = ", ".join(checked.verification.not_recomputed)
    left = f" Not checked, which only making it again can tell: {left}." if left else ""
    if quick:
        first = f"Quick, as asked for: the plan was not made again.{left}"
    else:
        first = f"NOT VERIFIED: the plan was not made again: {checked.not_made_again}.{left}"
    return f"{first}\n{said}"


def holds(checked: Checked, *, quick: bool) -> bool:
    """Whether the plan is verified: every claim holds and it was made again, or that was not asked for."""
    return checked.verification.passed and (quick or checked.not_made_again is None)


def hash_check(name: str, claimed_sha256: str, content_sha256: str) -> Check:
    """Whether a plan's file holds what its hash says."""
    return Check("plan_sha256", name, claimed_sha256, content_sha256, 0.0, claimed_sha256 == content_sha256)
