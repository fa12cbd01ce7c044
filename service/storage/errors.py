"""Errors of storage: what is not there, not whole, in use, or too much.

StorageError
|-- NotHeld            the owner holds no case or result of that id
|-- NoAccessMap        the plan has no skin access map
|-- InUse              an open job works on what is to be removed
|-- DamagedInStore     a kept file is not what was written
|-- UnreadablePlan     a kept plan cannot be read by this version
|-- CaseMismatch       a case is not the one that a plan was made from
|   |-- SeveralCases   the plan was made from several, and none is named
|   |-- NoSuchCase     the case that is named is not there
|   `-- OtherFiles     the case that is named has other files
|-- TooLarge           a result is larger than the store reads again
|-- QuotaExceeded      the owner keeps as much as allowed
`-- NoRoom             the disk is full except for the reserve for records

A database that is away, or damaged, is not a StorageError, so that code that waits for it can tell the
difference.

Unavailable            the database is away
`-- DamagedDatabase    its file is there and cannot be read
"""

from dataclasses import dataclass

from service.host.errors import ServiceError
from service.schemas.result_kinds import NOUNS


class StorageError(ServiceError):
    """Storage does not have it, or cannot take it."""


@dataclass(eq=False)
class NotHeld(StorageError):
    """There is no case or result of that id, or another owner's: both look alike from outside."""

    kind: str

    def __str__(self) -> str:
        return f"There is no such {NOUNS[self.kind]}."


class NoAccessMap(StorageError):
    """The plan was made without a skin access map."""

    def __str__(self) -> str:
        return "There is no map of this plan: it was made while needles were in, or to add to an implant."


@dataclass(eq=False)
class InUse(StorageError):
    """An open job of the owner works on it."""

    kind: str

    def __str__(self) -> str:
        return f"A job works on this {NOUNS[self.kind]}."


@dataclass(eq=False)
class DamagedInStore(StorageError):
    """A kept file is not what was written: its place in the data folder, what is wrong, and the way out."""

    place: str
    value: str
    remedy: str

    def __str__(self) -> str:
        return f"The file {self.place} in the service's data folder is damaged: {self.value}. {self.remedy}"


@dataclass(eq=False)
class UnreadablePlan(StorageError):
    """A kept plan is damaged, or was written by another version."""

    plan_id: str
    value: str
    remedy: str
    is_damaged: bool

    def __str__(self) -> str:
        return f"The plan {self.plan_id} cannot be read back: {self.value}. {self.remedy}"


class CaseMismatch(StorageError):
    """A case cannot stand for the one that a plan was made from."""


@dataclass(eq=False)
class SeveralCases(CaseMismatch):
    """The plan was made from several cases."""

    case_ids: tuple[str, ...]

    def __str__(self) -> str:
        return f"The plan was made from several cases: {', '.join(self.case_ids)}."


class NoSuchCase(CaseMismatch):
    """The case that was named is not there."""

    def __str__(self) -> str:
        return "The case is not stored."


class OtherFiles(CaseMismatch):
    """The case that was named has other files than the plan was made from."""

    def __str__(self) -> str:
        return "The plan was made from other files than this case's."


@dataclass(eq=False)
class TooLarge(StorageError):
    """A result is larger than the store reads again. [bytes]"""

    size_bytes: int
    most_bytes: int

    def __str__(self) -> str:
        return (
            f"What was made takes {self.size_bytes >> 20} MiB, and {self.most_bytes >> 20} MiB can be kept."
        )


@dataclass(eq=False)
class QuotaExceeded(StorageError):
    """The owner would keep more than allowed. [bytes]"""

    most_bytes: int

    def __str__(self) -> str:
        return f"An owner may keep {self.most_bytes / (1 << 20):,.1f} MiB. This is more."


class NoRoom(StorageError):
    """The disk is full except for the reserve for records."""

    def __str__(self) -> str:
        return "The service's disk is full but for what is kept back for its records."


class Unavailable(Exception):
    """The database is away, and stayed so for as long as was waited for it."""

    @property
    def reason(self) -> str:
        """What the driver said, for those who run the service; empty where it said nothing."""
        return "" if self.__cause__ is None else driver_text(self.__cause__)


class DamagedDatabase(Unavailable):
    """The database's file is there, and is none that can be read: waiting does not help."""


def driver_text(error: BaseException) -> str:
    """The first line of what a driver said. Drivers repeat no password."""
    return str(getattr(error, "orig", error)).strip().partition("\n")[0]
