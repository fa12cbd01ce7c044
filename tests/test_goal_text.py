"""What is told of a goal never contradicts whether it is met: decimals are printed until it shows."""

from hypothesis import given
from hypothesis import strategies as st

from planner.implant_records import GoalResult
from planner.implant_wording import goal_text
from planner.number_text import decimals_apart
from service.dose_text import goals_table


def missed(reached: float, wanted: float) -> GoalResult:
    return GoalResult("PTV", "v100_percent", True, wanted, reached, False)


def test_a_goal_missed_by_little_is_not_printed_as_reached() -> None:
    assert "PTV 94.998 %, at least 95 %" in goal_text(missed(94.998, 95.0))
    assert "at least 95.000 %" in goals_table((missed(94.9996, 95.0),)).replace("95.0000", "95.000")
    assert "PTV 94.20 %" in goal_text(missed(94.2, 95.0))


@given(st.floats(0, 500), st.floats(0, 500))
def test_printed_numbers_stand_in_the_order_of_the_true_ones(one: float, other: float) -> None:
    n = decimals_apart(one, other, 1)
    assert n >= 1 and (n == 15 or (float(f"{one:.{n}f}") < float(f"{other:.{n}f}")) == (one < other))
