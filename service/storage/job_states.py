"""States: where a job may stand, and what moves it on.

    queued --begin--> running --succeed--> done        what was made is in the store
       |  <---lose---    | |----fail-----> failed      a problem says why
       |                 `-----cancel----> cancelled   for good: what came too late is dropped
       `---- cancel, fail: the same ends

A running job may begin once more: its worker died, and another took over.
"""

from enum import StrEnum


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Transition(StrEnum):
    """What may happen to a job."""

    BEGIN = "begin"
    LOSE = "lose"
    SUCCEED = "succeed"
    FAIL = "fail"
    CANCEL = "cancel"


OPEN = (State.QUEUED, State.RUNNING)
"""States that do not last."""

FINAL = (State.DONE, State.FAILED, State.CANCELLED)
"""States that do."""

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
    """The states in which it may happen."""
    return _MAY_HAPPEN[transition]


def state_after(transition: Transition) -> State:
    """The state that it leads to, wherever it may happen."""
    return _LEADS_TO[transition]
