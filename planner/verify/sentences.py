"""Claims in words: each sentence of the plan is the one that its records and the scene call for.

Numbers are recomputed elsewhere; here the sentences are written again from them.
"""

from anatomy.scene import Scene
from planner.records import Plan
from planner.verify.claims import Claims
from planner.wording import claims_of, message_of


def check_sentences(claims: Claims, plan: Plan, scene: Scene) -> None:
    """The outcome's message, the search's claims and the notes."""
    message = message_of(
        plan.outcome.status,
        plan.request,
        plan.search,
        plan.paths,
        plan.blocked_by,
        plan.nearest_miss,
        plan.skin_source,
        plan.missing_structures,
        plan.needle_set,
        plan.dose,
    )
    claims.same("the message is the outcome's", "outcome", plan.outcome.message, message)
    proved = claims_of(plan.search, scene.surface_slack_mm)
    claims.same("what the search may claim", "search", "\n".join(plan.search.claims), "\n".join(proved))
    claims.same("notes on the input", "notes", "\n".join(plan.notes), "\n".join(scene.notes))
