"""The search: its net of lines, covering radius, end and progress, and independence of threads and fields."""

import dataclasses
from collections.abc import Iterator
from dataclasses import is_dataclass, replace

import numpy as np
import pytest
from box_scenes import box_mask, grid_of
from scipy.spatial import ConvexHull
from small_chests import (
    CHESTS,
    MIDDLE_B,
    Chest,
    Lines,
    concatenated,
    ellipsoid,
    masks_of,
    needles_of,
    posed,
    random_lines,
    small_chest,
    to_nearest,
    unit,
    without_table,
)

from anatomy.structures import Role
from planner.measuring.measure import Measurer
from planner.records.progress import Cancelled, Phase, Progress, always
from planner.records.request.needle import Needle
from planner.records.request.pose import PoseRequest
from planner.records.request.request import Request
from planner.records.request.search import SearchRequest
from planner.search.kernels import line
from planner.search.kernels.line import CHORD, FISSURES, LENGTH, LUNG, PUNCTURES, QUANTITIES, TIP
from planner.search.kernels.search_fields import SearchFields
from planner.search.kernels.verdicts import SAFE
from planner.search.line_net import (
    BLOCKS,
    COVERING,
    QUARTERS,
    SIXTEENTHS,
    SKIN_MARGIN_MM,
    Blocks,
    Cells,
    child_cells,
    direction_blocks,
    even_directions,
    lines_of,
    root_cells,
)
from planner.search.lung_bound import lung_bound_mm
from planner.search.scene_fields import search_fields, target_corners_B
from planner.search.search import SafeLines, SearchResult, _thinned, search


@pytest.fixture(autouse=True, scope="module")
def keep_every_safe_line() -> Iterator[None]:
    """Without this, small cells give only the best line of their parent."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("planner.search.search.NEIGHBOURHOOD_MM", 0.0)
        yield


def fields_of(chest: Chest) -> SearchFields:
    return search_fields(chest.scene, chest.request)


def test_the_spread_directions_keep_the_promised_covering_angle():
    """The farthest direction is the normal of a face of their convex hull."""
    for count in (BLOCKS, *range(40, 1001, 3)):
        directions = even_directions(count)
        offset = -ConvexHull(directions).equations[:, 3]
        assert np.arccos(offset.min()) <= COVERING / np.sqrt(count), count


def coordinates(b: Blocks, block: np.ndarray, lines: Lines) -> np.ndarray:
    """Where lines pierce planes A and C of their blocks: a1, a2, c1, c2."""
    w, columns = b.w[block], []
    for depth in (b.depth_a, b.depth_c):
        from_centre = lines.point - b.centre
        s = (depth[block] - (from_centre * w).sum(axis=1)) / (lines.outward * w).sum(axis=1)
        points = from_centre + s[:, None] * lines.outward
        columns += [(points * axis[block]).sum(axis=1) for axis in (b.e1, b.e2)]
    return np.stack(columns, axis=1)


def cells_containing(cells: Cells, block: int, line_coordinates: np.ndarray) -> np.ndarray:
    """Cells of a block that contain the line with these coordinates."""
    excess = np.abs(cells.centre - line_coordinates) - cells.half[:, [0, 0, 1, 1]]
    return np.flatnonzero((cells.block == block) & (excess <= 1e-9).all(axis=1))


@pytest.mark.representative(4)
@pytest.mark.parametrize("half_mm", [11.0, 4.0])
@pytest.mark.parametrize("name", CHESTS)
def test_every_line_through_the_target_lies_in_a_root_cell_of_its_nearest_block(name, half_mm):
    """Random lines, and lines through the target's corners in the directions farthest from all blocks."""
    chest = small_chest(name)
    corners = target_corners_B(fields_of(chest))
    b = direction_blocks(fields_of(chest), corners)
    cells = root_cells(b, corners, half_mm)
    farthest = np.tile(ConvexHull(b.w).equations[:, :3], (5, 1))
    outermost = np.array(
        [corners[np.argmax(corners @ d)] for d in np.random.default_rng(2).normal(size=farthest.shape)]
    )
    lines = concatenated([random_lines(chest, 1000, seed=1), Lines(outermost, farthest)])
    block = np.argmax(lines.outward @ b.w.T, axis=1)
    for n, line_coordinates in enumerate(coordinates(b, block, lines)):
        assert len(cells_containing(cells, block[n], line_coordinates))


def test_plane_c_lies_just_beyond_the_skin_for_any_voxel_size():
    """A ball-shaped body of 35 mm around a node: the skin is equally deep in every direction, within a step
    of the search rays and half a voxel's diagonal."""
    grid = grid_of((42, 28, 20), (2.0, 3.0, 4.0))
    middle = np.array([20, 13, 10]) * grid.spacing_mm
    masks = {
        "body": (Role.SKIN, ellipsoid(grid, middle, (35.0, 35.0, 35.0))),
        "node": (Role.TARGET, ellipsoid(grid, middle, (5.0, 5.0, 5.0))),
    }
    fields = fields_of(without_table(posed(grid, masks, Request())))
    b = direction_blocks(fields, target_corners_B(fields))
    half_diagonal = 0.5 * float(np.linalg.norm(grid.spacing_mm))
    assert np.abs(b.depth_c - 35.0 - SKIN_MARGIN_MM).max() <= half_diagonal + 2.0


def test_the_centre_line_of_a_cell_has_the_cells_centre_coordinates():
    chest = small_chest("oblique")
    corners = target_corners_B(fields_of(chest))
    b = direction_blocks(fields_of(chest), corners)
    cells = root_cells(b, corners, 5.0)
    point, outward = lines_of(b, cells)
    assert np.allclose(np.linalg.norm(outward, axis=1), 1.0)
    assert np.allclose(coordinates(b, cells.block, Lines(point, outward)), cells.centre, atol=1e-9)
    assert ((outward * b.w[cells.block]).sum(axis=1) > 0.0).all()


@pytest.mark.interpreted
@pytest.mark.parametrize("per_parent", [QUARTERS, SIXTEENTHS])
def test_children_tile_their_parent(per_parent):
    rng = np.random.default_rng(2)
    parents = Cells(
        np.array([7, 3]),
        rng.uniform(-20, 20, (2, 4)),
        np.array([[2.0, 3.0], [1.0, 0.5]]),
        np.zeros((2, 3)),
    )
    cells = child_cells(parents, np.arange(2 * per_parent), per_parent, np.ones((2 * per_parent, 3)))
    for parent in range(2):
        children = cells.take(slice(parent * per_parent, (parent + 1) * per_parent))
        assert (children.block == parents.block[parent]).all()
        sides, side = parents.half[parent, [0, 0, 1, 1]], children.half[:, [0, 0, 1, 1]]
        assert np.isclose(side.prod(axis=1).sum(), sides.prod())
        assert (np.abs(children.centre - parents.centre[parent]) + side <= sides + 1e-12).all()
        for line_coordinates in parents.centre[parent] + rng.uniform(-1, 1, (200, 4)) * sides:
            assert len(cells_containing(children, children.block[0], line_coordinates)) == 1
        # QUARTERS do not divide plane A.
        assert (
            children.half[:, 0] == parents.half[parent, 0] * (1.0 if per_parent == QUARTERS else 0.5)
        ).all()


def open_chest(half_node: int) -> Chest:
    """A box-shaped body, 40 x 36 x 32 mm, with a box-shaped node in the middle and no obstacles: all lines
    through the node are safe."""
    grid = grid_of((64, 60, 56))
    middle = np.array(grid.shape) // 2
    masks = {
        "body": (Role.SKIN, box_mask(grid.shape, ((12, 12, 12), (52, 48, 44)))),
        "node": (Role.TARGET, box_mask(grid.shape, (tuple(middle - half_node), tuple(middle + half_node)))),
    }
    pose = PoseRequest(bore_diameter_mm=2000.0)
    return without_table(posed(grid, masks, Request(needle=Needle(max_length_mm=80.0), pose=pose)))


def largest_gap_mm(chest: Chest, result: SearchResult, half_node: float) -> float:
    """The largest distance from the nearest safe line, among lines that stay in the node when displaced by
    the reached radius: random lines, and lines as far from found ones as the corners of cells."""
    rng = np.random.default_rng(3)
    middle = np.array(chest.scene.grid.shape) // 2 - 0.5
    reach_mm = half_node - result.radius_mm
    at_random = Lines(middle + rng.uniform(-reach_mm, reach_mm, (60, 3)), unit(rng.normal(size=(60, 3))))
    net_lines = result.lines.take(rng.integers(len(result.lines), size=200))
    block = np.argmax(net_lines.outward_B @ result.blocks.w.T, axis=1)
    line_coordinates = coordinates(result.blocks, block, Lines(net_lines.point_B, net_lines.outward_B))
    line_coordinates += rng.choice([-1.0, 1.0], line_coordinates.shape) * result.radius_mm / np.sqrt(2.0)
    at_corner = Lines(
        *lines_of(result.blocks, Cells(block, line_coordinates, np.zeros((200, 2)), np.zeros((200, 3))))
    )
    lines = concatenated([at_random, at_corner])
    from_middle = lines.point - middle
    offset_mm = from_middle - (from_middle * lines.outward).sum(axis=1)[:, None] * lines.outward
    lines = lines.take(np.abs(offset_mm).max(axis=1) <= reach_mm)
    verdict, quantities = line.test_lines(fields_of(chest), lines.point, lines.outward)
    assert (verdict == SAFE).all()
    needles = needles_of(SafeLines(lines.point, lines.outward, quantities))
    return float(to_nearest(needles, result.lines, 1.5 * result.radius_mm).max())


def test_the_covering_radius_is_correct_and_nearly_tight():
    chest = open_chest(3)
    result = search(fields_of(chest), 1.0, always)
    assert result.complete
    assert 0.8 < largest_gap_mm(chest, result, 3.0) <= result.radius_mm <= 1.0


@pytest.mark.representative(4)
@pytest.mark.parametrize("radius_mm", [0.9, 1.1, 1.3, 1.7, 2.3, 3.3, 7.0, 9.0])
def test_a_complete_search_reaches_the_requested_radius(radius_mm):
    result = search(fields_of(small_chest("plain")), radius_mm, always)
    assert result.complete
    assert result.radius_mm <= radius_mm


class StopAfter:
    """A progress callback that stops the search after a number of calls."""

    def __init__(self, max_calls: int) -> None:
        self.max_calls = max_calls
        self.calls: list[Progress] = []

    def __call__(self, progress: Progress) -> bool:
        self.calls.append(progress)
        return len(self.calls) <= self.max_calls


@pytest.mark.parametrize("max_calls", [0, 3, 12, 30])
def test_a_stopped_search_returns_its_lines_and_a_correct_radius(monkeypatch, max_calls):
    monkeypatch.setattr("planner.search.search.PARENTS_AT_A_TIME", 400)
    chest = open_chest(10)
    result = search(fields_of(chest), 1.0, StopAfter(max_calls))
    assert not result.complete
    assert 1.0 < result.radius_mm < np.inf
    assert len(result.lines) > 0
    assert largest_gap_mm(chest, result, 10.0) <= result.radius_mm


def test_the_first_level_always_completes(monkeypatch):
    monkeypatch.setattr("planner.search.search.PARENTS_AT_A_TIME", 50)
    callback = StopAfter(0)
    result = search(fields_of(open_chest(3)), 4.0, callback)
    assert {p.text for p in callback.calls} == {"covering radius 8 mm"}
    assert len(callback.calls) > 9
    # Of two levels, the second counts as twice as long.
    assert callback.calls[-1].fraction == pytest.approx(1 / 3)
    assert not result.complete
    assert result.radius_mm < np.inf


@pytest.mark.parametrize("name", CHESTS)
def test_a_search_stopped_after_the_first_level_calls_no_more(name):
    callback = StopAfter(1)
    result = search(fields_of(small_chest(name)), 1.0, callback)
    assert len(callback.calls) == 2
    assert not result.complete


def test_a_search_out_of_levels_states_a_correct_radius(monkeypatch):
    """Cells that reach far beyond their plane C need the extra levels to cover the requested radius."""
    chest = open_chest(3)
    assert search(fields_of(chest), 2.0, always).complete
    monkeypatch.setattr("planner.search.search.EXTRA_LEVELS", 0)
    result = search(fields_of(chest), 2.0, always)
    assert not result.complete
    assert largest_gap_mm(chest, result, 3.0) <= result.radius_mm
    assert 2.0 < result.radius_mm < 4.0


def test_progress_is_the_fraction_of_the_whole_search(monkeypatch):
    monkeypatch.setattr("planner.search.search.PARENTS_AT_A_TIME", 500)
    callback = StopAfter(10**6)
    search(fields_of(small_chest("plain")), 4.0, callback)
    assert {p.phase for p in callback.calls} == {Phase.SEARCH}
    levels = list(dict.fromkeys(p.text for p in callback.calls))
    assert levels == ["covering radius 8 mm", "covering radius 4 mm"]
    fractions = [p.fraction for p in callback.calls]
    assert fractions == sorted(fractions) and len(set(fractions)) > len(levels)
    assert fractions[0] > 0.0 and fractions[-1] == 1.0


def test_a_cancelled_search_raises():
    def cancel(progress: Progress) -> bool:
        raise Cancelled

    with pytest.raises(Cancelled):
        search(fields_of(small_chest("plain")), 4.0, cancel)


def bytes_of(value: object) -> bytes:
    """All bytes of a record of arrays and numbers."""
    if is_dataclass(value):
        return b"|".join(bytes_of(getattr(value, field.name)) for field in dataclasses.fields(value))
    return value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()


@pytest.mark.representative(2)
@pytest.mark.parametrize("name", CHESTS)
def test_one_thread_and_many_find_the_same(monkeypatch, name):
    results = set()
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("SEEDPATH_THREADS", threads)
        results.add(bytes_of(search(fields_of(small_chest(name)), 2.0, always)))
    assert len(results) == 1


def rows(*columns: np.ndarray) -> set[bytes]:
    """The exact bytes of each row."""
    return {row.tobytes() for row in np.concatenate(columns, axis=1, dtype=float)}


NUMBERS = [TIP, LENGTH, CHORD, LUNG, PUNCTURES, FISSURES]


@pytest.mark.representative(1)
@pytest.mark.parametrize("name", ["plain", "oblique", "cut"])
def test_found_lines_are_independent_of_the_field_resolution(name):
    """In these chests, every cell ends at the same level, so the same lines are tested last."""
    chest = small_chest(name)
    results = []
    for resolution in (0.7, 1.0, 2.0):
        request = replace(chest.request, search=SearchRequest(field_resolution_mm=resolution))
        lines = search(search_fields(chest.scene, request), 2.0, always).lines
        results.append(rows(lines.point_B, lines.outward_B, lines.quantities[:, NUMBERS]))
    assert len(results[0]) > 1000
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("name", CHESTS)
def test_verdicts_are_independent_of_the_field_resolution(name):
    chest = small_chest(name)
    lines = random_lines(chest, 20_000, seed=5)
    results = []
    for resolution in (0.7, 1.0, 2.0):
        request = replace(chest.request, search=SearchRequest(field_resolution_mm=resolution))
        verdict, quantities = line.test_lines(search_fields(chest.scene, request), lines.point, lines.outward)
        safe = np.flatnonzero(verdict == SAFE)
        results.append((safe.tolist(), quantities[safe][:, NUMBERS].tolist()))
    assert results[0] == results[1] == results[2]


def assert_search_agrees_with_measuring(chest: Chest) -> None:
    """The search's quantities of its lines agree with measured paths, which walk the voxels differently."""
    lines = search(fields_of(chest), 4.0, always).lines
    lines = lines.take(np.random.default_rng(6).integers(len(lines), size=60))
    measurer, grid = Measurer(chest.scene, chest.request.needle_assembly), chest.scene.grid
    points, outward = grid.to_patient(lines.point_B), grid.vectors_to_patient(lines.outward_B)
    for n in range(len(lines)):
        path = measurer.measure(points[n], outward[n])
        assert path is not None
        found = lines.quantities[n, [LENGTH, CHORD, LUNG, PUNCTURES, FISSURES]]
        measured = [path.length_mm, path.target_chord_mm, path.lung_length_mm]
        assert found == pytest.approx([*measured, path.pleural_punctures, path.fissures_crossed], abs=1e-4)


@pytest.mark.parametrize("name", CHESTS)
def test_quantities_of_found_lines_agree_with_measuring(name):
    assert_search_agrees_with_measuring(small_chest(name))


def test_search_and_measuring_count_the_same_fissures_where_lobes_overlap():
    """The second of three lobes overlaps the others, which share a layer of labels."""
    chest = small_chest("plain")
    masks = masks_of(chest)
    overlapping = ellipsoid(chest.scene.grid, np.add(MIDDLE_B, (3, 0, 0)), (16, 14, 15)) & ~masks["node"][1]
    first = {name: masks.pop(name) for name in ("body", "lung_upper_lobe_left")}
    assert_search_agrees_with_measuring(
        posed(
            chest.scene.grid,
            {**first, "lung_middle_lobe_right": (Role.LUNG, overlapping), **masks},
            chest.request,
        )
    )


def chest_in_lung(corridor: bool = False, length: float = 80.0) -> Chest:
    """A node of 6 mm in the middle of lung, which is 14, 18 and 16 mm thick beside it, in a wall of 6 mm.
    Optionally, a corridor without lung leads to the front, 4 mm wide on either side of the middle."""
    grid = grid_of((70, 78, 74))
    middle = np.array(grid.shape) // 2

    def around(*half: int) -> np.ndarray:
        return box_mask(grid.shape, (tuple(middle - half), tuple(middle + half)))

    corridor_mask = box_mask(grid.shape, ((31, 0, 33), (39, 39, 41)))
    masks = {
        "body": (Role.SKIN, around(23, 27, 25)),
        "lung_upper_lobe_left": (
            Role.LUNG,
            around(17, 21, 19) & ~corridor_mask if corridor else around(17, 21, 19),
        ),
        "node": (Role.TARGET, around(3, 3, 3)),
    }
    pose = PoseRequest(bore_diameter_mm=2000.0)
    return without_table(posed(grid, masks, Request(needle=Needle(max_length_mm=length), pose=pose)))


@pytest.mark.parametrize("radius_mm", [2.0, 1.0])
def test_a_node_in_lung_is_reached_through_the_thinnest_side(radius_mm):
    """Every path crosses at least 14 mm of lung. The straight one from the middle is 26 mm long from tip to
    skin; the largest displacement tilts it by twice the radius."""
    chest = chest_in_lung()
    result = search(fields_of(chest), radius_mm, always)
    least_lung_mm = result.lines.quantities[:, LUNG].min()
    assert result.complete
    assert 14.0 - 1e-5 <= least_lung_mm <= 14.0 * np.hypot(1.0, 2.0 * radius_mm / 26.0)
    bound = lung_bound_mm(fields_of(chest), result.blocks, result.alive)
    assert 0.0 <= bound <= 14.0
    assert bound > 0.0 or radius_mm > 1.0


def test_a_corridor_without_lung_is_found():
    result = search(fields_of(chest_in_lung(corridor=True)), 2.0, always)
    without_lung = result.lines.quantities[:, LUNG] == 0.0
    assert result.complete
    assert without_lung.any()
    assert (result.lines.outward_B[without_lung, 1] < -0.9).all()
    assert (result.lines.quantities[result.lines.outward_B[:, 1] > 0.0, LUNG] > 10.0).all()
    assert lung_bound_mm(fields_of(chest_in_lung(corridor=True)), result.blocks, result.alive) == 0.0


def test_a_needle_shorter_than_every_path_finds_no_line():
    """The skin is 20, 24 and 22 mm from the node's sides."""
    short = search(fields_of(chest_in_lung(length=19.9)), 2.0, always)
    assert short.complete
    assert len(short.lines) == 0
    assert len(search(fields_of(chest_in_lung(length=40.0)), 2.0, always).lines) > 0


def test_a_body_that_nearly_fills_the_field_of_view_is_searched_completely():
    """A millimetre of air around a box-shaped body, and a needle that reaches far beyond it."""
    grid = grid_of((46, 42, 38))
    masks = {
        "body": (Role.SKIN, box_mask(grid.shape, ((1, 1, 1), (45, 41, 37)))),
        "node": (Role.TARGET, box_mask(grid.shape, ((20, 18, 16), (26, 24, 22)))),
    }
    pose = PoseRequest(bore_diameter_mm=2000.0)
    chest = without_table(posed(grid, masks, Request(needle=Needle(max_length_mm=60.0), pose=pose)))
    # If cells multiplied without end, the callback would stop the search, which is then not complete.
    result = search(fields_of(chest), 4.0, StopAfter(12))
    assert result.complete
    assert result.radius_mm <= 4.0


@pytest.mark.parametrize("radius_mm", [4.0, 2.0])
def test_a_narrow_fold_in_front_of_a_thick_body_part_is_searched_completely(radius_mm):
    """A node near the skin; 3 mm beyond the skin an arm of 30 mm that the body includes."""
    grid = grid_of((95, 50, 44))
    chest_wall = ((8, 8, 8), (50, 42, 36))
    arm = ((53, 8, 8), (83, 42, 36))
    shoulder = ((50, 8, 8), (53, 14, 36))
    masks = {
        "body": (Role.SKIN, box_mask(grid.shape, chest_wall, arm, shoulder)),
        "vertebrae": (Role.FORBIDDEN, box_mask(grid.shape, ((8, 8, 8), (30, 42, 36)))),
        "node": (Role.TARGET, box_mask(grid.shape, ((38, 24, 20), (44, 30, 26)))),
    }
    pose = PoseRequest(bore_diameter_mm=2000.0)
    chest = without_table(posed(grid, masks, Request(needle=Needle(max_length_mm=80.0), pose=pose)))
    result = search(fields_of(chest), radius_mm, StopAfter(40))
    assert result.complete
    assert result.radius_mm <= radius_mm


@pytest.mark.interpreted
def test_a_tiny_search_finds_safe_lines_with_correct_quantities(monkeypatch):
    """The search uses the smallest number of blocks that covers all directions."""
    monkeypatch.setattr("planner.search.line_net.BLOCKS", 40)
    grid = grid_of((14, 13, 12), (3.0, 3.0, 3.0))
    masks = {
        "body": (Role.SKIN, box_mask(grid.shape, ((3, 3, 3), (11, 10, 9)))),
        "lung_upper_lobe_left": (Role.LUNG, box_mask(grid.shape, ((8, 4, 4), (10, 9, 8)))),
        "heart": (Role.FORBIDDEN, box_mask(grid.shape, ((4, 4, 4), (5, 9, 8)))),
        "node": (Role.TARGET, box_mask(grid.shape, ((6, 4, 4), (9, 8, 7)))),
    }
    request = Request(needle=Needle(max_length_mm=40.0), search=SearchRequest(field_resolution_mm=3.0))
    chest = without_table(posed(grid, masks, request))
    result = search(fields_of(chest), 20.0, always)
    assert result.complete
    assert result.radius_mm <= 20.0
    assert len(result.lines) > 100
    assert lung_bound_mm(fields_of(chest), result.blocks, result.alive) == 0.0
    verdict, quantities = line.test_lines(fields_of(chest), result.lines.point_B, result.lines.outward_B)
    assert (verdict == SAFE).all()
    assert np.allclose(quantities[:, NUMBERS], result.lines.quantities[:, NUMBERS], atol=1e-4)


def test_small_cells_give_the_best_line_of_each_parent_and_keep_the_least_lung(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chest = small_chest("cut")
    all_results = search(fields_of(chest), 1.0, always)
    monkeypatch.setattr("planner.search.search.NEIGHBOURHOOD_MM", 2.0)
    best = search(fields_of(chest), 1.0, always)
    assert len(all_results.lines) == all_results.safe_lines == best.safe_lines > 2 * len(best.lines) > 0
    assert best.lines.quantities[:, LUNG].min() == all_results.lines.quantities[:, LUNG].min()
    assert (best.lines_tested, best.radius_mm) == (all_results.lines_tested, all_results.radius_mm)
    all_points = {row.tobytes() for row in all_results.lines.point_B}
    assert {row.tobytes() for row in best.lines.point_B} <= all_points


def test_too_many_safe_lines_are_thinned_to_the_least_lung_of_each_neighbourhood(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line fewer is allowed than there are, so they are thinned once, at the last level. Neighbourhoods
    are a millimetre in position and a hundredth in direction."""
    chest = small_chest("cut")
    all_results = search(fields_of(chest), 1.0, always)
    monkeypatch.setattr("planner.search.search.MAX_LINES", len(all_results.lines) - 1)
    thinned = search(fields_of(chest), 1.0, always)
    least_lung_mm: dict[tuple[int, ...], float] = {}
    assert 0 < len(thinned.lines) < len(all_results.lines) - 1000
    assert (thinned.safe_lines, thinned.lines_tested) == (all_results.safe_lines, all_results.lines_tested)

    def neighbourhoods(lines: SafeLines) -> list[tuple[int, ...]]:
        return [
            (*map(round, point), *map(round, 100.0 * outward))
            for point, outward in zip(lines.point_B.tolist(), lines.outward_B, strict=True)
        ]

    for key, lung in zip(
        neighbourhoods(all_results.lines), all_results.lines.quantities[:, LUNG], strict=True
    ):
        least_lung_mm[key] = min(lung, least_lung_mm.get(key, np.inf))
    keys = neighbourhoods(thinned.lines)
    assert len(keys) == len(set(keys)) == len(least_lung_mm)
    assert [least_lung_mm[key] for key in keys] == thinned.lines.quantities[:, LUNG].tolist()
    lines = rows(all_results.lines.point_B, all_results.lines.outward_B, all_results.lines.quantities)
    assert rows(thinned.lines.point_B, thinned.lines.outward_B, thinned.lines.quantities) <= lines


def random_safe_lines(count: int, seed: int) -> SafeLines:
    """Lines close together with few different lung lengths, so that some are equal."""
    rng = np.random.default_rng(seed)
    quantities = np.zeros((count, QUANTITIES))
    quantities[:, LUNG] = rng.integers(0, 4, count)
    quantities[:, TIP] = np.arange(count)
    outward = np.array([0.0, 0.0, 1.0]) + rng.uniform(-0.06, 0.06, (count, 3))
    return SafeLines(
        rng.uniform(-6.0, 6.0, (count, 3)), outward / np.linalg.norm(outward, axis=1)[:, None], quantities
    )


@pytest.mark.parametrize("neighbourhood_mm", [1.0, 2.5, 8.0])
@pytest.mark.parametrize("parts", [1, 3])
def test_thinning_keeps_the_first_of_least_lung_in_each_neighbourhood(
    monkeypatch, neighbourhood_mm, parts
) -> None:
    lines = random_safe_lines(600, parts)
    batches = [lines.take(slice(n * 600 // parts, (n + 1) * 600 // parts)) for n in range(parts)]
    monkeypatch.setattr("planner.search.search.MAX_LINES", 599)
    best: dict[tuple[float, ...], int] = {}
    for n in range(600):
        key = (
            *np.rint(lines.point_B[n] / neighbourhood_mm),
            *np.rint(lines.outward_B[n] * 100.0 / neighbourhood_mm),
        )
        if key not in best or lines.quantities[n, LUNG] < lines.quantities[best[key], LUNG]:
            best[key] = n
    assert 5 < len(best) < 600
    [thinned] = _thinned(batches, neighbourhood_mm)
    assert thinned.quantities[:, TIP].tolist() == sorted(best.values())
    assert np.array_equal(thinned.point_B, lines.point_B[sorted(best.values())])


def test_lines_up_to_the_limit_are_not_thinned(monkeypatch) -> None:
    parts = [random_safe_lines(20, 1), random_safe_lines(30, 2)]
    monkeypatch.setattr("planner.search.search.MAX_LINES", 50)
    assert _thinned(parts, 1.0) is parts
    monkeypatch.setattr("planner.search.search.MAX_LINES", 49)
    assert sum(map(len, _thinned(parts, 1000.0))) == 1


def test_each_level_is_thinned_to_its_own_radius(monkeypatch) -> None:
    neighbourhoods_mm: list[float] = []

    def recorded(parts: list[SafeLines], neighbourhood_mm: float) -> list[SafeLines]:
        neighbourhoods_mm.append(neighbourhood_mm)
        return _thinned(parts, neighbourhood_mm)

    monkeypatch.setattr("planner.search.search._thinned", recorded)
    search(fields_of(small_chest("plain")), 4.0, always)
    assert neighbourhoods_mm[:2] == [8.0, 4.0]


def test_a_search_with_too_many_cells_ends_early_with_a_larger_radius(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fields = fields_of(small_chest("plain"))
    result = search(fields, 1.0, always)
    monkeypatch.setattr("planner.search.search.MAX_CELLS", 2000)
    monkeypatch.setattr("planner.search.search.PARENTS_AT_A_TIME", 100)
    ended = search(fields, 1.0, always)
    assert result.complete and not ended.complete
    assert ended.radius_mm > 1.0
    assert len(ended.alive) < len(result.alive)
