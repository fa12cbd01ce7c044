"""Check as text: the findings of `seedpath check`, failures first. If there are none, it says first that a
plan was not reproduced."""

from planner.records.verification import Check
from service.cli.text.plan import verification_text
from service.operations.check_case import Checked


def check_text(checked: Checked) -> str:
    """Whether the plan is verified, every claim that fails, and a summary."""
    text, passed = verification_text(checked.verification), checked.verification.passed
    if checked.quick:
        left_out = "Quick, as asked for: the plan was not made again."
    elif checked.not_reproduced is not None:
        doubt = "NOT VERIFIED: the plan" if passed else "The plan"
        left_out = f"{doubt} was not made again: {checked.not_reproduced}."
    else:
        return text
    unknown = ", ".join(checked.verification.not_recomputed)
    if unknown:
        left_out += f" Not checked, which only making it again can tell: {unknown}."
    return f"{left_out}\n{text}" if passed else f"{text}\n{left_out}"


def holds(checked: Checked) -> bool:
    """Whether the plan is verified: every claim holds, and it was reproduced, unless that was not
    requested."""
    return checked.verification.passed and checked.not_reproduced is None


def hash_check(name: str, claimed_sha256: str, content_sha256: str) -> Check:
    """Whether the content of a plan's file has the hash that the file states."""
    return Check("plan_sha256", name, claimed_sha256, content_sha256, 0.0, claimed_sha256 == content_sha256)
