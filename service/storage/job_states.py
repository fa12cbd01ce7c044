"""States of a job, and the transitions between them.

    queued --begin--> running --succeed--> done        the result is in the store
       |  <---lose---    | |----fail-----> failed      a problem says why
       |                 `-----cancel----> cancelled   final: later reports are ignored
       `---- cancel, fail: the same ends

A running job may begin again: its worker died, and another one took over.
"""

from enum import StrEnum


class State(StrEnum):
    """The state of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Transition(StrEnum):
    """What can happen to a job."""

    BEGIN = "begin"
    LOSE = "lose"
    SUCCEED = "succeed"
    FAIL = "fail"
    CANCEL = "cancel"


OPEN = (State.QUEUED, State.RUNNING)
"""States that are not final."""

FINAL = (State.DONE, State.FAILED, State.CANCELLED)
"""States that are."""

_LEADS_TO = {
    Transition.BEGIN: State.RUNNING,
    Transition.LOSE: State.QUEUED,
    Transition.SUCCEED: State.DONE,
    Transition.FAIL: State.FAILED,
    Transition.CANCEL: State.CANCELLED,
}

_MAY_HAPPEN = {
    Transition.BEGIN: OPEN,
    Transition.LOSE: (State.RUNNING,),
    Transition.SUCCEED: (State.RUNNING,),
    Transition.FAIL: OPEN,
    Transition.CANCEL: OPEN,
}


def states_before(transition: Transition) -> tuple[State, ...]:
    """The states in which the transition is allowed."""
    return _MAY_HAPPEN[transition]


def state_after(transition: Transition) -> State:
    """The state after the transition."""
    return _LEADS_TO[transition]
