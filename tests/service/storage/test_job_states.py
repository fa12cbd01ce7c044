"""The table of job transitions: complete, and equal to the drawing in service.storage.job_states."""

import pytest
from job_transitions import TABLE

from service.storage.job_states import FINAL, OPEN, State, Transition, state_after, states_before


def test_the_table_is_complete() -> None:
    assert set(TABLE) == {(state, transition) for state in State for transition in Transition}
    assert {*OPEN, *FINAL} == set(State) and not {*OPEN} & {*FINAL}


@pytest.mark.parametrize(("state", "transition"), TABLE)
def test_each_entry_of_the_table(state: State, transition: Transition) -> None:
    next_state = state_after(transition) if state in states_before(transition) else None
    assert next_state == TABLE[state, transition]
