"""Claims on what the plan was made from: format, frame, input bytes, roles, target, pose and skin."""

from anatomy.scene import Scene
from anatomy.structures import Role
from planner.records.plan import SCHEMA, Plan
from planner.verify.claims import Claims
from planner.verify.tolerances import LENGTH_MM, TURN

FRAME = "LPS"
DERIVE = "derive"


def check_inputs(claims: Claims, plan: Plan, scene: Scene) -> None:
    """All claims of this module."""
    claims.same("schema", "plan", plan.schema, SCHEMA)
    claims.same("frame", "plan", plan.frame, FRAME)
    _check_digests(claims, plan, scene)
    _check_roles(claims, plan, scene)
    _check_pose(claims, plan, scene)
    claimed, found = (", ".join(of.skin_structures) or "guessed" for of in (plan, scene))
    claims.same("structures whose surface the skin is", "skin", claimed, found)
    slack_mm = plan.search.surface_slack_mm
    claims.equal("voxels beyond surfaces", "search", slack_mm, scene.surface_slack_mm, LENGTH_MM)
    missing = ", ".join(sorted(scene.missing))
    claims.same("organs missing", "input", ", ".join(sorted(plan.missing_structures)), missing)


def _check_digests(claims: Claims, plan: Plan, scene: Scene) -> None:
    """The same files, by name and content, surfaces read in the same axes."""
    claimed = sorted((d.name, d.sha256) for d in plan.inputs)
    found = sorted((d.name, d.sha256) for d in scene.inputs)
    axes = [sorted((d.name, d.axes) for d in of.inputs if d.axes is not None) for of in (plan, scene)]
    if any(axes):
        claims.same("axes of the surfaces", "input", *(", ".join(map(" in ".join, read)) for read in axes))
    for entry in sorted({*claimed, *found}):
        name, sha256 = entry
        claims.holds(
            "input has the sha256 stated",
            name,
            sha256 if entry in claimed else "not stated",
            sha256 if entry in found else "no such input",
            claimed.count(entry) == found.count(entry),
        )


def _check_roles(claims: Claims, plan: Plan, scene: Scene) -> None:
    """Every structure of the scene once, in its role; and the roles and targets that the request asks for."""
    names = [name for name, _ in plan.roles]
    claims.equal("every structure has one role", "roles", float(len(names)), float(len(set(names))), 0.0)
    claimed = dict(plan.roles)
    found = {s.name: str(s.role) for s in scene.structures}
    for name in sorted(claimed.keys() | found.keys()):
        claims.same("role", name, claimed.get(name, "not stated"), found.get(name, "not in the scene"))
    targets = plan.request.target.structures
    for name, role in sorted(plan.request.roles.items()):
        # A structure that is named as the target is the target, and no other is.
        if name in found and not (targets and Role.TARGET in (role, found[name])):
            claims.same("role asked for", name, role, found[name])
    if targets:
        treated = sorted(s.name for s in scene.of_role(Role.TARGET))
        claims.same("target asked for", "target", ", ".join(sorted(set(targets))), ", ".join(treated))


def _check_pose(claims: Claims, plan: Plan, scene: Scene) -> None:
    asked, pose = plan.request.pose, scene.pose
    claims.same("position", "pose", str(asked.position), str(pose.position))
    claims.equal("rotation", "pose", asked.rotation_deg, pose.rotation_deg, TURN)
    claims.equal("bore diameter", "pose", asked.bore_diameter_mm, 2 * pose.bore.radius_mm, LENGTH_MM)
    if asked.table != DERIVE:
        named = any(s.name == asked.table for s in scene.structures)
        claims.holds(
            "the table is the structure named",
            "pose",
            asked.table,
            asked.table if named else "not that structure",
            named,
        )
