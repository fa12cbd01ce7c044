"""A plan that holds nothing yet: what a test needs of a plan, it replaces."""

from planner import SOFTWARE
from planner.records.plan import NO_OUTCOME, SCHEMA, Plan
from planner.records.request.request import Request
from planner.records.search import Proof, SearchReport

COMPLETE = SearchReport(1000, 10, 0, 2.0, True, 0.0, None, 0.0, Proof.NONE_STAYS_SAFE, ())
"""A search to the end that found no safe line."""

BARE_PLAN = Plan(
    schema=SCHEMA,
    software=SOFTWARE,
    frame="LPS",
    inputs=(),
    request=Request(),
    roles=(),
    skin_structures=("body",),
    skin_source="Skin is the surface of body.",
    missing_structures=(),
    notes=(),
    outcome=NO_OUTCOME,
    search=COMPLETE,
    paths=(),
    windows=(),
    blocked_by=(),
    nearest_miss=None,
    needle_set=None,
    dose=None,
    robustness=None,
    verification=None,
)
