"""A plan's own verification is held against the one recomputed, and a plan without one is not verified."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from honest_plans import honest_plan, patient

from planner.records import Check, Verification
from planner.verify import verify
from service.check_text import check_text, holds
from service.own_block import lacks_verification, own_block
from service.work import Checked

WHO = patient()
FOUND = verify(honest_plan(WHO), WHO.scene)
OTHER = Verification(True, FOUND.checks[:3], FOUND.not_recomputed)


def with_check(n: int, **changes: object) -> Verification:
    checks = list(FOUND.checks)
    checks[n] = replace(checks[n], **changes)
    return replace(FOUND, checks=tuple(checks))


def first_number() -> int:
    return next(n for n, c in enumerate(FOUND.checks) if isinstance(c.claimed, float))


ALTERED: dict[str, tuple[Callable[[], Verification | None], str]] = {
    "none": (lambda: None, "verification"),
    "emptied": (lambda: Verification(True, ()), "verification"),
    "failed": (lambda: replace(FOUND, passed=False), "verification"),
    "failed in a check": (lambda: with_check(0, passed=False), "verification"),
    "shortened": (lambda: replace(FOUND, checks=FOUND.checks[1:]), FOUND.checks[0].name),
    "of another plan": (lambda: OTHER, FOUND.checks[3].name),
    "a claim invented": (
        lambda: replace(FOUND, checks=(*FOUND.checks, Check("all is well", "plan", "yes", "yes", 0.0, True))),
        "all is well, plan",
    ),
    "another subject": (lambda: with_check(0, subject="path P9"), "path P9"),
    "another claim": (
        lambda: with_check(first_number(), claimed=FOUND.checks[first_number()].claimed + 1e-5),
        FOUND.checks[first_number()].name,
    ),
    "a wider tolerance": (lambda: with_check(first_number(), tolerance=1.0), "tolerance of "),
    "less left to a search": (lambda: replace(FOUND, not_recomputed=()), "not_recomputed"),
}


@pytest.mark.parametrize("what", ALTERED)
def test_a_block_that_says_something_else_is_told(what: str) -> None:
    make, subject = ALTERED[what]
    checks = own_block(make(), FOUND)
    assert checks and not any(c.passed for c in checks)
    assert any(subject in c.subject for c in checks)


def test_its_own_block_fits_though_what_was_recomputed_is_rounded_otherwise() -> None:
    assert FOUND.passed
    (check,) = own_block(FOUND, FOUND)
    assert check.passed
    (check,) = own_block(with_check(first_number(), recomputed=0.0), FOUND)
    assert check.passed


def test_what_lacks_a_verification_that_passed() -> None:
    assert lacks_verification(FOUND) is None
    assert "no verification" in str(lacks_verification(None))
    assert "no check" in str(lacks_verification(Verification(True, ())))
    assert "failed" in str(lacks_verification(with_check(0, passed=False)))


def test_not_made_again_is_not_verified_and_comes_first() -> None:
    again, early = Checked(FOUND, None), Checked(FOUND, "its search ended early")
    assert holds(again, quick=False) and not holds(early, quick=False) and holds(early, quick=True)
    assert check_text(again, quick=False).startswith("Verification: ")
    assert check_text(early, quick=False).startswith(
        "NOT VERIFIED: the plan was not made again: its search ended early. Not checked, which only"
    )
    assert check_text(early, quick=True).startswith("Quick, as asked for: the plan was not made again. Not")
    failed = Checked(replace(FOUND, passed=False), "a claim failed")
    assert not holds(failed, quick=True)
