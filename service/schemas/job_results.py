"""Job results: the stored texts of plans, evaluations and replannings."""

from planner.records.followup import Evaluation, Replanned
from planner.records.plan import Plan, PlanningResult, SkinAccess
from service.schemas.plan.file import plan_sha256, write_plan
from service.schemas.plan.followup_file import write_evaluation, write_replanned
from service.schemas.plan_summary import summary_text
from service.schemas.result_kinds import ResultKind
from service.schemas.result_text import JobResult, sha256_of
from service.schemas.skin_access import write_access


def planning_result(planning: PlanningResult) -> JobResult:
    """A plan, with its skin access map."""
    return plan_result(planning.plan, planning.access)


def plan_result(plan: Plan, access: SkinAccess | None = None) -> JobResult:
    """A plan."""
    id = plan_sha256(plan)
    access_map = None if access is None else write_access(id, access)
    return JobResult(ResultKind.PLAN, id, write_plan(plan), access=access_map, summary=summary_text(plan))


def evaluation_result(evaluation: Evaluation) -> JobResult:
    """An evaluation, with its supplement if it has one."""
    text, supplement = write_evaluation(evaluation), evaluation.supplement
    return JobResult(
        ResultKind.EVALUATION, sha256_of(text), text, None if supplement is None else plan_result(supplement)
    )


def replan_result(replanned: Replanned) -> JobResult:
    """A replanning, with its plan."""
    text = write_replanned(replanned)
    return JobResult(ResultKind.REPLAN, sha256_of(text), text, plan_result(replanned.plan))
