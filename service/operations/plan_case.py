"""Plan a case: make its scene, plan and verify within the time limit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anatomy.scene import Scene
from planner.records.plan import Plan
from planner.records.progress import GoOn, Progress
from planner.records.request.request import Request
from service.operations.case import Case
from service.operations.open_case import open_scene
from service.operations.plan_scene import refuse_unverified
from service.operations.time_limit import go_on_until

if TYPE_CHECKING:
    from planner.records.plan import PlanningResult


@dataclass(frozen=True, eq=False)
class Planned:
    """A planning, and the scene it was made for."""

    scene: Scene
    planning: "PlanningResult"

    @property
    def plan(self) -> Plan:
        """The plan, verified."""
        return self.planning.plan


def plan_case(
    case: Case,
    request: Request,
    report: Callable[[Progress], None],
) -> Planned:
    """Read, set the scene, plan and verify. The request's time limit counts from when planning begins.

    Raises AnatomyError for bad input, and Unverified.
    """
    scene, resolved = open_scene(case, request)
    # It takes long to load: an input that cannot be read is refused before.
    from planner.plan import plan

    go_on: GoOn = go_on_until(resolved.search.time_limit_s, report)
    planning = plan(scene, resolved, go_on)
    refuse_unverified("The plan", planning.plan.verification)
    return Planned(scene, planning)
