"""The search compared with brute force: exact distances to all voxel boxes, exact chords, sampled
displacements.

The oracle uses nothing of the planner's kernels, and no distance field. Voxels are joined to larger boxes.
The distance from a segment to a box is convex along the segment, so bisection of its slope finds the minimum;
crossings of an axis follow from the planes of the boxes. Beyond the field of view, the scene continues as at
its nearest point.
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
def keep_every_safe_line() -> Iterator[None]:
    """Without this, small cells give only the best line of their parent."""
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
def search_result(name: str, radius_mm: float) -> SearchResult:
    return search(fields_of(name), radius_mm, always)


def assert_verdicts_are_correct(oracle: Oracle, fields: SearchFields, lines: Lines) -> np.ndarray:
    """Asserts that verdicts and quantities agree with brute force; returns the verdicts."""
    verdict, quantities = line.test_lines(fields, lines.point, lines.outward)
    expected = oracle.judge(lines)
    safe, certain = verdict == verdicts.SAFE, ~expected.doubtful
    wrong = certain & (safe != expected.safe)
    assert not wrong.any(), list(zip(verdict[wrong], expected.margin[wrong], strict=True))
    assert expected.reasons[np.arange(len(lines)), verdict][certain & ~safe].all()
    for column, exact in (
        (TIP, expected.tip),
        (LENGTH, expected.length),
        (CHORD, expected.chord),
        (LUNG, expected.lung),
    ):
        error_mm = np.abs(quantities[:, column] - exact)[safe & certain]
        assert error_mm.max(initial=0.0) < TOLERANCE_MM
    return verdict


@pytest.mark.parametrize("name", CHESTS)
def test_every_verdict_and_length_agrees_with_brute_force(name):
    lines = random_lines(small_chest(name), 6000, seed=11)
    missing = perturbed(random_lines(small_chest(name), 300, seed=12), 6.0, seed=13)
    verdict = assert_verdicts_are_correct(oracle(name), fields_of(name), lines)
    assert 100 < np.count_nonzero(verdict == verdicts.SAFE) < 5900
    assert_verdicts_are_correct(oracle(name), fields_of(name), missing)
    assert np.count_nonzero(oracle(name).judge(missing).chord == 0.0) > 100


def test_the_chests_refuse_lines_for_every_reason():
    seen = {verdicts.MISSES_TARGET}
    for name in CHESTS:
        lines = random_lines(small_chest(name), 3000, seed=11)
        seen |= set(line.test_lines(fields_of(name), lines.point, lines.outward)[0].tolist())
    assert seen | {verdicts.TIP_OUTSIDE} == set(verdicts.VERDICTS)


@pytest.mark.interpreted
@pytest.mark.parametrize("name", CHESTS)
def test_verdicts_on_a_coarse_field_agree_with_brute_force(name):
    chest = small_chest(name)
    coarse = replace(chest.request, search=SearchRequest(field_resolution_mm=4.0))
    lines = random_lines(chest, 120, seed=14)
    lines = concatenated([lines, perturbed(lines.take(np.arange(20)), 6.0, seed=15)])
    assert_verdicts_are_correct(oracle(name), search_fields(chest.scene, coarse), lines)


HALVINGS = 20
"""From lines a few mm apart to lines a few nm apart."""


@cache
def lines_near_boundary(name: str) -> tuple[Lines, Lines]:
    """Lines closer and closer to the boundary between safe and unsafe, and the safe ones nearest to it, found
    by bisection between safe lines and unsafe neighbours."""
    lines = random_lines(small_chest(name), 3000, seed=21)
    neighbours = perturbed(lines, 2.0, seed=22)
    pairs = np.flatnonzero(oracle(name).judge(lines).safe & ~oracle(name).judge(neighbours).safe)[:300]
    safe_lines, unsafe_lines = lines.take(pairs), neighbours.take(pairs)
    midpoints = []
    for _ in range(HALVINGS):
        middle = Lines(
            0.5 * (safe_lines.point + unsafe_lines.point), unit(safe_lines.outward + unsafe_lines.outward)
        )
        safe = oracle(name).judge(middle).safe
        safe_lines, unsafe_lines = (
            select_lines(safe, middle, safe_lines),
            select_lines(safe, unsafe_lines, middle),
        )
        midpoints.append(middle)
    return concatenated(midpoints), safe_lines


@pytest.mark.representative(2)
@pytest.mark.parametrize("name", CHESTS)
def test_verdicts_agree_with_brute_force_near_the_boundary_of_safety(name):
    lines, barely_safe = lines_near_boundary(name)
    assert len(barely_safe) > 40
    assert_verdicts_are_correct(oracle(name), fields_of(name), lines)


@pytest.mark.parametrize("quanta", [83.01, 83.02, 83.35, 83.99])
def test_a_line_barely_above_its_need_is_safe_for_any_field_rounding(quanta):
    """Fields have steps of 1/64 mm. The axis runs along a wall and over nodes of the field, whose distance to
    the wall rounds down by more than a step; the need rounds up by a little or by almost a step."""
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
    excess_mm = (-1e-3, -1e-5, 1e-5, 1e-4, 1e-3, 1e-2)
    points = np.array([(11.5 * h + need + by, 18.5 * h, 17.0 * h) for by in excess_mm])
    lines = Lines(points, np.tile([0.0, 0.0, 1.0], (len(excess_mm), 1)))
    assert_verdicts_are_correct(Oracle(chest), search_fields(chest.scene, request), lines)


@dataclass(frozen=True, eq=False)
class CellsOfLines:
    """The cells of lines after a level: each line's block and coordinates there, the cell that contains it
    (-1: dropped) and the centre of that cell, dropped or not (NaN where a block has no cell left)."""

    block: np.ndarray
    place: np.ndarray
    cell: np.ndarray
    middle: np.ndarray


def cells_of_lines(result: SearchResult, lines: Lines) -> CellsOfLines:
    """The cells of the lines among `result.alive`. A block's cells are boxes of a lattice."""
    b, cells = result.blocks, result.alive
    block = np.argmax(lines.outward @ b.w.T, axis=1)
    place = np.concatenate([pierced(b, block, lines, plane) for plane in (b.depth_a, b.depth_c)], axis=1)
    cell, middle = np.full(len(lines), -1), np.full((len(lines), 4), np.nan)
    for n in np.unique(block):
        cells_in_block, lines_in_block = np.flatnonzero(cells.block == n), np.flatnonzero(block == n)
        if not len(cells_in_block):
            continue
        origin, width = cells.centre[cells_in_block[0]], 2.0 * cells.half[cells_in_block[0]][[0, 0, 1, 1]]
        cell_index, line_index = (
            np.round((x - origin) / width).astype(int)
            for x in (cells.centre[cells_in_block], place[lines_in_block])
        )
        middle[lines_in_block] = origin + line_index * width
        lowest = np.minimum(cell_index.min(axis=0), line_index.min(axis=0))
        shape = np.maximum(cell_index.max(axis=0), line_index.max(axis=0)) - lowest + 1
        cell_keys, line_keys = (np.ravel_multi_index((x - lowest).T, shape) for x in (cell_index, line_index))
        order = np.argsort(cell_keys)
        candidates = order[
            np.minimum(np.searchsorted(cell_keys, line_keys, sorter=order), len(cells_in_block) - 1)
        ]
        cell[lines_in_block] = np.where(cell_keys[candidates] == line_keys, cells_in_block[candidates], -1)
    return CellsOfLines(block, place, cell, middle)


def pierced(b: Blocks, block: np.ndarray, lines: Lines, plane: np.ndarray) -> np.ndarray:
    """Coordinates (n, 2) of the lines in their blocks' planes at these depths. [mm]"""
    w, from_centre = b.w[block], lines.point - b.centre
    s = (plane[block] - (from_centre * w).sum(axis=1)) / (lines.outward * w).sum(axis=1)
    points = from_centre + s[:, None] * lines.outward
    return np.stack([(points * b.e1[block]).sum(axis=1), (points * b.e2[block]).sum(axis=1)], axis=1)


@cache
def many_lines(name: str) -> tuple[Lines, np.ndarray, np.ndarray]:
    """Lines, including barely safe ones, with their verdicts and quantities, which other tests check."""
    lines = concatenated([random_lines(small_chest(name), 100_000, seed=31), lines_near_boundary(name)[1]])
    return lines, *line.test_lines(fields_of(name), lines.point, lines.outward)


@pytest.mark.representative(4)
@pytest.mark.parametrize("radius_mm", [4.0, 1.0])
@pytest.mark.parametrize("name", CHESTS)
def test_no_cell_with_a_safe_line_is_proved_blocked(name, radius_mm):
    lines, verdict, quantities = many_lines(name)
    safe = verdict == verdicts.SAFE
    lines, quantities = lines.take(safe), quantities[safe]
    result = search_result(name, radius_mm)
    cells = cells_of_lines(result, lines)
    assert (cells.cell >= 0).all()
    excess_mm = (
        np.abs(result.alive.centre[cells.cell] - cells.place) - result.alive.half[cells.cell][:, [0, 0, 1, 1]]
    )
    assert excess_mm.max() <= TOLERANCE_MM
    # No line of a cell touches the target before the first depth, and all safe lines have left the body at
    # the second. Depths are float32.
    w = result.blocks.w[cells.block]
    cosine = (lines.outward * w).sum(axis=1)
    from_a = ((lines.point - result.blocks.centre) * w).sum(axis=1) - result.blocks.depth_a[cells.block]
    tip = from_a + quantities[:, TIP] * cosine
    assert (result.alive.depths[cells.cell, 0] <= tip + 1e-4).all()
    assert (result.alive.depths[cells.cell, 1] >= tip + quantities[:, LENGTH] * cosine - 1e-4).all()


CORNERS = np.array(list(product((-1.0, 1.0), repeat=4)))


@pytest.mark.representative(4)
@pytest.mark.parametrize("radius_mm", [2.0, 1.0])
@pytest.mark.parametrize("name", CHESTS)
def test_no_corner_of_a_cell_proved_blocked_is_safe(name, radius_mm):
    """An unsound proof would first lose the lines farthest from a cell's centre line."""
    result, lines = search_result(name, radius_mm), many_lines(name)[0]
    cells = cells_of_lines(result, concatenated([lines, perturbed(lines, 4.0, seed=32)]))
    dropped = np.flatnonzero((cells.cell < 0) & np.isfinite(cells.middle).all(axis=1))
    _, first_rows = np.unique(
        np.column_stack([cells.block, cells.middle.round(6)])[dropped], axis=0, return_index=True
    )
    dropped = dropped[first_rows]
    assert len(dropped) > 500
    half = result.alive.half[0, 0]
    assert (result.alive.half == half).all()
    middle = cells.middle[dropped, None] + 0.9999 * half * CORNERS
    block = np.repeat(cells.block[dropped], len(CORNERS))
    corners = Cells(block, middle.reshape(-1, 4), np.zeros((len(block), 2)), np.zeros((len(block), 3)))
    point, outward = lines_of(result.blocks, corners)
    in_own_block = np.argmax(outward @ result.blocks.w.T, axis=1) == block
    verdict, _ = line.test_lines(fields_of(name), point[in_own_block], outward[in_own_block])
    assert np.count_nonzero(verdict == verdicts.SAFE) == 0


RADIUS_MM = 1.0
"""A covering radius for which the chests' windows are wide enough. [mm]"""


def safe_needles(name: str, lines: Lines) -> Needles:
    """The lines that brute force finds safe, as needles."""
    judged = oracle(name).judge(lines)
    tip = lines.point + judged.tip[:, None] * lines.outward
    return Needles(tip, tip + judged.length[:, None] * lines.outward).take(judged.safe)


def lines_between_tested(name: str, radius_mm: float, count: int) -> Lines:
    """Lines as far from found ones as the corners of their cells, for cells of the last level."""
    rng = np.random.default_rng(41)
    result = search_result(name, radius_mm)
    net_lines = result.lines.take(rng.integers(len(result.lines), size=count))
    b, block = result.blocks, np.argmax(net_lines.outward_B @ result.blocks.w.T, axis=1)
    ends = []
    for plane in (b.depth_a, b.depth_c):
        to_plane = plane[block] - ((net_lines.point_B - b.centre) * b.w[block]).sum(axis=1)
        points = (
            net_lines.point_B
            + (to_plane / (net_lines.outward_B * b.w[block]).sum(axis=1))[:, None] * net_lines.outward_B
        )
        offset_mm = rng.choice([-1.0, 1.0], (count, 2)) * radius_mm / np.sqrt(2.0)
        ends.append(points + offset_mm[:, :1] * b.e1[block] + offset_mm[:, 1:] * b.e2[block])
    return Lines(ends[0], unit(ends[1] - ends[0]))


@cache
def needles(name: str, radius_mm: float) -> Needles:
    """Safe needles: random ones, and ones as far as possible from those tested at a radius."""
    at_random, between = (
        random_lines(small_chest(name), 400, seed=42),
        lines_between_tested(name, radius_mm, 250),
    )
    return safe_needles(name, concatenated([at_random, between]))


def displaced(tip: np.ndarray, entry: np.ndarray, radius_mm: float, direction_count: int) -> Lines:
    """The line displaced laterally at tip and skin: by zero, half the radius and the radius, in
    `direction_count` directions, in all combinations."""
    turn = 2.0 * np.pi * np.arange(direction_count) / direction_count
    ring = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    disc = radius_mm * np.concatenate([ring, np.zeros((1, 2)), 0.5 * ring])
    direction = unit(entry - tip)
    e1 = unit(np.cross(direction, np.eye(3)[np.argmin(np.abs(direction))]))
    offsets = disc @ np.stack([e1, np.cross(direction, e1)])
    tip_index, entry_index = (
        n.ravel() for n in np.meshgrid(np.arange(len(offsets)), np.arange(len(offsets)))
    )
    return Lines(tip + offsets[tip_index], unit(entry + offsets[entry_index] - tip - offsets[tip_index]))


DIRECTION_COUNTS = (4, 8, 12)
"""Numbers of displacement directions, few first: most lines that become unsafe do so with few."""


def stays_safe(name: str, tip: np.ndarray, entry: np.ndarray) -> bool:
    """Whether a line is safe under all sampled displacements up to RADIUS_MM."""
    return all(
        oracle(name).judge(displaced(tip, entry, RADIUS_MM, direction_count)).safe.all()
        for direction_count in DIRECTION_COUNTS
    )


def count_without_neighbour(name: str, needles: Needles, net: SafeLines) -> int:
    """The number of needles that stay safe under all displacements and have no line of the net within
    RADIUS_MM. A net of this covering radius gives zero."""
    alone = needles.take(to_nearest(needles, net, RADIUS_MM) > RADIUS_MM + TOLERANCE_MM)
    return sum(stays_safe(name, tip, entry) for tip, entry in zip(alone.tip, alone.entry, strict=True))


@pytest.mark.parametrize("name", CHESTS)
def test_each_path_that_stays_safe_when_displaced_has_a_tested_safe_neighbour(name):
    result = search_result(name, RADIUS_MM)
    assert result.complete
    assert result.radius_mm <= RADIUS_MM
    assert count_without_neighbour(name, needles(name, RADIUS_MM), result.lines) == 0


@pytest.mark.parametrize("name", ["plain", "cut"])
def test_the_check_of_neighbours_detects_a_net_twice_as_wide(name):
    wide = 2.0 * RADIUS_MM
    assert count_without_neighbour(name, needles(name, wide), search_result(name, wide).lines) > 0


@pytest.mark.representative(2)
@pytest.mark.parametrize("name", CHESTS)
def test_the_least_lung_is_at_most_the_largest_of_any_displaced_path(name):
    lines = search_result(name, RADIUS_MM).lines
    best_lines = lines.take(np.argsort(lines.quantities[:, LUNG], kind="stable")[:200])
    nearby = safe_needles(
        name, perturbed(Lines(best_lines.point_B, best_lines.outward_B), 0.5 * RADIUS_MM, seed=43)
    )
    random_needles = needles(name, RADIUS_MM)
    tips, entries = (
        np.concatenate([nearby.tip, random_needles.tip]),
        np.concatenate([nearby.entry, random_needles.entry]),
    )
    lung_mm = oracle(name).judge(Lines(tips, unit(entries - tips))).lung
    largest_mm: list[float] = []
    for n in np.argsort(lung_mm, kind="stable"):
        if len(largest_mm) < 6 and stays_safe(name, tips[n], entries[n]):
            largest_mm.append(oracle(name).judge(displaced(tips[n], entries[n], RADIUS_MM, 12)).lung.max())
    assert len(largest_mm) == 6
    assert best_lines.quantities[0, LUNG] <= min(largest_mm) + TOLERANCE_MM


@pytest.mark.parametrize("name", CHESTS)
def test_no_safe_line_crosses_less_lung_than_the_bound(name):
    result = search_result(name, RADIUS_MM)
    bound = lung_bound_mm(fields_of(name), result.blocks, result.alive)
    judged = oracle(name).judge(random_lines(small_chest(name), 3000, seed=44))
    assert 0.0 <= bound <= judged.lung[judged.safe].min() + TOLERANCE_MM
    assert bound <= result.lines.quantities[:, LUNG].min() + TOLERANCE_MM


SHAFT_MM = 4.0


def chest_with_shaft(clearance_mm: float) -> Chest:
    """A node in a hollow of a bone; the only opening is a square shaft, SHAFT_MM wide and 5 mm deep."""
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
def test_a_gap_narrower_than_needle_and_clearance_gives_no_line(radius_mm):
    chest = chest_with_shaft(SHAFT_MM / 2 - Needle().radius_mm + 1e-3)
    result = search(search_fields(chest.scene, chest.request), radius_mm, always)
    assert result.complete
    assert result.radius_mm <= radius_mm
    assert len(result.lines) == 0


@pytest.mark.parametrize("radius_mm", [1.0, 0.5])
def test_a_gap_with_exactly_the_radius_on_either_side_is_found(radius_mm):
    chest = chest_with_shaft(SHAFT_MM / 2 - Needle().radius_mm - radius_mm)
    result = search(search_fields(chest.scene, chest.request), radius_mm, always)
    assert result.complete
    assert len(result.lines) > 0
    assert Oracle(chest).judge(Lines(result.lines.point_B, result.lines.outward_B)).safe.all()
    middle = Needles(np.array([[19.5, 19.5, 16.5]]), np.array([[19.5, 19.5, 35.5]]))
    assert to_nearest(middle, result.lines, radius_mm)[0] <= radius_mm + TOLERANCE_MM
