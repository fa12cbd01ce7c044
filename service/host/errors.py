"""Errors of the service's layers: what cannot be done, as values.

Each layer raises its own. None of them knows HTTP: `service.jobs.error_reports` says what is answered, and
`service.web.problem_answers` answers it.

ServiceError
|-- StorageError    files, rows and limits of what is kept (service.storage.errors)
|-- JobError        accepted work, and work at a sandboxed process (service.jobs.errors)
|-- Problem         what is wrong with an HTTP request (service.web.problem_answers)
`-- UnusableUpload  a part of an upload cannot be used

The command line has two more, which are never answered over HTTP:

BadFile             JSON of the user's, in a file or an option, cannot be used
Unverified          what was made does not pass its verification
"""

from dataclasses import dataclass


class ServiceError(Exception):
    """What a layer of the service cannot do."""


@dataclass(eq=False)
class UnusableUpload(ServiceError):
    """A part of an upload cannot be used: `reason` says why."""

    part: str
    reason: str
    is_too_large: bool = False

    def __str__(self) -> str:
        return f"{self.part}: {self.reason}"


class BadFile(ValueError):
    """JSON of the user's, in a file or an option, that cannot be used."""


class Unverified(Exception):
    """A plan, or what is said of an implant, did not pass its verification: a fault of this software, so it
    does not leave it."""
