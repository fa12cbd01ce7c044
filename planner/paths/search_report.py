"""Search report: the covering radius, what was tested, and what that proves."""

from dataclasses import replace

from anatomy.scene import Scene
from planner.paths.select import SelectedPaths
from planner.records.search import Proof, SearchReport
from planner.records.wording.search_claims import claims_of
from planner.search.kernels.line import LUNG
from planner.search.search import SearchResult


def search_report(
    scene: Scene, result: SearchResult, selected: SelectedPaths, lung_bound_mm: float
) -> SearchReport:
    """The record of what was searched and what that proves."""
    report = SearchReport(
        lines_tested=result.lines_tested,
        cells_proved_blocked=result.cells_proved_blocked,
        safe_lines=result.safe_lines,
        covering_radius_mm=result.radius_mm,
        complete=result.complete,
        lung_bound_mm=lung_bound_mm,
        least_lung_mm=_least_lung_mm(result, selected),
        surface_slack_mm=scene.surface_slack_mm,
        proves=proof_of(result.complete, result.radius_mm, result.safe_lines),
        claims=(),
    )
    return replace(report, claims=claims_of(report, scene.missing))


def proof_of(complete: bool, covering_radius_mm: float, safe_lines: int) -> Proof:
    """What a search of this extent proves."""
    if not complete:
        return Proof.NOTHING
    if covering_radius_mm == 0.0:
        # Every cell was proved blocked with all its lines.
        return Proof.NONE_IS_SAFE
    return Proof.SAFE_LINE_NEAR_EACH if safe_lines else Proof.NONE_STAYS_SAFE


def _least_lung_mm(result: SearchResult, selected: SelectedPaths) -> float | None:
    tested = result.lines.quantities[:, LUNG]
    lengths = [p.lung_length_mm for p in selected.paths] + ([float(tested.min())] if len(tested) else [])
    return min(lengths, default=None)
