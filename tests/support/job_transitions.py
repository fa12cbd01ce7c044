"""Every state of a job with every event: where it leads, or that it is refused."""

from service.storage.job_states import FINAL, Happening, State

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
