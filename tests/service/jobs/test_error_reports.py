"""Each error of a layer below the web has its own problem, whose text says what to do."""

from pathlib import Path

import pytest

from anatomy.errors import ReadError
from service.host.damaged_file import CASE_REMEDY, DamagedFile
from service.host.errors import ServiceError, UnusableUpload
from service.jobs import errors as jobs
from service.jobs.error_reports import report_of
from service.problems import KINDS, Report
from service.schemas.result_kinds import CASE
from service.storage import errors as storage
from service.web.problem_answers import Problem, problem_of

EXAMPLES: list[tuple[ServiceError, str, str]] = [
    (storage.NotHeld(CASE), "not-found", "POST /v1/cases"),
    (storage.NotHeld("plans"), "not-found", "no such plan"),
    (storage.NotHeld("evaluations"), "not-found", "no such evaluation"),
    (storage.NotHeld("replans"), "not-found", "no such replanning"),
    (storage.NoAccessMap(), "not-found", "POST to the case's plans"),
    (storage.InUse(CASE), "conflict", "works on this case. Cancel it"),
    (storage.InUse("plans"), "conflict", "works on this plan. Cancel it"),
    (storage.DamagedInStore("cases/a/file/ct.nii", "it is missing", "POST it again."), "damaged", "POST"),
    (storage.UnreadablePlan("ab", "its file is damaged", "Make it again.", True), "damaged", "POST"),
    (storage.UnreadablePlan("ab", "it is of version 0", "Make it again.", False), "conflict", "POST"),
    (storage.SeveralCases(("a", "b")), "conflict", "a, b. Name the one"),
    (storage.NoSuchCase(), "invalid-request", "leave it out"),
    (storage.OtherFiles(), "conflict", "Name the plan's own case"),
    (storage.TooLarge(3 << 20, 2 << 20), "limit-reached", "3 MiB, and 2 MiB can be kept. Ask for less."),
    (storage.QuotaExceeded(1 << 20), "no-room", "1.0 MiB"),
    (storage.NoRoom(), "no-room", "Cancelling jobs"),
    (jobs.NoSuchJob(), "not-found", "no such job"),
    (jobs.TooManyOpen(), "busy", "Cancel some"),
    (jobs.TooManyOpenOfOwner(2), "too-many-requests", "2"),
    (jobs.KeyReused(), "key-reused", "Send a new key"),
    (jobs.InputsRemoved(), "not-found", "removed meanwhile"),
    (jobs.UnusableInput(ReadError("ct", "it is cut", "Copy it."), Path("/x")), "unusable-input", "Copy it."),
    (UnusableUpload("file", "it is no zip."), "malformed-upload", "file: it is no zip."),
    (UnusableUpload("file", "it is long.", is_too_large=True), "too-large", "file: it is long."),
    (jobs.LimitReached("It took more than 2 s."), "limit-reached", "Ask for less"),
    (jobs.WorkFailed("Reading"), "failed", "log"),
    (jobs.TooManyWaiting("Reading", 1), "too-many-requests", "Wait"),
    (jobs.ServiceEnds("Reading"), "unavailable", "Try again later"),
]
"""An error of each class, the kind of its problem, and a part of its detail text."""


def leaf_classes(error_class: type[ServiceError]) -> set[type[ServiceError]]:
    subclasses = error_class.__subclasses__()
    return set().union(*map(leaf_classes, subclasses)) if subclasses else {error_class}


def test_every_error_class_has_a_problem() -> None:
    # Problem itself is raised in the web layer.
    assert {type(error) for error, _, _ in EXAMPLES} == leaf_classes(ServiceError) - {Problem}


@pytest.mark.parametrize(("error", "kind", "message"), EXAMPLES)
def test_an_error_is_answered_as_its_kind_of_problem(error: ServiceError, kind: str, message: str) -> None:
    report = report_of(error)
    assert report.kind == kind and message in report.detail
    assert report.detail.endswith(".") and str(error)
    headers = problem_of(error).headers
    assert ("Retry-After" in headers) == (KINDS[kind].status == 503 or isinstance(error, jobs.TooManyWaiting))


def test_a_problem_is_answered_unchanged() -> None:
    problem = Problem(Report("not-found", "There is no such page."))
    assert problem_of(problem) is problem


def test_a_damaged_file_of_the_store_is_reported_as_damage() -> None:
    damaged_file = DamagedFile("cases/a/file/ct.nii", "it is missing", CASE_REMEDY)
    assert report_of(jobs.UnusableInput(damaged_file, Path("/x"))).kind == "damaged"
