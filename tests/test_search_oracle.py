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
from made_scenes import box_mask, grid_of
from small_chests import (
    CHESTS,
    Chest,
    Lines,
    Needles,
    chosen,
    joined,
    posed,
    random_lines,
    shaken,
    small_chest,
    to_nearest,
    unit,
    without_table,
)

from anatomy.structures import Role
from planner.bound import lung_bound_mm
from planner.defaults import least_chord_mm
from planner.kernels import line, verdicts
from planner.kernels.line import CHORD, LENGTH, LUNG, TIP
from planner.net import Blocks, Cells, lines_of
from planner.progress import always
from planner.request import Needle, PoseRequest, Request, SearchRequest
from planner.search import Found, SafeLines, search
from planner.world import World, world


@pytest.fixture(autouse=True, scope="module")
def every_safe_line_is_kept() -> Iterator[None]:
    """Else small cells give only the best line of their parent to choose from."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("planner.search.NEIGHBOURHOOD_MM", 0.0)
        yield


TOLERANCE_MM = 1e-6
"""Nearer to a boundary than this a line may be judged either way: float64 rounding, a thousand times over."""
SPARE_MM = 1.0
"""Margins are told up to here; what is farther does not decide."""
BEYOND_MM = 1e4
"""As far go boxes on that the edge of the field of view cuts."""
LINES_AT_A_TIME = 256


def hub_radius_of(request: Request) -> float:
    """Of a hub without length there is nothing but the needle, and no hub is thinner than that."""
    radius = request.needle.outer_diameter_mm / 2
    return max(radius, request.pose.hub_diameter_mm / 2) if request.pose.hub_length_mm > 0 else radius


@dataclass(frozen=True, eq=False)
class Boxes:
    """Lower and upper corners (n, 3) of boxes in B. [mm]"""

    low: np.ndarray
    high: np.ndarray


def boxes_of(mask: np.ndarray, spacing: np.ndarray, goes_on: bool = False) -> Boxes:
    """The voxels of a mask, those that touch joined to larger boxes. With `goes_on` a box at the edge of the
    field of view has no end there."""
    first = np.argwhere(mask)
    last = first + 1
    for axis in (2, 1, 0):
        first, last = rows_joined(first, last, axis)
    low, high = (first - 0.5) * spacing, (last - 0.5) * spacing
    if goes_on:
        low[first == 0] = -BEYOND_MM
        high[last == np.array(mask.shape)] = BEYOND_MM
    return Boxes(low, high)


def rows_joined(first: np.ndarray, last: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of voxels that meet along an axis and are alike across it, made one."""
    others = [a for a in range(3) if a != axis]
    across = np.concatenate([first[:, others], last[:, others]], axis=1)
    order = np.lexsort((first[:, axis], *across.T))
    first, last, across = first[order], last[order], across[order]
    begins = np.ones(len(first), bool)
    begins[1:] = (across[1:] != across[:-1]).any(axis=1) | (first[1:, axis] != last[:-1, axis])
    return first[begins], last[np.roll(begins, -1)]


def spans(boxes: Boxes, lines: Lines) -> tuple[np.ndarray, np.ndarray]:
    """First and last s (n, m) of each line in each box; the last is not larger where the line misses it."""
    shape = (len(lines), len(boxes.low))
    first, last = np.full(shape, -np.inf), np.full(shape, np.inf)
    for axis in range(3):
        p, d = lines.point[:, axis, None], lines.outward[:, axis, None]
        d = np.where(np.abs(d) < 1e-200, 1e-200, d)
        one, two = (boxes.low[None, :, axis] - p) / d, (boxes.high[None, :, axis] - p) / d
        np.maximum(first, np.minimum(one, two), out=first)
        np.minimum(last, np.maximum(one, two), out=last)
    return first, last


def length_in(boxes: Boxes, lines: Lines, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Length (n,) of each line in boxes that do not overlap, between two places on it. [mm]"""
    first, last = spans(boxes, lines)
    inside = np.minimum(last, end[:, None]) - np.maximum(first, start[:, None])
    return np.asarray(np.maximum(0.0, inside).sum(axis=1))


def segment_distance(one: np.ndarray, two: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Distance from segments to boxes, pair by pair. Half the slope of its square never falls along the
    segment: bisection finds where it turns. [mm]"""
    step = two - one
    first, last = np.zeros(len(one)), np.ones(len(one))

    def outside(t: np.ndarray) -> np.ndarray:
        at = one + t[:, None] * step
        return np.maximum(at - high, 0.0) + np.minimum(at - low, 0.0)

    for _ in range(46):
        t = 0.5 * (first + last)
        rises = (outside(t) * step).sum(axis=1) > 0.0
        first, last = np.where(rises, first, t), np.where(rises, t, last)
    return np.asarray(np.linalg.norm(outside(0.5 * (first + last)), axis=1))


def near_pairs(one: np.ndarray, two: np.ndarray, boxes: Boxes, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Segments and boxes, pair by pair, that may lie within `reach`: the centre of such a box is no farther
    from the segment than half its diagonal more."""
    middle, half = 0.5 * (boxes.low + boxes.high), 0.5 * np.linalg.norm(boxes.high - boxes.low, axis=1)
    step = (two - one)[:, None]
    from_one = middle[None] - one[:, None]
    t = (from_one * step).sum(axis=2) / np.maximum(1e-30, (step**2).sum(axis=2))
    away = np.linalg.norm(from_one - np.clip(t, 0.0, 1.0)[..., None] * step, axis=2)
    segment, box = np.nonzero(away <= reach + half)
    return segment, box


@dataclass(frozen=True, eq=False)
class Judged:
    """What is true of n lines. `reasons` (n, verdicts): which refusals are true. `doubtful`: one of them is
    within TOLERANCE_MM of its boundary. `margin`: least (distance - need) of needle and hub, to SPARE_MM."""

    reasons: np.ndarray
    doubtful: np.ndarray
    tip: np.ndarray
    length: np.ndarray
    chord: np.ndarray
    lung: np.ndarray
    margin: np.ndarray

    @property
    def safe(self) -> np.ndarray:
        return np.asarray(~self.reasons.any(axis=1))


class Oracle:
    """Brute force on one chest."""

    def __init__(self, chest: Chest) -> None:
        made, request = chest.scene, chest.request
        self.chest, self.grid = chest, made.grid
        spacing = made.grid.spacing_mm
        self.low, self.high = -0.5 * spacing, (np.array(made.grid.shape) - 0.5) * spacing
        masks = {s.name: s.mask.layer == s.mask.label for s in made.structures}
        body = made.body.layer == made.body.label
        target, lung = np.zeros_like(body), np.zeros_like(body)
        for s in made.of_role(Role.TARGET):
            target |= masks[s.name]
        for s in made.of_role(Role.LUNG):
            lung |= masks[s.name]
        self.target, self.lung = boxes_of(target, spacing), boxes_of(lung & ~target, spacing)
        self.body, self.air = boxes_of(body, spacing, True), boxes_of(~body, spacing, True)
        self.obstacles = [
            (request.clearance_of(s.name) + request.needle.radius_mm, boxes_of(masks[s.name], spacing))
            for s in made.of_role(Role.FORBIDDEN, Role.OUTSIDE)
        ]

    def judge(self, lines: Lines) -> Judged:
        """What is true of the lines."""
        pieces = [
            self._judge(lines.take(slice(n, n + LINES_AT_A_TIME)))
            for n in range(0, len(lines), LINES_AT_A_TIME)
        ]
        return Judged(*(np.concatenate(parts) for parts in zip(*pieces, strict=True)))

    def _judge(self, lines: Lines) -> tuple[np.ndarray, ...]:
        request = self.chest.request
        first, last = spans(self.target, lines)
        chord = np.maximum(0.0, last - first).sum(axis=1)
        least = least_chord_mm(self.chest.scene, request)
        missed = (chord == 0.0) | (chord < least)
        tip = np.where(chord == 0.0, 0.0, np.where(last > first, first, np.inf).min(axis=1))
        end = tip + request.needle.max_length_mm
        hub_end = end + request.pose.hub_length_mm
        # The body ends where air begins, an edge or corner that is only touched left out.
        first, last = spans(self.air, lines)
        met = (last > first + 1e-9) & (last > tip[:, None])
        entry = np.where(met, np.maximum(first, tip[:, None]), np.inf).min(axis=1)
        edge = spans(Boxes(self.low[None], self.high[None]), lines)[1][:, 0]
        inside = entry >= np.minimum(edge, end)
        again = length_in(self.body, lines, entry, hub_end)
        # The last voxel of the body on the way out: an outermost one is cut by the edge.
        last_in = lines.point + (np.minimum(entry, edge) - 1e-7)[:, None] * lines.outward
        index = np.floor(last_in / self.grid.spacing_mm + 0.5)
        outermost = ((index < 1) | (index > np.array(self.grid.shape) - 2)).any(axis=1)
        needle = self._margin(lines, tip, end, 0.0)
        hub_radius = hub_radius_of(request)
        hub = self._margin(lines, end, hub_end, hub_radius - request.needle.radius_mm)
        table, bore = self._room(lines, tip, end, hub_end)
        reasons = np.zeros((len(lines), len(verdicts.SENTENCES)), bool)
        reasons[:, verdicts.BLOCKED] = needle < 0.0
        reasons[:, verdicts.TOO_LONG] = inside & (end <= edge)
        reasons[:, verdicts.CUT_EDGE] = (inside & (edge < end)) | (~inside & outermost)
        reasons[:, verdicts.TIP_OUTSIDE] = entry == tip
        reasons[:, verdicts.RE_ENTERS] = ~inside & (again > 0.0)
        reasons[:, verdicts.TABLE] = table < 0.0
        reasons[:, verdicts.BORE] = bore < 0.0
        reasons[:, verdicts.HUB_BLOCKED] = hub < 0.0
        # A line that misses the target has no needle: whatever else is said of it is as good a reason.
        reasons[missed] = np.arange(len(verdicts.SENTENCES)) != verdicts.SAFE
        decide = [needle, hub, table, bore, entry - end, edge - end, entry - edge, chord - least, again]
        decide += [chord, entry - tip]
        doubtful = np.any([(x != 0.0) & (np.abs(x) < TOLERANCE_MM) for x in decide], axis=0)
        lung = length_in(self.lung, lines, tip, entry)
        return reasons, doubtful, tip, entry - tip, chord, lung, np.minimum(needle, hub)

    def _room(self, lines: Lines, *places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How far needle and hub stay off the table, and the hub's end off the bore, beyond what they need.
        `places`: tip, needle's end, hub's end."""
        request, pose = self.chest.request, self.chest.scene.pose
        at = [self.grid.to_patient(lines.point + s[:, None] * lines.outward) for s in places]
        hub_radius = hub_radius_of(request)
        from_axis = np.linalg.norm(np.cross(pose.bore.axis_P, at[2] - pose.bore.centre_P), axis=1)
        bore = pose.bore.radius_mm - from_axis - hub_radius
        if pose.table is None:
            return np.full(len(lines), np.inf), bore
        free = [pose.table.offset_mm - x @ pose.table.normal_P - request.clearance_of("table") for x in at]
        needle = np.minimum(free[0], free[1]) - request.needle.radius_mm
        return np.minimum(needle, np.minimum(free[1], free[2]) - hub_radius), bore

    def _margin(self, lines: Lines, start: np.ndarray, end: np.ndarray, extra: float) -> np.ndarray:
        """Least (distance - need - extra) between two places, at most SPARE_MM. A point beyond the field of
        view is judged at the nearest point of it, so that the axis becomes a polyline."""
        with np.errstate(divide="ignore"):
            planes = [(x - lines.point) / lines.outward for x in (self.low, self.high)]
        cuts = np.sort(np.clip(np.concatenate(planes, axis=1), start[:, None], end[:, None]), axis=1)
        places = np.concatenate([start[:, None], cuts, end[:, None]], axis=1)
        n, piece = np.nonzero(np.diff(places, axis=1) > 0.0)
        one, two = (
            np.clip(lines.point[n] + places[n, m, None] * lines.outward[n], self.low, self.high)
            for m in (piece, piece + 1)
        )
        margin = np.full(len(lines), SPARE_MM)
        for need, boxes in self.obstacles:
            a, b = near_pairs(one, two, boxes, need + extra + SPARE_MM)
            away = segment_distance(one[a], two[a], boxes.low[b], boxes.high[b])
            np.minimum.at(margin, n[a], away - need - extra)
        return margin


@cache
def oracle(name: str) -> Oracle:
    return Oracle(small_chest(name))


@cache
def near(name: str) -> World:
    return world(small_chest(name).scene, small_chest(name).request)


@cache
def found(name: str, radius_mm: float) -> Found:
    return search(near(name), radius_mm, always)


def assert_verdicts_are_true(oracle: Oracle, world: World, lines: Lines) -> np.ndarray:
    """All verdicts and quantities are what brute force finds. Returns the verdicts."""
    verdict, quantities = line.test_lines(world, lines.point, lines.outward)
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
    missing = shaken(random_lines(small_chest(name), 300, seed=12), 6.0, seed=13)
    verdict = assert_verdicts_are_true(oracle(name), near(name), lines)
    assert 100 < np.count_nonzero(verdict == verdicts.SAFE) < 5900
    assert_verdicts_are_true(oracle(name), near(name), missing)
    assert np.count_nonzero(oracle(name).judge(missing).chord == 0.0) > 100


def test_the_chests_refuse_lines_for_every_reason_there_is():
    met = {verdicts.MISSES_TARGET}
    for name in CHESTS:
        lines = random_lines(small_chest(name), 3000, seed=11)
        met |= set(line.test_lines(near(name), lines.point, lines.outward)[0].tolist())
    assert met | {verdicts.TIP_OUTSIDE} == set(range(len(verdicts.SENTENCES)))


@pytest.mark.interpreted
@pytest.mark.parametrize("name", CHESTS)
def test_the_same_is_true_on_a_coarse_field(name):
    chest = small_chest(name)
    coarse = replace(chest.request, search=SearchRequest(field_resolution_mm=4.0))
    lines = random_lines(chest, 120, seed=14)
    lines = joined([lines, shaken(lines.take(np.arange(20)), 6.0, seed=15)])
    assert_verdicts_are_true(oracle(name), world(chest.scene, coarse), lines)


HALVINGS = 20
"""From lines some mm apart to lines some nm apart."""


@cache
def towards_boundary(name: str) -> tuple[Lines, Lines]:
    """Lines on the way to the boundary between safe and not, and the safe ones that came nearest to it: safe
    lines and unsafe neighbours of theirs are brought together by halving what is between them."""
    lines = random_lines(small_chest(name), 3000, seed=21)
    others = shaken(lines, 2.0, seed=22)
    pairs = np.flatnonzero(oracle(name).judge(lines).safe & ~oracle(name).judge(others).safe)[:300]
    good, bad = lines.take(pairs), others.take(pairs)
    tried = []
    for _ in range(HALVINGS):
        middle = Lines(0.5 * (good.point + bad.point), unit(good.outward + bad.outward))
        safe = oracle(name).judge(middle).safe
        good, bad = chosen(safe, middle, good), chosen(safe, bad, middle)
        tried.append(middle)
    return joined(tried), good


@pytest.mark.parametrize("name", CHESTS)
def test_verdicts_are_true_up_to_the_boundary_of_what_is_safe(name):
    tried, barely_safe = towards_boundary(name)
    assert len(barely_safe) > 40
    assert_verdicts_are_true(oracle(name), near(name), tried)


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
    assert_verdicts_are_true(Oracle(chest), world(chest.scene, request), lines)


@dataclass(frozen=True, eq=False)
class Placed:
    """Lines among the cells that a level left: each one's block and coordinates there, the cell that holds it
    (-1: dropped) and the middle of that cell, dropped or not (NaN where a block has no cell left)."""

    block: np.ndarray
    place: np.ndarray
    cell: np.ndarray
    middle: np.ndarray


def placed(done: Found, lines: Lines) -> Placed:
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
    lines = joined([random_lines(small_chest(name), 100_000, seed=31), towards_boundary(name)[1]])
    return lines, *line.test_lines(near(name), lines.point, lines.outward)


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


@pytest.mark.parametrize("radius_mm", [2.0, 1.0])
@pytest.mark.parametrize("name", CHESTS)
def test_no_corner_of_a_cell_that_was_proved_blocked_is_safe(name, radius_mm):
    """The lines farthest from a cell's centre line are what an unsound proof would lose first."""
    done, some = found(name, radius_mm), many_lines(name)[0]
    at = placed(done, joined([some, shaken(some, 4.0, seed=32)]))
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
    verdict, _ = line.test_lines(near(name), point[own], outward[own])
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
    return safe_needles(name, joined([at_random, between]))


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


@pytest.mark.parametrize("name", CHESTS)
def test_the_least_lung_is_at_most_the_worst_of_any_path_displaced(name):
    lines = found(name, RADIUS_MM).lines
    least = lines.take(np.argsort(lines.quantities[:, LUNG], kind="stable")[:200])
    around = safe_needles(name, shaken(Lines(least.point_B, least.outward_B), 0.5 * RADIUS_MM, seed=43))
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
    bound = lung_bound_mm(near(name), done.blocks, done.alive)
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
    done = search(world(chest.scene, chest.request), radius_mm, always)
    assert done.complete
    assert done.radius_mm <= radius_mm
    assert len(done.lines) == 0


@pytest.mark.parametrize("radius_mm", [1.0, 0.5])
def test_a_gap_is_found_that_leaves_just_the_radius_to_either_side(radius_mm):
    chest = shielded(SHAFT_MM / 2 - Needle().radius_mm - radius_mm)
    done = search(world(chest.scene, chest.request), radius_mm, always)
    assert done.complete
    assert len(done.lines) > 0
    assert Oracle(chest).judge(Lines(done.lines.point_B, done.lines.outward_B)).safe.all()
    middle = Needles(np.array([[19.5, 19.5, 16.5]]), np.array([[19.5, 19.5, 35.5]]))
    assert to_nearest(middle, done.lines, radius_mm)[0] <= radius_mm + TOLERANCE_MM
