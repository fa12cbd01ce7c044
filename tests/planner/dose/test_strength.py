"""Strength: mCi to U and back, decay, and invalid values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.dose.tg43.strength import U_PER_MCI, activity_mci, decayed_strength_u, strength_u
from planner.errors import RequestError

HALF_LIFE_D = 59.4

positive_amounts = st.floats(1e-3, 1e3)


def test_strength_of_a_typical_seed() -> None:
    # reference/analytic_checks.json, seed_0p6mCi.
    assert strength_u("I-125", 0.6) == pytest.approx(0.762, rel=1e-12)
    # Exposure-rate constants times 0.876 cGy/R (TG-43, 10.1118/1.597458)
    assert U_PER_MCI["I-125"] == pytest.approx(1.45 * 0.876, abs=5e-4)
    assert U_PER_MCI["Pd-103"] == pytest.approx(1.476 * 0.876, abs=5e-4)


@given(st.sampled_from(sorted(U_PER_MCI)), positive_amounts)
def test_converting_to_strength_and_back_gives_the_activity(nuclide: str, activity: float) -> None:
    assert activity_mci(nuclide, strength_u(nuclide, activity)) == pytest.approx(activity, rel=1e-12)


@pytest.mark.parametrize(
    ("days", "delivered"),
    # reference/analytic_checks.json, fraction_delivered: what has decayed.
    [(0.0, 0.0), (59.4, 0.5), (180.0, 0.8775981753442499)],
)
def test_decay(days: float, delivered: float) -> None:
    assert decayed_strength_u(1.0, HALF_LIFE_D, days) == pytest.approx(1.0 - delivered, rel=1e-12)


@given(positive_amounts, st.floats(0, 500), st.floats(0, 500))
def test_decay_in_two_steps_is_decay_in_one(strength: float, first_days: float, second_days: float) -> None:
    intermediate_u = decayed_strength_u(strength, HALF_LIFE_D, first_days)
    assert decayed_strength_u(intermediate_u, HALF_LIFE_D, second_days) == pytest.approx(
        decayed_strength_u(strength, HALF_LIFE_D, first_days + second_days), rel=1e-12
    )


@pytest.mark.parametrize("value", [0.0, -0.6, float("nan"), float("inf")])
def test_a_seed_without_activity_is_refused(value: float) -> None:
    for compute in (
        lambda: strength_u("I-125", value),
        lambda: activity_mci("I-125", value),
        lambda: decayed_strength_u(value, HALF_LIFE_D, 1.0),
    ):
        with pytest.raises(RequestError) as error:
            compute()
        assert error.value.field == "seeds/activity_mci"


@pytest.mark.parametrize("days", [-1.0, float("nan")])
def test_a_calibration_after_the_implant_is_refused(days: float) -> None:
    with pytest.raises(RequestError) as error:
        decayed_strength_u(1.0, HALF_LIFE_D, days)
    assert error.value.field == "seeds/calibration_date"


def test_a_nuclide_without_a_factor_is_refused() -> None:
    with pytest.raises(RequestError, match=r"Cs-131.*Known: I-125, Pd-103"):
        strength_u("Cs-131", 1.0)
