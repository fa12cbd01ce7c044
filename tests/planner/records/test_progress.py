"""Progress: one fraction for all of planning, which never falls and ends at 1, and the time left."""

from dataclasses import replace
from itertools import pairwise

import pytest
from ball_plans import REQUEST, ball_scene
from hypothesis import given
from hypothesis import strategies as st

from planner.plan import plan
from planner.records.progress import Phase, PlanProgress, Progress, part_of
from service.host.time_left import spoken_left, time_left_s

phases = st.sampled_from(list(Phase))


@given(reports=st.lists(st.tuples(phases, st.floats(-0.5, 1.5))))
def test_the_fraction_never_falls_and_ends_at_one_for_any_reports(
    reports: list[tuple[Phase, float]],
) -> None:
    recorded: list[Progress] = []
    progress = PlanProgress(lambda p: recorded.append(p) is None, list(Phase))
    for phase, fraction in (*reports, (Phase.VERIFY, 1.0)):
        assert progress(Progress(phase, fraction, "now"))
    fractions = [p.fraction for p in recorded]
    assert fractions == sorted(fractions) and fractions[0] >= 0.0 and fractions[-1] == 1.0
    phase_numbers = [list(Phase).index(p.phase) for p in recorded]
    assert phase_numbers == sorted(phase_numbers) and all(p.text == "now" for p in recorded)


def test_the_callbacks_answer_is_returned() -> None:
    progress = PlanProgress(lambda p: p.phase is not Phase.SEARCH, list(Phase))
    assert progress(Progress(Phase.FIELDS, 0.0, "")) and not progress(Progress(Phase.SEARCH, 0.5, ""))


@given(reports=st.lists(st.tuples(phases, st.floats(0.0, 1.0))))
def test_an_unexpected_phase_does_not_change_the_fraction(reports: list[tuple[Phase, float]]) -> None:
    recorded: list[Progress] = []
    expected_phases = [Phase.SEARCH, Phase.VERIFY]
    progress = PlanProgress(lambda p: recorded.append(p) is None, expected_phases)
    for phase, fraction in reports:
        previous = recorded[-1] if recorded else Progress(Phase.SEARCH, 0.0, "")
        assert progress(Progress(phase, fraction, ""))
        assert phase in expected_phases or recorded[-1] == previous
    assert [p.fraction for p in recorded] == sorted(p.fraction for p in recorded)


def test_a_nested_step_covers_a_part_of_the_fraction() -> None:
    recorded: list[float] = []
    part = part_of(lambda p: recorded.append(p.fraction) is None, 0.2, 0.6)
    assert all(part(Progress(Phase.SEARCH, f, "")) for f in (0.0, 0.5, 1.0))
    assert recorded == pytest.approx([0.2, 0.4, 0.6])


@pytest.mark.representative(1)
@pytest.mark.parametrize("prescribed", [True, False])
def test_planning_reports_a_fraction_that_never_falls_and_ends_at_one(prescribed: bool) -> None:
    recorded: list[Progress] = []
    request = REQUEST if prescribed else replace(REQUEST, prescription=None)
    plan(ball_scene(), request, lambda p: recorded.append(p) is None)
    fractions = [p.fraction for p in recorded]
    assert fractions == sorted(fractions) and fractions[0] == 0.0 and fractions[-1] == 1.0
    # No single step is large.
    assert max(b - a for a, b in pairwise(fractions)) < 0.5
    expected = set(Phase) - (set() if prescribed else {Phase.NEEDLES, Phase.DOSE})
    assert {p.phase for p in recorded} == expected


def test_the_time_left_extrapolates_the_time_used() -> None:
    assert time_left_s(30.0, 0.25) == pytest.approx(90.0)
    assert time_left_s(30.0, 1.0) == 0.0
    # The first moments allow no estimate.
    assert time_left_s(0.5, 0.3) is None and time_left_s(30.0, 0.01) is None


@pytest.mark.parametrize(
    ("left_s", "text"),
    [
        (0.0, "a moment left"),
        (4.9, "a moment left"),
        (23.0, "about 25 s left"),
        (89.0, "about 90 s left"),
        (150.0, "about 3 min left"),
        (3600.0, "about 60 min left"),
    ],
)
def test_the_time_left_is_rounded_to_its_accuracy(left_s: float, text: str) -> None:
    assert spoken_left(left_s) == text
