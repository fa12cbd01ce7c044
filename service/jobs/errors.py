"""Errors of accepted work, and of work at sandboxed processes.

JobError
|-- NoSuchJob           the owner has no job of that id
|-- TooManyOpen         all owners together have as many open jobs as allowed
|-- TooManyOpenOfOwner  this owner has
|-- KeyReused           an Idempotency-Key came with another request before
|-- InputsRemoved       the case or the plan was removed meanwhile
`-- WorkError           work that came to no result
    |-- UnusableInput   the case's files, or what is asked of them, cannot be used
    |-- LimitReached    it took more time or memory than allowed
    |-- WorkFailed      it failed by a fault of this software
    |-- TooManyWaiting  as many of this owner wait as allowed
    `-- ServiceEnds     the service ends
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from anatomy.errors import AnatomyError
from service.host.errors import ServiceError


class JobError(ServiceError):
    """A job or a piece of work that cannot be taken, found or done."""


class NoSuchJob(JobError):
    """There is no job of that id, or it is another owner's."""

    def __str__(self) -> str:
        return "There is no such job."


class TooManyOpen(JobError):
    """As many jobs wait as allowed."""

    def __str__(self) -> str:
        return "Too many jobs wait."


@dataclass(eq=False)
class TooManyOpenOfOwner(JobError):
    """As many jobs of one owner wait or run as allowed: `open_jobs`."""

    open_jobs: int

    def __str__(self) -> str:
        return f"Open jobs of this owner: {self.open_jobs}, and no more are allowed."


class KeyReused(JobError):
    """An Idempotency-Key came with another request before."""

    def __str__(self) -> str:
        return "This Idempotency-Key came with another request before."


class InputsRemoved(JobError):
    """The case, or the plan, of an order is not there any more."""

    def __str__(self) -> str:
        return "The case, or the plan, was removed meanwhile."


class WorkError(JobError):
    """Work that came to no result."""


@dataclass(eq=False)
class UnusableInput(WorkError):
    """The files of a case, or what is asked of them, cannot be used.

    `folder` is where the files are, `parts` tells which part of the upload a file's name belongs to, and
    `request_at` is the JSON pointer to the request in the body.
    """

    error: AnatomyError
    folder: Path
    parts: Mapping[str, str] = field(default_factory=dict)
    request_at: str = ""

    def __str__(self) -> str:
        return str(self.error)


@dataclass(eq=False)
class LimitReached(WorkError):
    """Work took more time or memory than allowed."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class WorkFailed(WorkError):
    """Work failed by a fault of this software."""

    what: str

    def __str__(self) -> str:
        return f"{self.what} failed."


@dataclass(eq=False)
class TooManyWaiting(WorkError):
    """As much work of one owner waits as allowed."""

    what: str
    retry_after_s: int

    def __str__(self) -> str:
        return f"{self.what}: as many of this owner wait as may."


@dataclass(eq=False)
class ServiceEnds(WorkError):
    """The service ends, and takes no more work."""

    what: str

    def __str__(self) -> str:
        return f"{self.what}: the service ends."
