"""Case of a plan: which stored case a plan was made from. A plan states its inputs by sha256, and no case."""

from planner.records import Plan
from service.problems import problem
from service.store import Store, StoredCase
from service.strict_json import FieldError


def case_of_plan(store: Store, plan: Plan, named: str | None) -> StoredCase:
    """The case of that id, or where none is named the only one with the plan's inputs.

    Raises Problem for a case that is not there or was made from other files, and where none or several fit.
    """
    if named is not None:
        return _named(store, plan, named)
    found = [stored for stored in store.cases() if _fits(stored, plan)]
    if len(found) == 1:
        return found[0]
    if not found:
        detail = "No stored case has this plan's inputs. POST /v1/cases makes one of the same files."
    else:
        ids = ", ".join(stored.record["id"] for stored in found)
        detail = f"Several stored cases have this plan's inputs: {ids}. Name the one that is meant as 'case'."
    raise problem("conflict", detail, (FieldError("/case", detail),))


def _named(store: Store, plan: Plan, case_id: str) -> StoredCase:
    if not store.has_case(case_id):
        detail = "There is no such case. POST /v1/cases makes one; leave it out to have it looked for."
        raise problem("invalid-request", f"The case is not stored. {detail}", (FieldError("/case", detail),))
    stored = store.case(case_id)
    if not _fits(stored, plan):
        detail = "The plan was made from other files than this case's. Name the plan's own case, or none."
        raise problem("conflict", detail, (FieldError("/case", detail),))
    return stored


def _fits(stored: StoredCase, plan: Plan) -> bool:
    held = {file["sha256"] for file in stored.record["description"]["inputs"]}
    return held == {file.sha256 for file in plan.inputs}
