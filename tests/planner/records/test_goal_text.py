"""The text of a goal never contradicts whether it is met: it has enough decimals to show the difference."""

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


def missed_goal(reached: float, limit: float) -> GoalResult:
    return GoalResult("PTV", "v100_percent", True, limit, reached, False)


def short_chord_text(chord_mm: float, needed_mm: float) -> str:
    """The text about a needle whose chord in the target is too short."""
    requirements = TipRequirements.__new__(TipRequirements)
    requirements._chord_mm = needed_mm
    (reason,) = requirements._lack_of_target(((0.0, chord_mm),))
    return reason.detail


def test_a_barely_missed_goal_is_not_printed_as_reached() -> None:
    assert "PTV 94.998 %, at least 95 %" in goal_text(missed_goal(94.998, 95.0))
    assert "at least 95.000 %" in goals_table((missed_goal(94.9996, 95.0),)).replace("95.0000", "95.000")
    assert "PTV 94.20 %" in goal_text(missed_goal(94.2, 95.0))

    d90_goal = GoalResult("PTV", "d90_gy", True, 120.0004, 120.0002, False)
    assert "D90 of PTV 120.0002 Gy, at least 120.0004 Gy asked for" in goal_text(d90_goal)


@given(st.floats(0.1, 500), st.floats(1e-6, 0.5), st.integers(0, 5))
def test_a_missed_value_is_printed_below_its_limit(limit: float, shortfall: float, places: int) -> None:
    limit = round(limit, places)
    reached = limit * (1.0 - shortfall)
    assume(reached < limit)
    printed = re.findall(r"[0-9]+\.?[0-9]*", goal_text(missed_goal(reached, limit)).split("PTV")[1])
    assert float(printed[0]) < float(printed[1])


SHORTFALL_TEXTS = [
    lambda found_mm, needed_mm: too_near(Lack.NEEDLE, "aorta", found_mm, needed_mm).detail,
    lambda found_mm, needed_mm: short_chord_text(found_mm, needed_mm),
]


@pytest.mark.parametrize("text_of", SHORTFALL_TEXTS)
@given(st.floats(0.1, 50.0), st.floats(1e-6, 0.5))
def test_a_short_length_is_printed_below_the_needed_one(text_of, needed_mm: float, shortfall: float) -> None:
    numbers = re.findall(r"([0-9]+\.?[0-9]*) mm", text_of(needed_mm * (1.0 - shortfall), needed_mm))
    assert float(numbers[0]) < float(numbers[1])


def test_shares_of_samples_are_rounded_down() -> None:
    assert [sure_percent(share) for share in (0.0, 0.29, 57 / 60, 0.9999, 1.0)] == [0, 29, 95, 99, 100]


@given(st.floats(0, 500), st.floats(0, 500))
def test_printed_numbers_keep_the_order_of_the_values(value: float, other_value: float) -> None:
    n = decimals_apart(value, other_value, 1)
    assert n >= 1 and (
        n == 15 or (float(f"{value:.{n}f}") < float(f"{other_value:.{n}f}")) == (value < other_value)
    )


def test_a_count_of_one_has_the_singular() -> None:
    assert [counted(n, "seed") for n in (0, 1, 2)] == ["0 seeds", "1 seed", "2 seeds"]
    assert [counted(n, "entry", "entries") for n in (0, 1, 2)] == ["0 entries", "1 entry", "2 entries"]
