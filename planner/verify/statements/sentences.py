"""Claims in words: each sentence of the plan is the one that its records and the scene call for.

Numbers are recomputed elsewhere; here the sentences are written again from them.
"""

from anatomy.patient.notes import skin_text
from anatomy.scene import Scene
from planner.records.plan import Plan
from planner.records.wording.implant import notes_on_ptv
from planner.records.wording.outcome_message import message_of
from planner.records.wording.search_claims import claims_of
from planner.records.wording.set_claims import set_claims
from planner.records.wording.windows import window_text
from planner.verify.claims import Claims
from planner.verify.dose.goals import GOAL_NAMES
from planner.verify.needle_set.ptv import beyond_view_mm


def check_sentences(claims: Claims, plan: Plan, scene: Scene) -> None:
    """The outcome's message, where the skin comes from, the claims of search and set, and the notes."""
    _check_message(claims, plan)
    claims.same("where the skin comes from", "skin", plan.skin_source, skin_text(scene.skin_structures))
    proved = claims_of(plan.search, scene.missing)
    claims.same("what the search may claim", "search", "\n".join(plan.search.claims), "\n".join(proved))
    for window in plan.windows:
        claims.same("the window's name", f"window {window.id}", window.name, window_text(window.place))
    _check_set(claims, plan, scene)
    claims.same("notes on the input", "notes", "\n".join(plan.notes), "\n".join(_notes(plan, scene)))


def _notes(plan: Plan, scene: Scene) -> tuple[str, ...]:
    """The scene's, and what the margin around the target calls for where a dose is prescribed."""
    if plan.request.prescription is None:
        return scene.notes
    return (*scene.notes, *notes_on_ptv(beyond_view_mm(scene, plan.request.target.margin_mm)))


def _check_set(claims: Claims, plan: Plan, scene: Scene) -> None:
    """What is proved of the set, then what is wrong with what was given."""
    if plan.needle_set is None:
        return
    written = set_claims(plan.needle_set, plan.paths, scene.missing)
    stated = "\n".join(plan.needle_set.claims)
    claims.same("what the set may claim", "needle set", stated, "\n".join(written))


def _check_message(claims: Claims, plan: Plan) -> None:
    goal_names = set() if plan.dose is None else {goal.name for goal in plan.dose.goals}
    unknown = ", ".join(sorted(goal_names - set(GOAL_NAMES))) or "none"
    claims.same("goals with an unknown name", "outcome", "none", unknown)
    if unknown != "none":
        return
    claims.same("the message is the outcome's", "outcome", plan.outcome.message, message_of(plan))
