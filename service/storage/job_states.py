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


class Happening(StrEnum):
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
    Happening.BEGIN: State.RUNNING,
    Happening.LOSE: State.QUEUED,
    Happening.SUCCEED: State.DONE,
    Happening.FAIL: State.FAILED,
    Happening.CANCEL: State.CANCELLED,
}

_MAY_HAPPEN = {
    Happening.BEGIN: OPEN,
    Happening.LOSE: (State.RUNNING,),
    Happening.SUCCEED: (State.RUNNING,),
    Happening.FAIL: OPEN,
    Happening.CANCEL: OPEN,
}


def may_happen_in(happening: Happening) -> tuple[State, ...]:
    """The states in which it may happen."""
    return _MAY_HAPPEN[happening]


def leads_to(happening: Happening) -> State:
    """The state that it leads to, wherever it may happen."""
    return _LEADS_TO[happening]
