"""Claims on the input of the plan: format, frame, input files, roles, target, pose and skin."""

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
    claimed, recomputed = (", ".join(of.skin_structures) or "guessed" for of in (plan, scene))
    claims.same("structures whose surface the skin is", "skin", claimed, recomputed)
    slack_mm = plan.search.surface_slack_mm
    claims.equal("voxels beyond surfaces", "search", slack_mm, scene.surface_slack_mm, LENGTH_MM)
    missing = ", ".join(sorted(scene.missing))
    claims.same("organs missing", "input", ", ".join(sorted(plan.missing_structures)), missing)


def _check_digests(claims: Claims, plan: Plan, scene: Scene) -> None:
    """The same files, by name and content, surfaces read in the same axes."""
    claimed = sorted((d.name, d.sha256) for d in plan.inputs)
    actual = sorted((d.name, d.sha256) for d in scene.inputs)
    axes = [sorted((d.name, d.axes) for d in of.inputs if d.axes is not None) for of in (plan, scene)]
    if any(axes):
        claims.same(
            "axes of the surfaces", "input", *(", ".join(map(" in ".join, digest)) for digest in axes)
        )
    for entry in sorted({*claimed, *actual}):
        name, sha256 = entry
        claims.holds(
            "input has the sha256 stated",
            name,
            sha256 if entry in claimed else "not stated",
            sha256 if entry in actual else "no such input",
            claimed.count(entry) == actual.count(entry),
        )


def _check_roles(claims: Claims, plan: Plan, scene: Scene) -> None:
    """Every structure of the scene is listed once, with its role; and the roles and targets of the
    request."""
    names = [name for name, _ in plan.roles]
    claims.equal("every structure has one role", "roles", float(len(names)), float(len(set(names))), 0.0)
    claimed = dict(plan.roles)
    actual = {s.name: str(s.role) for s in scene.structures}
    for name in sorted(claimed.keys() | actual.keys()):
        claims.same("role", name, claimed.get(name, "not stated"), actual.get(name, "not in the scene"))
    targets = plan.request.target.structures
    for name, role in sorted(plan.request.roles.items()):
        # If the request names targets, exactly these structures are targets.
        if name in actual and not (targets and Role.TARGET in (role, actual[name])):
            claims.same("role asked for", name, role, actual[name])
    if targets:
        treated = sorted(s.name for s in scene.of_role(Role.TARGET))
        claims.same("target asked for", "target", ", ".join(sorted(set(targets))), ", ".join(treated))


def _check_pose(claims: Claims, plan: Plan, scene: Scene) -> None:
    request, pose = plan.request.pose, scene.pose
    claims.same("position", "pose", str(request.position), str(pose.position))
    claims.equal("rotation", "pose", request.rotation_deg, pose.rotation_deg, TURN)
    claims.equal("bore diameter", "pose", request.bore_diameter_mm, 2 * pose.bore.radius_mm, LENGTH_MM)
    if request.table != DERIVE:
        has_table = any(s.name == request.table for s in scene.structures)
        claims.holds(
            "the table is the structure named",
            "pose",
            request.table,
            request.table if has_table else "not that structure",
            has_table,
        )
