"""Error reports: what is answered about each error of a layer below, as a problem's values.

The worker writes it into its job, the web answers it. These sentences are part of the documented answers, and
are written here alone, from the errors' values.
"""

from collections.abc import Mapping
from pathlib import Path

from anatomy.errors import MAX_FIELD_LENGTH, AnatomyError, shortened
from planner.records.wording.number_text import counted
from service.host.damaged_file import DamagedFile
from service.host.disk_errors import NO_ROOM
from service.host.errors import ServiceError, UnusableUpload
from service.jobs import errors as jobs
from service.problems import Report
from service.schemas import result_kinds
from service.schemas.json.strict import FieldError, pointer
from service.settings import MIB
from service.storage import errors as storage


def report_of(error: ServiceError) -> Report:
    """What is answered about an error of storage, of the job table, or of work."""
    if isinstance(error, storage.StorageError):
        return _of_storage(error)
    if isinstance(error, UnusableUpload):
        kind = "too-large" if error.is_too_large else "malformed-upload"
        return Report(kind, f"{error}", (FieldError(pointer((error.part,)), error.reason),))
    assert isinstance(error, jobs.JobError)
    return _of_job(error)


def _of_storage(error: storage.StorageError) -> Report:
    match error:
        case storage.NotHeld(kind=result_kinds.CASE):
            return Report("not-found", f"{error} POST /v1/cases makes one.")
        case storage.NotHeld():
            return Report("not-found", f"{error}")
        case storage.NoAccessMap():
            return Report("not-found", f"{error} POST to the case's plans makes plans with maps.")
        case storage.InUse():
            return Report("conflict", f"{error} Cancel it first, or wait for its end.")
        case storage.DamagedInStore():
            return Report("damaged", f"{error}")
        case storage.UnreadablePlan():
            kind = "damaged" if error.is_damaged else "conflict"
            fault = f"The plan /v1/plans/{error.plan_id} cannot be read back: {error.value}. {error.remedy}"
            return Report(kind, f"{fault} POST the same request to its case's plans, which writes it again.")
        case storage.SeveralCases():
            return _of_case_field("conflict", f"{error} Name the one meant as 'case'.")
        case storage.NoSuchCase():
            remedy = (
                "There is no such case. POST /v1/cases makes one; leave it out to let the service find it."
            )
            return Report("invalid-request", f"{error} {remedy}", (FieldError("/case", remedy),))
        case storage.OtherFiles():
            return _of_case_field("conflict", f"{error} Name the plan's own case, or none.")
        case storage.TooLarge():
            return Report("limit-reached", f"{error} Ask for less.")
        case storage.QuotaExceeded():
            most = f"{error.most_bytes / MIB:,.1f} MiB"
            detail = f"An owner may keep {most}. This is more: remove cases or results first."
            return Report("no-room", detail)
        case storage.NoRoom():
            makes_room = "Cancelling jobs and removing cases and results works, and makes room"
            return Report("no-room", f"{error} {makes_room}; the operator of the service can make more.")
    raise AssertionError(type(error))


def _of_case_field(kind: str, detail: str) -> Report:
    return Report(kind, detail, (FieldError("/case", detail),))


def _of_job(error: jobs.JobError) -> Report:
    match error:
        case jobs.NoSuchJob() | jobs.InputsRemoved():
            return Report("not-found", f"{error}")
        case jobs.TooManyOpen():
            return Report("busy", f"{error} Cancel some, or try again later.")
        case jobs.TooManyOpenOfOwner():
            wait = "waits or runs" if error.open_jobs == 1 else "wait or run"
            own = f"{counted(error.open_jobs, 'job')} of this owner {wait}, and no more may."
            return Report("too-many-requests", f"{own} Cancel one, or wait.")
        case jobs.KeyReused():
            return Report("key-reused", f"{error} Send a new key for a new request.")
        case jobs.UnusableInput():
            return input_report(error.error, error.folder, error.parts, error.request_at)
        case jobs.LimitReached():
            return Report("limit-reached", f"{error} Ask for less, or have the limit raised.")
        case jobs.WorkFailed():
            return Report("failed", f"{error} The service's log says more.")
        case jobs.TooManyWaiting():
            return Report("too-many-requests", f"{error} Wait for their answers, then ask.")
        case jobs.ServiceEnds():
            return Report("unavailable", f"{error} Try again later.")
    raise AssertionError(type(error))


def damage_report(error: DamagedFile) -> Report:
    """What is answered about a file of the store that is not what was written."""
    return _of_storage(storage.DamagedInStore(error.field, error.value, error.remedy))


def input_report(error: AnatomyError, folder: Path, parts: Mapping[str, str], request_at: str = "") -> Report:
    """What is wrong with a case in `folder`, or with what is asked of it.

    `parts` says which part of the upload a file's name belongs to, `request_at` where in the body the request
    stands. A companion of the input is a part of the form. A path of this machine leaves no error: the folder
    is cut from texts. A damaged file of the store is not a fault of the case.
    """
    if isinstance(error, DamagedFile):
        return damage_report(error)
    where, value, remedy = (
        text.replace(f"{folder}/", "").replace(str(folder), "the input")
        for text in (error.field, error.value, error.remedy_by("the part '{}'".format))
    )
    wrong, whole = f"{value}. {remedy}", f"{where}: {value}. {remedy}"
    if error.request_path is None:
        return Report("unusable-input", whole, (FieldError(f"/{parts.get(where, 'file')}", whole),))
    at = request_at + shortened(pointer(error.request_path), MAX_FIELD_LENGTH)
    return Report("unusable-input", whole, (FieldError(at, wrong),))


def disk_report(error: OSError) -> Report:
    """What is answered where a disk could not be read or written."""
    if error.errno in NO_ROOM:
        return Report("no-room", "The service's disk is full, or cannot be written.")
    return Report("failed", "The service failed unexpectedly. Its log says more.")
