"""Outcome: how planning ended, said so that a clinician can act on it, and what the search may claim."""

from anatomy.scene import Scene
from planner.candidates import Chosen
from planner.kernels.line import LUNG
from planner.records import Blocker, NearestMiss, Outcome, Path, SearchReport, Status
from planner.request import Request
from planner.search import Found


def search_report(scene: Scene, found: Found, chosen: Chosen, lung_bound_mm: float) -> SearchReport:
    """What was searched, and what that proves."""
    return SearchReport(
        lines_tested=found.lines_tested,
        cells_proved_blocked=found.cells_proved_blocked,
        safe_lines=found.safe_lines,
        covering_radius_mm=found.radius_mm,
        complete=found.complete,
        lung_bound_mm=lung_bound_mm,
        least_lung_mm=_least_lung_mm(found, chosen),
        claims=(*_claims(found), *_of_masks(scene)),
    )


def _least_lung_mm(found: Found, chosen: Chosen) -> float | None:
    tested = found.lines.quantities[:, LUNG]
    lengths = [p.lung_length_mm for p in chosen.paths] + ([float(tested.min())] if len(tested) else [])
    return min(lengths, default=None)


def _claims(found: Found) -> tuple[str, ...]:
    if not found.complete:
        return (
            f"Unproved: the search ended early, with every line within {found.radius_mm:.2f} mm of a tested "
            "line or shown not to be safe. Paths narrower than that may have been missed.",
        )
    displaced = f"all displacements up to {found.radius_mm:.2f} mm between tip and skin"
    if not found.safe_lines:
        return (f"No path through the target stays safe under {displaced}.",)
    return (
        f"Every path that stays safe under {displaced} has a safe tested line within that distance.",
        f"The least lung length found, least_lung_mm, is at most the worst lung length, over {displaced}, of "
        "any such path.",
    )


def _of_masks(scene: Scene) -> tuple[str, ...]:
    """Where masks stand for surfaces, lines are tested against the masks."""
    if scene.surface_slack_mm == 0.0:
        return ()
    return (
        "This holds for the voxels that the surfaces touch, which reach at most "
        f"{scene.surface_slack_mm:.2f} mm beyond them.",
    )


def outcome(
    request: Request,
    report: SearchReport,
    paths: tuple[Path, ...],
    blockers: tuple[Blocker, ...],
    miss: NearestMiss | None,
) -> Outcome:
    """The status and its sentence."""
    target = ", ".join(request.target.structures) or "the target"
    radius = f"{report.covering_radius_mm:.2f} mm"
    if paths:
        best = paths[0]
        how = (
            "without crossing lung"
            if best.lung_length_mm == 0.0
            else f"through {best.lung_length_mm:.1f} mm of lung"
        )
        early = "" if report.complete else f" The search ended early, at a covering radius of {radius}."
        count = "one path" if len(paths) == 1 else f"{len(paths)} distinct paths"
        return Outcome(Status.PLANNED, f"{count} to {target}; the best is {best.approach}, {how}.{early}")
    if not report.complete:
        return Outcome(
            Status.TIMED_OUT,
            f"No path to {target} was found in the time; the search reached a covering radius of {radius}. "
            "Paths may exist: allow more time.",
        )
    blocked = ", ".join(f"{b.structure} {100 * b.share:.0f} %" for b in blockers[:3])
    return Outcome(
        Status.NO_PATH,
        f"Shown: no path to {target} stays safe when displaced by {radius}. Blocked mostly by {blocked}. "
        + _remedy(miss),
    )


def _remedy(miss: NearestMiss | None) -> str:
    if miss is None:
        return (
            "No smaller clearance or longer needle, tried alone, opens a path: change pose, role or target."
        )
    change = miss.relaxations[0]
    if change.setting.startswith("/needle"):
        return f"A needle of {change.to_mm:g} mm instead of {change.from_mm:g} mm would reach it."
    whose = "by default" if change.structure == "default" else f"from {change.structure}"
    return (
        f"A clearance of {change.to_mm:g} mm instead of {change.from_mm:g} mm {whose} would "
        f"open a path through {change.lung_length_mm:.1f} mm of lung."
    )
