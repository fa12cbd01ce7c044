"""What is told of a goal never contradicts whether it is met: decimals are printed until it shows."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from planner.records.appraisal import Lack
from planner.records.dose import GoalResult
from planner.records.wording.appraisal import too_near
from planner.records.wording.goals import goal_text
from planner.records.wording.number_text import counted, decimals_apart, sure_percent
from planner.search.tip_requirements import TipRequirements
from service.cli.text.dose import goals_table


def missed(reached: float, wanted: float) -> GoalResult:
    return GoalResult("PTV", "v100_percent", True, wanted, reached, False)


def short_run(got: float, need: float) -> str:
    """What is said of a needle that runs in the target for too short a way."""
    aiming = TipRequirements.__new__(TipRequirements)
    aiming._chord_mm = need
    (reason,) = aiming._lack_of_target(((0.0, got),))
    return reason.detail


def test_a_goal_missed_by_little_is_not_printed_as_reached() -> None:
    assert "PTV 94.998 %, at least 95 %" in goal_text(missed(94.998, 95.0))
    assert "at least 95.000 %" in goals_table((missed(94.9996, 95.0),)).replace("95.0000", "95.000")
    assert "PTV 94.20 %" in goal_text(missed(94.2, 95.0))

    least = GoalResult("PTV", "d90_gy", True, 120.0004, 120.0002, False)
    assert "D90 of PTV 120.0002 Gy, at least 120.0004 Gy asked for" in goal_text(least)


@given(st.floats(0.1, 500), st.floats(1e-6, 0.5), st.integers(0, 5))
def test_what_was_missed_is_printed_on_the_side_where_it_lies(wanted: float, by: float, places: int) -> None:
    wanted = round(wanted, places)
    reached = wanted * (1.0 - by)
    assume(reached < wanted)
    said = re.findall(r"[0-9]+\.?[0-9]*", goal_text(missed(reached, wanted)).split("PTV")[1])
    assert float(said[0]) < float(said[1])


LACKS = [
    lambda got, need: too_near(Lack.NEEDLE, "aorta", got, need).detail,
    lambda got, need: short_run(got, need),
]


@pytest.mark.parametrize("said", LACKS)
@given(st.floats(0.1, 50.0), st.floats(1e-6, 0.5))
def test_a_length_that_is_too_short_is_printed_as_shorter(said, need: float, by: float) -> None:
    numbers = re.findall(r"([0-9]+\.?[0-9]*) mm", said(need * (1.0 - by), need))
    assert float(numbers[0]) < float(numbers[1])


def test_shares_of_samples_are_rounded_down() -> None:
    assert [sure_percent(share) for share in (0.0, 0.29, 57 / 60, 0.9999, 1.0)] == [0, 29, 95, 99, 100]


@given(st.floats(0, 500), st.floats(0, 500))
def test_printed_numbers_stand_in_the_order_of_the_true_ones(one: float, other: float) -> None:
    n = decimals_apart(one, other, 1)
    assert n >= 1 and (n == 15 or (float(f"{one:.{n}f}") < float(f"{other:.{n}f}")) == (one < other))


def test_one_is_not_counted_in_the_plural() -> None:
    assert [counted(n, "seed") for n in (0, 1, 2)] == ["0 seeds", "1 seed", "2 seeds"]
    assert [counted(n, "entry", "entries") for n in (0, 1, 2)] == ["0 entries", "1 entry", "2 entries"]
