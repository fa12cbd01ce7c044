"""A plan's own verification is compared with the recomputed one; a plan without one is not verified."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from true_plans import box_patient, honest_plan

from planner.records.verification import Check, Verification
from planner.verify import verify
from service.cli.text.check import check_text, holds
from service.operations.check_case import Checked
from service.operations.own_verification import lacks_verification, own_block

PATIENT = box_patient()
RECOMPUTED = verify(honest_plan(PATIENT), PATIENT.scene)
OTHER = Verification(True, RECOMPUTED.checks[:3], RECOMPUTED.not_recomputed)


def with_check(n: int, **changes: object) -> Verification:
    checks = list(RECOMPUTED.checks)
    checks[n] = replace(checks[n], **changes)
    return replace(RECOMPUTED, checks=tuple(checks))


def first_number() -> int:
    return next(
        n for n, c in enumerate(RECOMPUTED.checks) if isinstance(c.claimed, float) and c.tolerance > 0.0
    )


def first_text() -> int:
    return next(n for n, c in enumerate(RECOMPUTED.checks) if isinstance(c.recomputed, str))


ALTERED: dict[str, tuple[Callable[[], Verification | None], str]] = {
    "none": (lambda: None, "verification"),
    "emptied": (lambda: Verification(True, (), ()), "verification"),
    "failed": (lambda: replace(RECOMPUTED, passed=False), "verification"),
    "failed in a check": (lambda: with_check(0, passed=False), "verification"),
    "shortened": (lambda: replace(RECOMPUTED, checks=RECOMPUTED.checks[1:]), RECOMPUTED.checks[0].name),
    "of another plan": (lambda: OTHER, RECOMPUTED.checks[3].name),
    "a claim invented": (
        lambda: replace(
            RECOMPUTED, checks=(*RECOMPUTED.checks, Check("all is well", "plan", "yes", "yes", 0.0, True))
        ),
        "all is well, plan",
    ),
    "another subject": (lambda: with_check(0, subject="path P9"), "path P9"),
    "another claim": (
        lambda: with_check(first_number(), claimed=RECOMPUTED.checks[first_number()].claimed + 1e-5),
        RECOMPUTED.checks[first_number()].name,
    ),
    "another recomputed number": (
        lambda: with_check(first_number(), recomputed=RECOMPUTED.checks[first_number()].recomputed + 1e-5),
        "recomputed value of ",
    ),
    "another recomputed text": (lambda: with_check(first_text(), recomputed="x"), "recomputed value of "),
    "a text for a recomputed number": (
        lambda: with_check(first_number(), recomputed=str(RECOMPUTED.checks[first_number()].recomputed)),
        "recomputed value of ",
    ),
    "a wider tolerance": (lambda: with_check(first_number(), tolerance=1.0), "tolerance of "),
    "a little wider tolerance": (
        lambda: with_check(first_number(), tolerance=RECOMPUTED.checks[first_number()].tolerance + 1e-7),
        "tolerance of ",
    ),
    "a narrower tolerance": (
        lambda: with_check(first_number(), tolerance=0.5 * RECOMPUTED.checks[first_number()].tolerance),
        "tolerance of ",
    ),
    "no tolerance": (lambda: with_check(first_number(), tolerance=0.0), "tolerance of "),
    "less left to a search": (lambda: replace(RECOMPUTED, not_recomputed=()), "not_recomputed"),
}


@pytest.mark.parametrize("what", ALTERED)
def test_an_altered_verification_block_is_reported(what: str) -> None:
    make, subject = ALTERED[what]
    checks = own_block(make(), RECOMPUTED)
    assert checks and not any(c.passed for c in checks)
    assert any(subject in c.subject for c in checks)


def test_a_plans_own_block_passes_despite_rounding_of_recomputed_values() -> None:
    assert RECOMPUTED.passed
    (check,) = own_block(RECOMPUTED, RECOMPUTED)
    assert check.passed
    n = first_number()
    other = replace(
        RECOMPUTED.checks[n],
        recomputed=RECOMPUTED.checks[n].recomputed + 1e-9,
        tolerance=RECOMPUTED.checks[n].tolerance * (1.0 + 1e-12),
    )
    (check,) = own_block(
        replace(RECOMPUTED, checks=(*RECOMPUTED.checks[:n], other, *RECOMPUTED.checks[n + 1 :])), RECOMPUTED
    )
    assert check.passed


def test_why_a_plan_has_no_passed_verification() -> None:
    assert lacks_verification(RECOMPUTED) is None
    assert "no verification" in str(lacks_verification(None))
    assert "no check" in str(lacks_verification(Verification(True, (), ())))
    assert "failed" in str(lacks_verification(with_check(0, passed=False)))


def test_a_plan_that_was_not_reproduced_is_not_verified_and_the_text_starts_with_that() -> None:
    not_reproduced, not_remade = Checked(RECOMPUTED, None), Checked(RECOMPUTED, "its search ended early")
    quick = Checked(RECOMPUTED, None, quick=True)
    assert holds(not_reproduced) and not holds(not_remade) and holds(quick)
    assert check_text(not_reproduced) == f"Verification: {len(RECOMPUTED.checks)} checks, every claim holds."
    assert check_text(not_remade).startswith(
        "NOT VERIFIED: the plan was not made again: its search ended early. Not checked, which only"
    )
    assert check_text(quick).startswith(
        "Quick, as asked for: the plan was not made again. Not checked, which"
    )


@pytest.mark.parametrize("quick", [False, True])
def test_failed_checks_are_printed_first(quick: bool) -> None:
    failed = replace(with_check(0, passed=False), passed=False)
    checked = Checked(failed, None if quick else "a claim failed", quick)
    assert not holds(checked)
    first, summary, not_checked = check_text(checked).splitlines()
    assert first.startswith(f"FAILED {RECOMPUTED.checks[0].name}, {RECOMPUTED.checks[0].subject}: ")
    assert summary == f"Verification: {len(RECOMPUTED.checks)} checks, 1 failed."
    assert not_checked.startswith(
        "Quick, as asked for: the plan was not made again. Not checked, which"
        if quick
        else "The plan was not made again: a claim failed. Not checked, which"
    )
