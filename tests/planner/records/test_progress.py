"""Progress: one fraction for the whole of planning, which never falls and ends at 1; and the time left."""

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


@given(told=st.lists(st.tuples(phases, st.floats(-0.5, 1.5))))
def test_whatever_phases_tell_the_whole_never_goes_back_and_ends_at_one(
    told: list[tuple[Phase, float]],
) -> None:
    seen: list[Progress] = []
    progress = PlanProgress(lambda p: seen.append(p) is None, list(Phase))
    for phase, fraction in (*told, (Phase.VERIFY, 1.0)):
        assert progress(Progress(phase, fraction, "now"))
    fractions = [p.fraction for p in seen]
    assert fractions == sorted(fractions) and fractions[0] >= 0.0 and fractions[-1] == 1.0
    places = [list(Phase).index(p.phase) for p in seen]
    assert places == sorted(places) and all(p.text == "now" for p in seen)


def test_what_is_answered_is_passed_back() -> None:
    progress = PlanProgress(lambda p: p.phase is not Phase.SEARCH, list(Phase))
    assert progress(Progress(Phase.FIELDS, 0.0, "")) and not progress(Progress(Phase.SEARCH, 0.5, ""))


@given(told=st.lists(st.tuples(phases, st.floats(0.0, 1.0))))
def test_a_phase_that_was_not_to_come_keeps_the_place(told: list[tuple[Phase, float]]) -> None:
    seen: list[Progress] = []
    few = [Phase.SEARCH, Phase.VERIFY]
    progress = PlanProgress(lambda p: seen.append(p) is None, few)
    for phase, fraction in told:
        before = seen[-1] if seen else Progress(Phase.SEARCH, 0.0, "")
        assert progress(Progress(phase, fraction, ""))
        assert phase in few or seen[-1] == before
    assert [p.fraction for p in seen] == sorted(p.fraction for p in seen)


def test_a_step_within_another_is_a_part_of_it() -> None:
    seen: list[float] = []
    part = part_of(lambda p: seen.append(p.fraction) is None, 0.2, 0.6)
    assert all(part(Progress(Phase.SEARCH, f, "")) for f in (0.0, 0.5, 1.0))
    assert seen == pytest.approx([0.2, 0.4, 0.6])


@pytest.mark.representative(1)
@pytest.mark.parametrize("prescribed", [True, False])
def test_planning_tells_one_fraction_that_never_falls_and_ends_at_one(prescribed: bool) -> None:
    seen: list[Progress] = []
    asked = REQUEST if prescribed else replace(REQUEST, prescription=None)
    plan(ball_scene(), asked, lambda p: seen.append(p) is None)
    fractions = [p.fraction for p in seen]
    assert fractions == sorted(fractions) and fractions[0] == 0.0 and fractions[-1] == 1.0
    # Nowhere does it stand still for long, nor leap.
    assert max(b - a for a, b in pairwise(fractions)) < 0.5
    wanted = set(Phase) - (set() if prescribed else {Phase.NEEDLES, Phase.DOSE})
    assert {p.phase for p in seen} == wanted


def test_the_time_left_is_what_the_rest_takes_at_the_pace_so_far() -> None:
    assert time_left_s(30.0, 0.25) == pytest.approx(90.0)
    assert time_left_s(30.0, 1.0) == 0.0
    # Of the first moments nothing follows.
    assert time_left_s(0.5, 0.3) is None and time_left_s(30.0, 0.01) is None


@pytest.mark.parametrize(
    ("left_s", "said"),
    [
        (0.0, "a moment left"),
        (4.9, "a moment left"),
        (23.0, "about 25 s left"),
        (89.0, "about 90 s left"),
        (150.0, "about 3 min left"),
        (3600.0, "about 60 min left"),
    ],
)
def test_the_time_left_is_said_as_coarsely_as_it_is_known(left_s: float, said: str) -> None:
    assert spoken_left(left_s) == said
