"""Search: every safe line through the target, from coarse to fine, and what that proves.

roots --test--> alive --halve, test--> alive --halve, test--> ... centre lines tested at the requested radius
              |                 |
           proved blocked    proved blocked: dropped with all their lines

Each level halves all remaining cells and proves as many as possible blocked. The last level tests the centre
line of every cell. Each line through the target is then within the covering radius of a tested line, from tip
to skin, or in a cell that was proved to contain no safe line. Therefore, for a completed search:

completeness   A path that stays safe under every displacement up to the radius has a tested safe line within
the
               radius: the centre line of its cell is one of those displacements.
optimality     The least lung length found is at most the worst lung length over those displacements of any
               such path: that of the centre line is one of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from planner.records.progress import GoOn, Phase, Progress
from planner.search.kernels.cell import ALIVE, CENTRE_BLOCKED, ELSEWHERE
from planner.search.kernels.line import LUNG, MARGIN
from planner.search.kernels.search_fields import SearchFields
from planner.search.kernels.verdicts import SAFE
from planner.search.level import CellResults, test_children
from planner.search.line_net import (
    QUARTERS,
    SIXTEENTHS,
    Blocks,
    Cells,
    child_cells,
    direction_blocks,
    join_cells,
    lines_of,
    root_cells,
)
from planner.search.scene_fields import target_corners_B

COARSEST_MM = 8.0
"""Radius of the first cells that are tested: larger cells are hardly ever proved blocked."""
PARENTS_AT_A_TIME = 1 << 14
"""Cells per piece, each with sixteen children: short enough to ask often whether to continue, long enough for
threads."""
EXTRA_LEVELS, DEEPER_LEVELS = 6, 3
"""Some cells extend beyond their plane C and need more halving: first only at plane C, which is enough if
they extend little beyond it, then at both planes. The numbers of additional levels, and of those at plane C
only."""
LEVEL_COST = 2.0
"""Assumed ratio of the durations of a level and the previous level, for the progress of a search [U]."""
ROUNDING = 1e-9
NEIGHBOURHOOD_MM = 2.0
"""From smaller cells only the best safe line of each parent is kept: polishing finds the others again."""
MAX_CELLS = 10_000_000
"""Largest number of remaining cells of a level, 80 bytes each. A search that leaves more, for a target too
large for the radius, ends early, so that memory is limited."""
MAX_LINES = 2_000_000
"""Largest number of safe lines kept; above it, only the best of each neighbourhood is kept, so that memory is
limited."""


@dataclass(frozen=True, eq=False)
class SafeLines:
    """n safe lines: a point on each and its outward unit vector in B, and its quantities (columns of
    kernels.line)."""

    point_B: Float[np.ndarray, "n 3"]
    outward_B: Float[np.ndarray, "n 3"]
    quantities: Float[np.ndarray, "n q"]

    def __len__(self) -> int:
        return len(self.point_B)

    def take(self, which: np.ndarray | slice) -> "SafeLines":
        """Some of the lines, by index, mask or slice."""
        return SafeLines(self.point_B[which], self.outward_B[which], self.quantities[which])


def join_lines(parts: list[SafeLines]) -> SafeLines:
    """All lines of the parts, in order. One part at least."""
    return SafeLines(
        np.concatenate([p.point_B for p in parts]),
        np.concatenate([p.outward_B for p in parts]),
        np.concatenate([p.quantities for p in parts]),
    )


@dataclass(frozen=True, eq=False)
class SearchResult:
    """The result of a search, and how far it went. `radius_mm` is the covering radius of the finest completed
    level, `complete` whether it is the requested radius. `alive` are the cells, before the last level, that
    were not proved blocked.

    `lines` are safe lines to choose from, with neighbours `spread_mm` apart: all `safe_lines` of them while
    cells are large, else the best of each small neighbourhood."""

    lines: SafeLines
    safe_lines: int
    lines_tested: int
    cells_proved_blocked: int
    radius_mm: float
    complete: bool
    spread_mm: float
    blocks: Blocks
    alive: Cells


def search(fields: SearchFields, radius_mm: float, go_on: GoOn) -> SearchResult:
    """Search the target of `fields` to a covering radius of `radius_mm`, as long as `go_on` returns True.

    The first level is always completed, so that a radius is reached in any case.
    """
    corners = target_corners_B(fields)
    b = direction_blocks(fields, corners)
    levels = _levels(radius_mm)
    cells = root_cells(b, corners, levels[0] * np.sqrt(2.0))
    # Halving reaches the requested radius up to rounding.
    enough_mm = radius_mm * (1.0 + ROUNDING)
    alive, order = cells, np.zeros(len(cells))
    safe_lines: list[SafeLines] = []
    tested = proved = safe = 0
    stopped = False
    reached, covered = np.inf, 0.0
    deeper = range(len(levels), len(levels) + DEEPER_LEVELS)
    for number in range(len(levels) + EXTRA_LEVELS):
        step = levels[min(number, len(levels) - 1)]
        per_parent = QUARTERS if number in deeper else SIXTEENTHS
        level = _Level(fields, b, cells, order, per_parent, enough_mm, step < NEIGHBOURHOOD_MM)
        for part in level.run():
            fraction = _searched(number, part, len(levels))
            stopped = not go_on(Progress(Phase.SEARCH, fraction, f"covering radius {step:.3g} mm")) or stopped
            stopped = stopped or level.cells_left > MAX_CELLS
            if stopped and number > 0:
                break
        safe_lines = _thinned([*safe_lines, *level.safe], max(step, 1.0))
        tested += level.tested
        safe += level.safe_count
        proved += level.proved
        if not level.finished:
            break
        cells, order = level.survivors()
        covered = max(covered, level.covered)
        if not len(cells):
            reached = covered
            break
        reached = max(covered, level.left)
        if number < len(levels) - 1:
            alive = cells
        if stopped:
            break
    return SearchResult(
        lines=join_lines(safe_lines),
        safe_lines=safe,
        lines_tested=tested,
        cells_proved_blocked=proved,
        radius_mm=float(min(reached, radius_mm) if reached <= enough_mm else reached),
        complete=bool(reached <= enough_mm),
        spread_mm=np.sqrt(2.0) * max(step, NEIGHBOURHOOD_MM),
        blocks=b,
        alive=alive,
    )


def _levels(radius_mm: float) -> list[float]:
    """Radii of the levels, each half of the previous one; the last is the requested radius."""
    radii = [radius_mm]
    while radii[0] < COARSEST_MM:
        radii.insert(0, 2.0 * radii[0])
    return radii


def _searched(number: int, part: float, levels: int) -> float:
    """The progress of a search, 0.0 to 1.0, that has completed `number` of its levels and a part of the next.
    Each level is assumed to take LEVEL_COST times as long as the previous one."""
    before, after = LEVEL_COST**number - 1.0, LEVEL_COST ** (number + 1) - 1.0
    return min(1.0, (before + part * (after - before)) / (LEVEL_COST**levels - 1.0))


class _Level:
    """One level: the children of `cells`, tested piece by piece, the most promising parents first."""

    def __init__(
        self,
        fields: SearchFields,
        b: Blocks,
        cells: Cells,
        order: np.ndarray,
        per_parent: int,
        radius_mm: float,
        fine: bool,
    ) -> None:
        self._fields, self._blocks, self._radius_mm = fields, b, radius_mm
        self._per_parent = per_parent
        self._fine = fine
        self._cells = cells.take(np.argsort(order, kind="stable"))
        self._left: list[Cells] = []
        self._lung: list[np.ndarray] = []
        self.safe: list[SafeLines] = []
        self.tested = self.proved = self.safe_count = self.cells_left = 0
        self.left = self.covered = 0.0
        self.finished = False

    def run(self) -> Iterator[float]:
        """Test all pieces, yielding the fraction done after each."""
        count = len(self._cells)
        for first in range(0, count, PARENTS_AT_A_TIME):
            parents = self._cells.take(slice(first, first + PARENTS_AT_A_TIME))
            self._keep(
                parents, test_children(self._fields, self._blocks, parents, self._per_parent, self._radius_mm)
            )
            self.finished = first + PARENTS_AT_A_TIME >= count
            yield min(1.0, (first + PARENTS_AT_A_TIME) / count)

    def _keep(self, parents: Cells, results: CellResults) -> None:
        alive = results.state == ALIVE
        tested = alive | (results.state == CENTRE_BLOCKED)
        self.tested += int(np.count_nonzero(tested))
        self.proved += int(np.count_nonzero(~tested & (results.state != ELSEWHERE)))
        safe = alive & (results.verdict == SAFE)
        self.safe_count += int(np.count_nonzero(safe))
        best = self._best_of_parents(safe, results) if self._fine else np.flatnonzero(safe)
        cells = child_cells(parents, best, self._per_parent, results.depths_mm[best].astype(float))
        self.safe.append(SafeLines(*lines_of(self._blocks, cells), results.quantities[best]))
        undecided = np.flatnonzero(alive & (results.radius_mm > self._radius_mm))
        self.cells_left += len(undecided)
        self._left.append(
            child_cells(parents, undecided, self._per_parent, results.depths_mm[undecided].astype(float))
        )
        self._lung.append(np.where(safe[undecided], results.quantities[undecided, LUNG], np.inf))
        self.left = max(self.left, float(results.radius_mm[undecided].max(initial=0.0)))
        covered = tested & (results.radius_mm <= self._radius_mm)
        self.covered = max(self.covered, float(results.radius_mm[covered].max(initial=0.0)))

    def _best_of_parents(self, safe: np.ndarray, results: CellResults) -> np.ndarray:
        """One row for each parent with a safe line: that of the line with the least lung and, among these,
        the most margin."""
        lung = np.where(safe, results.quantities[:, LUNG], np.inf).reshape(-1, self._per_parent)
        margin = np.where(
            lung == lung.min(axis=1, keepdims=True), results.quantities[:, MARGIN].reshape(lung.shape), -1.0
        )
        parent = np.flatnonzero(np.isfinite(lung).any(axis=1))
        return np.asarray(parent * self._per_parent + margin.argmax(axis=1)[parent])

    def survivors(self) -> tuple[Cells, np.ndarray]:
        """Cells that still cover more than the requested radius, and the lung lengths by which they are
        ordered (inf if the centre line is not safe)."""
        return join_cells(self._left), np.concatenate(self._lung)


def _thinned(parts: list[SafeLines], neighbourhood_mm: float) -> list[SafeLines]:
    """The parts unchanged if they are few; else one line with the least lung in each neighbourhood."""
    if sum(len(p) for p in parts) <= MAX_LINES:
        return parts
    lines = join_lines(parts)
    places = np.round(lines.point_B / neighbourhood_mm).astype(np.int64)
    directions = np.round(lines.outward_B * 100.0 / neighbourhood_mm).astype(np.int64)
    order = np.lexsort((lines.quantities[:, LUNG], *places.T, *directions.T))
    keys = np.concatenate([places, directions], axis=1)[order]
    first = np.ones(len(order), bool)
    first[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    return [lines.take(np.sort(order[first]))]
