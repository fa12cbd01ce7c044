"""The search against brute force: exact distances to all voxel boxes, exact chords, displacements tried out.

The oracle uses nothing of the planner's kernels, and no distance field. Voxels are joined to larger boxes.
The distance from a segment to a box is convex along the segment, so that bisection of its slope finds the
least; what an axis runs through follows from the planes of the boxes. Beyond the field of view the scene goes
on as at the nearest point of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import numpy as np
import pytest
from box_scenes import box_mask, grid_of
from search_oracle import TOLERANCE_MM, Oracle
from small_chests import (
    CHESTS,
    Chest,
    Lines,
    Needles,
    concatenated,
    perturbed,
    posed,
    random_lines,
    select_lines,
    small_chest,
    to_nearest,
    unit,
    without_table,
)

from anatomy.structures import Role
from planner.records.progress import always
from planner.records.request.needle import Needle
from planner.records.request.pose import PoseRequest
from planner.records.request.request import Request
from planner.records.request.search import SearchRequest
from planner.search.kernels import line, verdicts
from planner.search.kernels.line import CHORD, LENGTH, LUNG, TIP
from planner.search.kernels.search_fields import SearchFields
from planner.search.line_net import Blocks, Cells, lines_of
from planner.search.lung_bound import lung_bound_mm
from planner.search.scene_fields import search_fields
from planner.search.search import SafeLines, SearchResult, search


@pytest.fixture(autouse=True, scope="module")
def every_safe_line_is_kept() -> Iterator[None]:
    """Else small cells give only the best line of their parent to choose from."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("planner.search.search.NEIGHBOURHOOD_MM", 0.0)
        yield


@cache
def oracle(name: str) -> Oracle:
    return Oracle(small_chest(name))


@cache
def fields_of(name: str) -> SearchFields:
    return search_fields(small_chest(name).scene, small_chest(name).request)


@cache
def found(name: str, radius_mm: float) -> SearchResult:
    return search(fields_of(name), radius_mm, always)


def assert_verdicts_are_true(oracle: Oracle, fields: SearchFields, lines: Lines) -> np.ndarray:
    """All verdicts and quantities are what brute force finds. Returns the verdicts."""
    verdict, quantities = line.test_lines(fields, lines.point, lines.outward)
    true = oracle.judge(lines)
    safe, sure = verdict == verdicts.SAFE, ~true.doubtful
    wrong = sure & (safe != true.safe)
    assert not wrong.any(), list(zip(verdict[wrong], true.margin[wrong], strict=True))
    assert true.reasons[np.arange(len(lines)), verdict][sure & ~safe].all()
    for column, wanted in ((TIP, true.tip), (LENGTH, true.length), (CHORD, true.chord), (LUNG, true.lung)):
        off = np.abs(quantities[:, column] - wanted)[safe & sure]
        assert off.max(initial=0.0) < TOLERANCE_MM
    return verdict


@pytest.mark.parametrize("name", CHESTS)
def test_every_verdict_and_length_is_what_brute_force_finds(name):
    lines = random_lines(small_chest(name), 6000, seed=11)
    missing = perturbed(random_lines(small_chest(name), 300, seed=12), 6.0, seed=13)
    verdict = assert_verdicts_are_true(oracle(name), fields_of(name), lines)
    assert 100 < np.count_nonzero(verdict == verdicts.SAFE) < 5900
    assert_verdicts_are_true(oracle(name), fields_of(name), missing)
    assert np.count_nonzero(oracle(name).judge(missing).chord == 0.0) > 100


def test_the_chests_refuse_lines_for_every_reason_there_is():
    met = {verdicts.MISSES_TARGET}
    for name in CHESTS:
        lines = random_lines(small_chest(name), 3000, seed=11)
        met |= set(line.test_lines(fields_of(name), lines.point, lines.outward)[0].tolist())
    assert met | {verdicts.TIP_OUTSIDE} == set(verdicts.VERDICTS)


@pytest.mark.interpreted
@pytest.mark.parametrize("name", CHESTS)
def test_the_same_is_true_on_a_coarse_field(name):
    chest = small_chest(name)
    coarse = replace(chest.request, search=SearchRequest(field_resolution_mm=4.0))
    lines = random_lines(chest, 120, seed=14)
    lines = concatenated([lines, perturbed(lines.take(np.arange(20)), 6.0, seed=15)])
    assert_verdicts_are_true(oracle(name), search_fields(chest.scene, coarse), lines)


HALVINGS = 20
"""From lines some mm apart to lines some nm apart."""


@cache
def towards_boundary(name: str) -> tuple[Lines, Lines]:
    """Lines on the way to the boundary between safe and not, and the safe ones that came nearest to it: safe
    lines and unsafe neighbours of theirs are brought together by halving what is between them."""
    lines = random_lines(small_chest(name), 3000, seed=21)
    others = perturbed(lines, 2.0, seed=22)
    pairs = np.flatnonzero(oracle(name).judge(lines).safe & ~oracle(name).judge(others).safe)[:300]
    good, bad = lines.take(pairs), others.take(pairs)
    tried = []
    for _ in range(HALVINGS):
        middle = Lines(0.5 * (good.point + bad.point), unit(good.outward + bad.outward))
        safe = oracle(name).judge(middle).safe
        good, bad = select_lines(safe, middle, good), select_lines(safe, bad, middle)
        tried.append(middle)
    return concatenated(tried), good


@pytest.mark.representative(2)
@pytest.mark.parametrize("name", CHESTS)
def test_verdicts_are_true_up_to_the_boundary_of_what_is_safe(name):
    tried, barely_safe = towards_boundary(name)
    assert len(barely_safe) > 40
    assert_verdicts_are_true(oracle(name), fields_of(name), tried)


@pytest.mark.parametrize("quanta", [83.01, 83.02, 83.35, 83.99])
def test_a_line_that_barely_keeps_its_need_is_safe_however_fields_are_rounded(quanta):
    """Fields are in 64ths of a millimetre. The axis runs along a wall and over nodes of the field, whose
    distance to the wall rounds down by more than a 64th; the need rounds up by little or nearly as much."""
    h = 1.00125
    grid, need = grid_of((40, 40, 40), (h, h, h)), quanta / 64.0
    masks = {
        "body": (Role.SKIN, box_mask(grid.shape, ((4, 4, 4), (36, 36, 36)))),
        "sternum": (Role.FORBIDDEN, box_mask(grid.shape, ((8, 4, 4), (12, 36, 36)))),
        "node": (Role.TARGET, box_mask(grid.shape, ((12, 18, 16), (24, 22, 22)))),
    }
    request = Request(
        needle=Needle(max_length_mm=40.0, outer_diameter_mm=1.0),
        clearance_mm={"default": need - 0.5},
        pose=PoseRequest(hub_diameter_mm=1.0),
        search=SearchRequest(field_resolution_mm=h),
    )
    chest = without_table(posed(grid, masks, request))
    spare = (-1e-3, -1e-5, 1e-5, 1e-4, 1e-3, 1e-2)
    points = np.array([(11.5 * h + need + by, 18.5 * h, 17.0 * h) for by in spare])
    lines = Lines(points, np.tile([0.0, 0.0, 1.0], (len(spare), 1)))
    assert_verdicts_are_true(Oracle(chest), search_fields(chest.scene, request), lines)


@dataclass(frozen=True, eq=False)
class Placed:
    """Lines among the cells that a level left: each one's block and coordinates there, the cell that holds it
    (-1: dropped) and the middle of that cell, dropped or not (NaN where a block has no cell left)."""

    block: np.ndarray
    place: np.ndarray
    cell: np.ndarray
    middle: np.ndarray


def placed(done: SearchResult, lines: Lines) -> Placed:
    """Where lines lie among `done.alive`. A block's cells are boxes of a lattice."""
    b, cells = done.blocks, done.alive
    block = np.argmax(lines.outward @ b.w.T, axis=1)
    place = np.concatenate([pierced(b, block, lines, plane) for plane in (b.depth_a, b.depth_c)], axis=1)
    cell, middle = np.full(len(lines), -1), np.full((len(lines), 4), np.nan)
    for n in np.unique(block):
        own, here = np.flatnonzero(cells.block == n), np.flatnonzero(block == n)
        if not len(own):
            continue
        origin, width = cells.centre[own[0]], 2.0 * cells.half[own[0]][[0, 0, 1, 1]]
        left, asked = (np.round((x - origin) / width).astype(int) for x in (cells.centre[own], place[here]))
        middle[here] = origin + asked * width
        least = np.minimum(left.min(axis=0), asked.min(axis=0))
        shape = np.maximum(left.max(axis=0), asked.max(axis=0)) - least + 1
        keys, wanted = (np.ravel_multi_index((x - least).T, shape) for x in (left, asked))
        order = np.argsort(keys)
        at = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), len(own) - 1)]
        cell[here] = np.where(keys[at] == wanted, own[at], -1)
    return Placed(block, place, cell, middle)


def pierced(b: Blocks, block: np.ndarray, lines: Lines, plane: np.ndarray) -> np.ndarray:
    """Where lines pierce their blocks' planes at these depths: (n, 2)."""
    w, from_centre = b.w[block], lines.point - b.centre
    s = (plane[block] - (from_centre * w).sum(axis=1)) / (lines.outward * w).sum(axis=1)
    at = from_centre + s[:, None] * lines.outward
    return np.stack([(at * b.e1[block]).sum(axis=1), (at * b.e2[block]).sum(axis=1)], axis=1)


@cache
def many_lines(name: str) -> tuple[Lines, np.ndarray, np.ndarray]:
    """Lines, barely safe ones among them; their verdicts and quantities, which other tests find true."""
    lines = concatenated([random_lines(small_chest(name), 100_000, seed=31), towards_boundary(name)[1]])
    return lines, *line.test_lines(fields_of(name), lines.point, lines.outward)


@pytest.mark.parametrize("radius_mm", [4.0, 1.0])
@pytest.mark.parametrize("name", CHESTS)
def test_no_cell_with_a_safe_line_is_proved_blocked(name, radius_mm):
    lines, verdict, quantities = many_lines(name)
    safe = verdict == verdicts.SAFE
    lines, quantities = lines.take(safe), quantities[safe]
    done = found(name, radius_mm)
    at = placed(done, lines)
    assert (at.cell >= 0).all()
    off = np.abs(done.alive.centre[at.cell] - at.place) - done.alive.half[at.cell][:, [0, 0, 1, 1]]
    assert off.max() <= TOLERANCE_MM
    # None of a cell's lines touches the target before the first depth, and at the second all safe ones have
    # left the body. Depths are float32.
    w = done.blocks.w[at.block]
    along = (lines.outward * w).sum(axis=1)
    from_a = ((lines.point - done.blocks.centre) * w).sum(axis=1) - done.blocks.depth_a[at.block]
    tip = from_a + quantities[:, TIP] * along
    assert (done.alive.depths[at.cell, 0] <= tip + 1e-4).all()
    assert (done.alive.depths[at.cell, 1] >= tip + quantities[:, LENGTH] * along - 1e-4).all()


CORNERS = np.array(list(product((-1.0, 1.0), repeat=4)))


@pytest.mark.representative(4)
@pytest.mark.parametrize("radius_mm", [2.0, 1.0])
@pytest.mark.parametrize("name", CHESTS)
def test_no_corner_of_a_cell_that_was_proved_blocked_is_safe(name, radius_mm):
    """The lines farthest from a cell's centre line are what an unsound proof would lose first."""
    done, some = found(name, radius_mm), many_lines(name)[0]
    at = placed(done, concatenated([some, perturbed(some, 4.0, seed=32)]))
    dropped = np.flatnonzero((at.cell < 0) & np.isfinite(at.middle).all(axis=1))
    _, once = np.unique(np.column_stack([at.block, at.middle.round(6)])[dropped], axis=0, return_index=True)
    dropped = dropped[once]
    assert len(dropped) > 500
    half = done.alive.half[0, 0]
    assert (done.alive.half == half).all()
    middle = at.middle[dropped, None] + 0.9999 * half * CORNERS
    block = np.repeat(at.block[dropped], len(CORNERS))
    corners = Cells(block, middle.reshape(-1, 4), np.zeros((len(block), 2)), np.zeros((len(block), 3)))
    point, outward = lines_of(done.blocks, corners)
    own = np.argmax(outward @ done.blocks.w.T, axis=1) == block
    verdict, _ = line.test_lines(fields_of(name), point[own], outward[own])
    assert np.count_nonzero(verdict == verdicts.SAFE) == 0


RADIUS_MM = 1.0
"""A covering radius at which the chests' windows are wide enough to say something of."""


def safe_needles(name: str, lines: Lines) -> Needles:
    """Those of the lines that brute force finds safe."""
    true = oracle(name).judge(lines)
    tip = lines.point + true.tip[:, None] * lines.outward
    return Needles(tip, tip + true.length[:, None] * lines.outward).take(true.safe)


def between_tested(name: str, radius_mm: float, count: int) -> Lines:
    """Lines as far from found ones as the corners of their cells, if these are of the last level."""
    rng = np.random.default_rng(41)
    done = found(name, radius_mm)
    some = done.lines.take(rng.integers(len(done.lines), size=count))
    b, block = done.blocks, np.argmax(some.outward_B @ done.blocks.w.T, axis=1)
    ends = []
    for plane in (b.depth_a, b.depth_c):
        to_plane = plane[block] - ((some.point_B - b.centre) * b.w[block]).sum(axis=1)
        at = some.point_B + (to_plane / (some.outward_B * b.w[block]).sum(axis=1))[:, None] * some.outward_B
        by = rng.choice([-1.0, 1.0], (count, 2)) * radius_mm / np.sqrt(2.0)
        ends.append(at + by[:, :1] * b.e1[block] + by[:, 1:] * b.e2[block])
    return Lines(ends[0], unit(ends[1] - ends[0]))


@cache
def needles(name: str, radius_mm: float) -> Needles:
    """Safe needles: at random, and as far from those tested at a radius as can be."""
    at_random, between = random_lines(small_chest(name), 400, seed=42), between_tested(name, radius_mm, 250)
    return safe_needles(name, concatenated([at_random, between]))


def displaced(tip: np.ndarray, entry: np.ndarray, radius_mm: float, ways: int) -> Lines:
    """The line, displaced across itself at tip and skin: not, by half the radius, or by all of it, in that
    many directions, in all combinations."""
    turn = 2.0 * np.pi * np.arange(ways) / ways
    ring = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    disc = radius_mm * np.concatenate([ring, np.zeros((1, 2)), 0.5 * ring])
    along = unit(entry - tip)
    e1 = unit(np.cross(along, np.eye(3)[np.argmin(np.abs(along))]))
    off = disc @ np.stack([e1, np.cross(along, e1)])
    one, two = (n.ravel() for n in np.meshgrid(np.arange(len(off)), np.arange(len(off))))
    return Lines(tip + off[one], unit(entry + off[two] - tip - off[one]))


WAYS = (4, 8, 12)
"""Directions of displacement tried, few first: most lines that can be displaced to harm show it soon."""


def stays_safe(name: str, tip: np.ndarray, entry: np.ndarray) -> bool:
    """Whether a line is safe under all displacements up to RADIUS_MM that are tried."""
    return all(oracle(name).judge(displaced(tip, entry, RADIUS_MM, ways)).safe.all() for ways in WAYS)


def without_neighbour(name: str, needles: Needles, net: SafeLines) -> int:
    """How many needles stay safe under all displacements and have no line of the net within RADIUS_MM: none,
    if the net is as fine as that."""
    alone = needles.take(to_nearest(needles, net, RADIUS_MM) > RADIUS_MM + TOLERANCE_MM)
    return sum(stays_safe(name, tip, entry) for tip, entry in zip(alone.tip, alone.entry, strict=True))


@pytest.mark.parametrize("name", CHESTS)
def test_each_path_that_stays_safe_when_displaced_has_a_tested_safe_neighbour(name):
    done = found(name, RADIUS_MM)
    assert done.complete
    assert done.radius_mm <= RADIUS_MM
    assert without_neighbour(name, needles(name, RADIUS_MM), done.lines) == 0


@pytest.mark.parametrize("name", ["plain", "cut"])
def test_the_test_of_neighbours_sees_a_net_twice_as_wide(name):
    wide = 2.0 * RADIUS_MM
    assert without_neighbour(name, needles(name, wide), found(name, wide).lines) > 0


@pytest.mark.representative(2)
@pytest.mark.parametrize("name", CHESTS)
def test_the_least_lung_is_at_most_the_worst_of_any_path_displaced(name):
    lines = found(name, RADIUS_MM).lines
    least = lines.take(np.argsort(lines.quantities[:, LUNG], kind="stable")[:200])
    around = safe_needles(name, perturbed(Lines(least.point_B, least.outward_B), 0.5 * RADIUS_MM, seed=43))
    others = needles(name, RADIUS_MM)
    tips, entries = np.concatenate([around.tip, others.tip]), np.concatenate([around.entry, others.entry])
    crossed = oracle(name).judge(Lines(tips, unit(entries - tips))).lung
    worst: list[float] = []
    for n in np.argsort(crossed, kind="stable"):
        if len(worst) < 6 and stays_safe(name, tips[n], entries[n]):
            worst.append(oracle(name).judge(displaced(tips[n], entries[n], RADIUS_MM, 12)).lung.max())
    assert len(worst) == 6
    assert least.quantities[0, LUNG] <= min(worst) + TOLERANCE_MM


@pytest.mark.parametrize("name", CHESTS)
def test_no_safe_line_crosses_less_lung_than_the_bound(name):
    done = found(name, RADIUS_MM)
    bound = lung_bound_mm(fields_of(name), done.blocks, done.alive)
    true = oracle(name).judge(random_lines(small_chest(name), 3000, seed=44))
    assert 0.0 <= bound <= true.lung[true.safe].min() + TOLERANCE_MM
    assert bound <= done.lines.quantities[:, LUNG].min() + TOLERANCE_MM


SHAFT_MM = 4.0


def shielded(clearance_mm: float) -> Chest:
    """A node in a hollow of a bone; the only way in is a square shaft, SHAFT_MM wide and 5 mm deep."""
    grid = grid_of((40, 40, 40))
    hollow = box_mask(grid.shape, ((13, 13, 13), (27, 27, 27)), ((18, 18, 27), (22, 22, 32)))
    masks = {
        "body": (Role.SKIN, box_mask(grid.shape, ((4, 4, 4), (36, 36, 36)))),
        "sternum": (Role.FORBIDDEN, box_mask(grid.shape, ((8, 8, 8), (32, 32, 32))) & ~hollow),
        "node": (Role.TARGET, box_mask(grid.shape, ((17, 17, 17), (23, 23, 23)))),
    }
    request = Request(needle=Needle(max_length_mm=60.0), clearance_mm={"default": clearance_mm})
    return without_table(posed(grid, masks, request))


@pytest.mark.parametrize("radius_mm", [1.0, 0.5])
def test_a_gap_narrower_than_needle_and_clearance_is_shown_to_let_nothing_through(radius_mm):
    chest = shielded(SHAFT_MM / 2 - Needle().radius_mm + 1e-3)
    result = search(search_fields(chest.scene, chest.request), radius_mm, always)
    assert result.complete
    assert result.radius_mm <= radius_mm
    assert len(result.lines) == 0


@pytest.mark.parametrize("radius_mm", [1.0, 0.5])
def test_a_gap_is_found_that_leaves_just_the_radius_to_either_side(radius_mm):
    chest = shielded(SHAFT_MM / 2 - Needle().radius_mm - radius_mm)
    result = search(search_fields(chest.scene, chest.request), radius_mm, always)
    assert result.complete
    assert len(result.lines) > 0
    assert Oracle(chest).judge(Lines(result.lines.point_B, result.lines.outward_B)).safe.all()
    middle = Needles(np.array([[19.5, 19.5, 16.5]]), np.array([[19.5, 19.5, 35.5]]))
    assert to_nearest(middle, result.lines, radius_mm)[0] <= radius_mm + TOLERANCE_MM
