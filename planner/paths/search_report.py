"""The report of a search: its radius, what it tested, and what that proves."""

from dataclasses import replace

from anatomy.scene import Scene
from planner.paths.select import Chosen
from planner.records.search import SearchReport
from planner.records.wording.search_claims import claims_of
from planner.search.kernels.line import LUNG
from planner.search.search import Found


def search_report(scene: Scene, found: Found, chosen: Chosen, lung_bound_mm: float) -> SearchReport:
    """What was searched, and what that proves."""
    report = SearchReport(
        lines_tested=found.lines_tested,
        cells_proved_blocked=found.cells_proved_blocked,
        safe_lines=found.safe_lines,
        covering_radius_mm=found.radius_mm,
        complete=found.complete,
        lung_bound_mm=lung_bound_mm,
        least_lung_mm=_least_lung_mm(found, chosen),
        claims=(),
    )
    return replace(report, claims=claims_of(report, scene.surface_slack_mm, scene.missing))


def _least_lung_mm(found: Found, chosen: Chosen) -> float | None:
    tested = found.lines.quantities[:, LUNG]
    lengths = [p.lung_length_mm for p in chosen.paths] + ([float(tested.min())] if len(tested) else [])
    return min(lengths, default=None)
