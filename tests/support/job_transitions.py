"""Every state of a job with every event: where it leads, or that it is refused."""

from service.storage.job_states import FINAL, State, Transition

TABLE = {
    (State.QUEUED, Transition.BEGIN): State.RUNNING,
    (State.QUEUED, Transition.LOSE): None,
    (State.QUEUED, Transition.SUCCEED): None,
    (State.QUEUED, Transition.FAIL): State.FAILED,
    (State.QUEUED, Transition.CANCEL): State.CANCELLED,
    (State.RUNNING, Transition.BEGIN): State.RUNNING,
    (State.RUNNING, Transition.LOSE): State.QUEUED,
    (State.RUNNING, Transition.SUCCEED): State.DONE,
    (State.RUNNING, Transition.FAIL): State.FAILED,
    (State.RUNNING, Transition.CANCEL): State.CANCELLED,
} | {(state, happening): None for state in FINAL for happening in Transition}
"""Where each happening leads from each state; None where it must not happen."""
