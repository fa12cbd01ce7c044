"""A plan's own verification is held against the one recomputed, and a plan without one is not verified."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from true_plans import box_patient, honest_plan

from planner.records.verification import Check, Verification
from planner.verify import verify
from service.cli.text.check import check_text, holds
from service.operations.check_case import Checked
from service.operations.own_verification import lacks_verification, own_block

WHO = box_patient()
FOUND = verify(honest_plan(WHO), WHO.scene)
OTHER = Verification(True, FOUND.checks[:3], FOUND.not_recomputed)


def with_check(n: int, **changes: object) -> Verification:
    checks = list(FOUND.checks)
    checks[n] = replace(checks[n], **changes)
    return replace(FOUND, checks=tuple(checks))


def first_number() -> int:
    return next(n for n, c in enumerate(FOUND.checks) if isinstance(c.claimed, float) and c.tolerance > 0.0)


def first_text() -> int:
    return next(n for n, c in enumerate(FOUND.checks) if isinstance(c.recomputed, str))


ALTERED: dict[str, tuple[Callable[[], Verification | None], str]] = {
    "none": (lambda: None, "verification"),
    "emptied": (lambda: Verification(True, (), ()), "verification"),
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
    "another recomputed number": (
        lambda: with_check(first_number(), recomputed=FOUND.checks[first_number()].recomputed + 1e-5),
        "recomputed value of ",
    ),
    "another recomputed text": (lambda: with_check(first_text(), recomputed="x"), "recomputed value of "),
    "a text for a recomputed number": (
        lambda: with_check(first_number(), recomputed=str(FOUND.checks[first_number()].recomputed)),
        "recomputed value of ",
    ),
    "a wider tolerance": (lambda: with_check(first_number(), tolerance=1.0), "tolerance of "),
    "a little wider tolerance": (
        lambda: with_check(first_number(), tolerance=FOUND.checks[first_number()].tolerance + 1e-7),
        "tolerance of ",
    ),
    "a narrower tolerance": (
        lambda: with_check(first_number(), tolerance=0.5 * FOUND.checks[first_number()].tolerance),
        "tolerance of ",
    ),
    "no tolerance": (lambda: with_check(first_number(), tolerance=0.0), "tolerance of "),
    "less left to a search": (lambda: replace(FOUND, not_recomputed=()), "not_recomputed"),
}


@pytest.mark.parametrize("what", ALTERED)
def test_an_altered_verification_block_is_reported(what: str) -> None:
    make, subject = ALTERED[what]
    checks = own_block(make(), FOUND)
    assert checks and not any(c.passed for c in checks)
    assert any(subject in c.subject for c in checks)


def test_its_own_block_fits_though_what_was_recomputed_is_rounded_otherwise() -> None:
    assert FOUND.passed
    (check,) = own_block(FOUND, FOUND)
    assert check.passed
    n = first_number()
    other = replace(
        FOUND.checks[n],
        recomputed=FOUND.checks[n].recomputed + 1e-9,
        tolerance=FOUND.checks[n].tolerance * (1.0 + 1e-12),
    )
    (check,) = own_block(replace(FOUND, checks=(*FOUND.checks[:n], other, *FOUND.checks[n + 1 :])), FOUND)
    assert check.passed


def test_what_lacks_a_verification_that_passed() -> None:
    assert lacks_verification(FOUND) is None
    assert "no verification" in str(lacks_verification(None))
    assert "no check" in str(lacks_verification(Verification(True, (), ())))
    assert "failed" in str(lacks_verification(with_check(0, passed=False)))


def test_not_made_again_is_not_verified_and_comes_first() -> None:
    not_reproduced, early = Checked(FOUND, None), Checked(FOUND, "its search ended early")
    quick = Checked(FOUND, None, quick=True)
    assert holds(not_reproduced) and not holds(early) and holds(quick)
    assert check_text(not_reproduced) == f"Verification: {len(FOUND.checks)} checks, every claim holds."
    assert check_text(early).startswith(
        "NOT VERIFIED: the plan was not made again: its search ended early. Not checked, which only"
    )
    assert check_text(quick).startswith(
        "Quick, as asked for: the plan was not made again. Not checked, which"
    )


@pytest.mark.parametrize("quick", [False, True])
def test_what_failed_comes_first(quick: bool) -> None:
    failed = replace(with_check(0, passed=False), passed=False)
    checked = Checked(failed, None if quick else "a claim failed", quick)
    assert not holds(checked)
    first, summary, last = check_text(checked).splitlines()
    assert first.startswith(f"FAILED {FOUND.checks[0].name}, {FOUND.checks[0].subject}: ")
    assert summary == f"Verification: {len(FOUND.checks)} checks, 1 failed."
    assert last.startswith(
        "Quick, as asked for: the plan was not made again. Not checked, which"
        if quick
        else "The plan was not made again: a claim failed. Not checked, which"
    )
