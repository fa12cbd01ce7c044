"""Search: every safe line through the target, coarse to fine, with what that proves.

    roots --test--> alive --halve, test--> alive --halve, test--> ... centre lines tested at the radius asked
              |                 |
           proved blocked    proved blocked: dropped with all their lines

A level halves all cells that are left and proves what it can blocked. The last level tests the centre line of
every cell. Each line through the target then lies within the covering radius of a tested line, from tip to
skin, or in a cell that was proved to hold no safe line. Hence, for a completed search:

completeness   A path that stays safe under every displacement up to the radius has a tested safe neighbour
               within it: the centre line of its cell is one of those displacements.
optimality     The least lung length found is at most the worst lung length over those displacements of any
               such path: the neighbour's is among them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from planner.kernels.cell import ALIVE, ELSEWHERE
from planner.kernels.level import Tested, test_children
from planner.kernels.line import LUNG
from planner.kernels.verdicts import SAFE
from planner.net import QUARTERS, SIXTEENTHS, Blocks, Cells, blocks, children, join, lines_of, roots
from planner.progress import GoOn, Phase, Progress
from planner.world import World, target_corners_B

COARSEST_MM = 8.0
"""Radius at which the first cells are tested: coarser ones are hardly ever proved blocked."""
PARENTS_AT_A_TIME = 1 << 14
"""Sixteen times as many cells a piece: short enough to ask whether to go on, long enough for threads."""
EXTRA_LEVELS = 6
"""A few cells reach deeper than their plane C and need further halving; each level halves what they cover."""
MOST_LINES = 2_000_000
"""Safe lines kept in full; beyond, only the best of each neighbourhood stays, so that memory is bounded."""


@dataclass(frozen=True, eq=False)
class SafeLines:
    """n safe lines: a point on each and its outward unit vector in B, and its quantities (columns of
    kernels.line)."""

    point_B: Float[np.ndarray, "n 3"]
    outward_B: Float[np.ndarray, "n 3"]
    quantities: Float[np.ndarray, "n q"]

    def __len__(self) -> int:
        return len(self.point_B)

    def take(self, which: np.ndarray) -> "SafeLines":
        """Some of the lines, by index or mask."""
        return SafeLines(self.point_B[which], self.outward_B[which], self.quantities[which])


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found, and how far it went. `radius_mm` is the covering radius of the finest completed
    level, `complete` whether that is the one asked for. `spread_mm` is how far neighbouring lines of the last
    level lie apart. `alive` are the cells, before the last level, that were not proved blocked."""

    lines: SafeLines
    lines_tested: int
    cells_proved_blocked: int
    radius_mm: float
    complete: bool
    spread_mm: float
    blocks: Blocks
    alive: Cells


def search(world: World, radius_mm: float, go_on: GoOn) -> Found:
    """Search the world's target to a covering radius of `radius_mm`, as long as `go_on` agrees.

    The first level always completes, so that some radius is reached however short the time.
    """
    corners = target_corners_B(world)
    b = blocks(world, corners)
    levels = _levels(radius_mm)
    cells = roots(b, corners, levels[0] * np.sqrt(2.0))
    alive, order = cells, np.zeros(len(cells))
    kept: list[SafeLines] = []
    tested = proved = 0
    reached, covered = np.inf, 0.0
    for number in range(len(levels) + EXTRA_LEVELS):
        step = levels[min(number, len(levels) - 1)]
        per_parent = SIXTEENTHS if number < len(levels) else QUARTERS
        done = _Level(world, b, cells, order, per_parent, radius_mm)
        for fraction in done.run():
            more = go_on(Progress(Phase.SEARCH, fraction, f"covering radius {step:.3g} mm"))
            if not more and number > 0:
                break
        kept = _thinned([*kept, *done.safe], max(step, 1.0))
        tested += done.tested
        proved += done.proved
        if not done.finished:
            break
        cells, order = done.survivors()
        covered = max(covered, done.covered)
        if not len(cells):
            reached = covered
            break
        reached = max(covered, done.left)
        if number < len(levels) - 1:
            alive = cells
    return Found(
        lines=_joined(kept),
        lines_tested=tested,
        cells_proved_blocked=proved,
        radius_mm=float(reached),
        complete=bool(reached <= radius_mm),
        spread_mm=np.sqrt(2.0) * step,
        blocks=b,
        alive=alive,
    )


def _levels(radius_mm: float) -> list[float]:
    """Radii of the levels, each half the one before, the last the radius asked for."""
    radii = [radius_mm]
    while radii[0] < COARSEST_MM:
        radii.insert(0, 2.0 * radii[0])
    return radii


class _Level:
    """One level: the children of `cells`, tested a piece at a time, the most promising parents first."""

    def __init__(
        self, world: World, b: Blocks, cells: Cells, order: np.ndarray, per_parent: int, radius_mm: float
    ) -> None:
        self._world, self._blocks, self._radius_mm = world, b, radius_mm
        self._per_parent = per_parent
        self._cells = cells.take(np.argsort(order, kind="stable"))
        self._left: list[Cells] = []
        self._lung: list[np.ndarray] = []
        self.safe: list[SafeLines] = []
        self.tested = self.proved = 0
        self.left = self.covered = 0.0
        self.finished = False

    def run(self) -> Iterator[float]:
        """Test all pieces, giving the fraction done after each."""
        count = len(self._cells)
        for first in range(0, count, PARENTS_AT_A_TIME):
            parents = self._cells.take(slice(first, first + PARENTS_AT_A_TIME))
            self._keep(
                parents, test_children(self._world, self._blocks, parents, self._per_parent, self._radius_mm)
            )
            self.finished = first + PARENTS_AT_A_TIME >= count
            yield min(1.0, (first + PARENTS_AT_A_TIME) / count)

    def _keep(self, parents: Cells, done: Tested) -> None:
        rows = np.flatnonzero(done.state == ALIVE)
        self.tested += len(rows)
        self.proved += int(np.count_nonzero((done.state != ALIVE) & (done.state != ELSEWHERE)))
        if not len(rows):
            return
        cells = children(parents, rows, self._per_parent, done.depths_mm[rows].astype(float))
        radius, quantities = done.radius_mm[rows], done.quantities[rows]
        safe = done.verdict[rows] == SAFE
        point, outward = lines_of(self._blocks, cells.take(safe))
        self.safe.append(SafeLines(point, outward, quantities[safe]))
        left = radius > self._radius_mm
        self._left.append(cells.take(left))
        self._lung.append(np.where(safe, quantities[:, LUNG], np.inf)[left])
        self.left = max(self.left, float(radius[left].max(initial=0.0)))
        self.covered = max(self.covered, float(radius[~left].max(initial=0.0)))

    def survivors(self) -> tuple[Cells, np.ndarray]:
        """Cells that still cover more than the radius asked for, and the lung lengths that order them (inf:
        the centre line is not safe)."""
        if not self._left:
            return self._cells.take(slice(0, 0)), np.zeros(0)
        return join(self._left), np.concatenate(self._lung)


def _joined(parts: list[SafeLines]) -> SafeLines:
    if not parts:
        return SafeLines(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 8), np.float32))
    return SafeLines(
        np.concatenate([p.point_B for p in parts]),
        np.concatenate([p.outward_B for p in parts]),
        np.concatenate([p.quantities for p in parts]),
    )


def _thinned(parts: list[SafeLines], neighbourhood_mm: float) -> list[SafeLines]:
    """The parts as they are while they are few; else one line of least lung in each neighbourhood."""
    if sum(len(p) for p in parts) <= MOST_LINES:
        return parts
    lines = _joined(parts)
    near = np.round(lines.point_B / neighbourhood_mm).astype(np.int64)
    turned = np.round(lines.outward_B * 100.0 / neighbourhood_mm).astype(np.int64)
    order = np.lexsort((lines.quantities[:, LUNG], *near.T, *turned.T))
    keys = np.concatenate([near, turned], axis=1)[order]
    first = np.ones(len(order), bool)
    first[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    return [lines.take(np.sort(order[first]))]
