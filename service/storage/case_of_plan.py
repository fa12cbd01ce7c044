"""Case of a plan: the case that a plan is compared with: one it was made from, or one with the same files."""

from collections import Counter

from planner.records.plan import Plan
from service.operations.input_matching import exchanged
from service.schemas.result_kinds import ResultKind
from service.storage.errors import NoSuchCase, NotHeld, OtherFiles, SeveralCases
from service.storage.file_store import StoredCase
from service.storage.library import Library


def case_of_plan(library: Library, owner: str, plan: Plan, plan_id: str, case_id: str | None) -> StoredCase:
    """The case of that id, or where none is named the only one that the plan was made from.

    Raises CaseMismatch for a case that is not there or was made from other files, and where several fit.
    """
    if case_id is not None:
        return _named(library, owner, plan, case_id)
    made_from = library.cases_of(owner, ResultKind.PLAN, plan_id)
    if len(made_from) == 1:
        return library.stored(made_from[0])
    raise SeveralCases(made_from)


def _named(library: Library, owner: str, plan: Plan, case_id: str) -> StoredCase:
    try:
        stored = library.case(owner, case_id)
    except NotHeld:
        raise NoSuchCase from None
    if not is_made_from(plan, stored):
        raise OtherFiles
    return stored


def is_made_from(plan: Plan, stored: StoredCase) -> bool:
    """Whether a plan was made from the files of a case, each under its name. Raises DamagedInStore for a
    case of which it is not kept what was read in it."""
    inputs = stored.description["inputs"]
    claimed = Counter((file.sha256, file.axes) for file in plan.inputs)
    if Counter((file["sha256"], file.get("axes")) for file in inputs) != claimed:
        return False
    names = ([(f.sha256, f.name) for f in plan.inputs], [(file["sha256"], file["name"]) for file in inputs])
    return exchanged(*names) is None
