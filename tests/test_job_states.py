"""The table of what may become of a job: complete, and as the drawing in service.jobs.states says."""

import pytest

from service.jobs.states import FINAL, OPEN, Happening, State, leads_to, may_happen_in

TABLE = {
    (State.QUEUED, Happening.BEGIN): State.RUNNING,
    (State.QUEUED, Happening.LOSE): None,
    (State.QUEUED, Happening.SUCCEED): None,
    (State.QUEUED, Happening.FAIL): State.FAILED,
    (State.QUEUED, Happening.CANCEL): State.CANCELLED,
    (State.RUNNING, Happening.BEGIN): State.RUNNING,
    (State.RUNNING, Happening.LOSE): State.QUEUED,
    (State.RUNNING, Happening.SUCCEED): State.DONE,
    (State.RUNNING, Happening.FAIL): State.FAILED,
    (State.RUNNING, Happening.CANCEL): State.CANCELLED,
} | {(state, happening): None for state in FINAL for happening in Happening}
"""Where each happening leads from each state; None where it must not happen."""


def test_the_table_is_complete() -> None:
    assert set(TABLE) == {(state, happening) for state in State for happening in Happening}
    assert {*OPEN, *FINAL} == set(State) and not {*OPEN} & {*FINAL}


@pytest.mark.parametrize(("state", "happening"), TABLE)
def test_each_entry(state: State, happening: Happening) -> None:
    to = leads_to(happening) if state in may_happen_in(happening) else None
    assert to == TABLE[state, happening]
