"""Plan model: a plan's JSON. The planner's records are its schema; this module has the parts with another
form in JSON.

Frame P (LPS), mm, degrees where named.
"""

from typing import Annotated, Literal

from pydantic.dataclasses import dataclass

from anatomy.structures import InputDigest, Role
from planner.records.plan import Plan
from planner.records.request.request import Request
from service.schemas.json.records import STRICT, ReadAs
from service.schemas.plan.fields import Sha256
from service.schemas.request.model import PlanRequest


@dataclass(frozen=True, config=STRICT)
class InputModel(InputDigest):
    """An input file: its name without folder, its sha256, and for a surface the axes in which its numbers
    were read."""

    sha256: Sha256
    axes: Literal["lps", "ras"] | None = None


def _pairs(roles: dict[str, Role]) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(role)) for name, role in roles.items())


@dataclass(frozen=True, config=STRICT)
class PlanModel(Plan):
    """A plan, as in files and in answers of the service."""

    schema: Literal["seedpath.plan/3"]
    plan_sha256: Sha256
    inputs: tuple[Annotated[InputDigest, ReadAs(InputModel)], ...]
    frame: Literal["LPS"]
    request: Annotated[Request, ReadAs(PlanRequest, PlanRequest.to_request)]
    roles: Annotated[tuple[tuple[str, str], ...], ReadAs(dict[str, Role], _pairs)]
