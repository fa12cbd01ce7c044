"""The table of what may become of a job: complete, and as the drawing in service.storage.job_states says."""

import pytest
from job_transitions import TABLE

from service.storage.job_states import FINAL, OPEN, State, Transition, state_after, states_before


def test_the_table_is_complete() -> None:
    assert set(TABLE) == {(state, happening) for state in State for happening in Transition}
    assert {*OPEN, *FINAL} == set(State) and not {*OPEN} & {*FINAL}


@pytest.mark.parametrize(("state", "happening"), TABLE)
def test_each_entry(state: State, happening: Transition) -> None:
    to = state_after(happening) if state in states_before(happening) else None
    assert to == TABLE[state, happening]
