"""Silence of workers as a repeated observer measures it: by its own clock, and only while it observes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.jobs.liveness.heartbeat_tracker import MOST_GAP_S, HeartbeatTracker


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_any_change_of_the_value_is_a_heartbeat() -> None:
    clock = Clock()
    tracker = HeartbeatTracker(clock)
    for beat in (5.0, 4.0, -1e9, 1e9):
        clock.now += 1.0
        assert tracker.update({"a": beat})["a"].silent_s == 0.0
    for second in range(1, 5):
        clock.now += 1.0
        state = tracker.update({"a": 1e9})["a"]
        assert state.silent_s == state.watched_s == second


def test_an_hour_without_a_look_counts_as_one_gap_only() -> None:
    clock = Clock()
    tracker = HeartbeatTracker(clock)
    tracker.update({"a": 1})
    clock.now += 3600.0
    state = tracker.update({"a": 1})["a"]
    assert state.silent_s == 3600.0 and state.watched_s == MOST_GAP_S


def test_a_removed_worker_is_forgotten() -> None:
    clock = Clock()
    tracker = HeartbeatTracker(clock)
    tracker.update({"a": 1})
    tracker.update({})
    clock.now += 100.0
    assert tracker.update({"a": 1})["a"].silent_s == 0.0


@given(st.lists(st.tuples(st.floats(0.0, 1e4), st.booleans()), min_size=1, max_size=50))
@example([(1e4, True)] * 40 + [(1e-6, False)])
def test_watched_time_is_the_observed_part_of_the_silence(looks: list[tuple[float, bool]]) -> None:
    clock = Clock()
    tracker = HeartbeatTracker(clock)
    tracker.update({"a": 0})
    beat = silent_s = watched_s = 0.0
    for gap_s, has_beat in looks:
        clock.now += gap_s
        beat += has_beat
        silent_s, watched_s = (
            (0.0, 0.0) if has_beat else (silent_s + gap_s, watched_s + min(gap_s, MOST_GAP_S))
        )
        state = tracker.update({"a": beat})["a"]
        assert state.silent_s == pytest.approx(silent_s, abs=1e-6)
        # The clock reads up to 5e5 s, of which 1e-6 s is a small part.
        assert state.watched_s == pytest.approx(watched_s, abs=1e-6)
        assert state.watched_s <= state.silent_s + 1e-6
