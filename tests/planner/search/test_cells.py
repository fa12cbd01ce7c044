"""Proofs that a cell holds no safe line: made where they must be, and never where a line is safe."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_oracle import Judged, Oracle
from single_cells import (
    BODY,
    CUT_BODY,
    MIDDLE,
    NODE,
    SPACING_MM,
    CellResult,
    Patient,
    along_x,
    cell_about,
    cell_patient,
    cell_result,
    lines_in,
    with_bore,
    with_needle,
    with_table,
)
from small_chests import Lines, from_lines

from planner.search import level
from planner.search.kernels import line, verdicts
from planner.search.kernels.cell import (
    ALIVE,
    BURIED,
    CENTRE_BLOCKED,
    CUT,
    ELSEWHERE,
    MISSES,
    OBSTRUCTED,
    TABLE_OR_BORE,
)
from planner.search.line_net import (
    QUARTERS,
    SIXTEENTHS,
    Blocks,
    Cells,
    child_cells,
    even_directions,
    lines_of,
    root_cells,
)
from planner.search.scene_fields import target_corners_B

pytestmark = pytest.mark.interpreted

X = np.array([1.0, 0.0, 0.0])
BORE_CENTRE = np.array([10.0, MIDDLE, MIDDLE])
"""On plane A. Needles end 28 mm from it, hubs 32 mm. [mm]"""
ROUNDING_MM = 1e-4
"""Depths are float32."""

PLATE = ((6, 1, 1), (8, 8, 8))
"""A bone across the body, 8 mm thick: 22..30 along x. [mm]"""
STUD = ((7, 3, 4), (8, 5, 6))
"""A bone in the way of some lines. 26..30 along x. [mm]"""
FAR_NODE = ((7, 3, 3), (9, 6, 6))
"""A second part of the target, 8 mm beyond the first: 26..34 along x. [mm]"""


def judged(one: Patient, b: Blocks, cell: Cells) -> Judged:
    """What brute force says of the cell's lines."""
    return Oracle(one.chest).judge(lines_in(b, cell))


def assert_true(one: Patient, b: Blocks, cell: Cells, says: CellResult) -> None:
    """No line of a cell that was proved blocked is safe, and each for a reason that fits the proof. In a cell
    that was not, the depths hold for each safe line, and the radius too."""
    true = judged(one, b, cell)
    reasons = true.reasons.T
    if says.state != ALIVE:
        assert not true.safe.any()
    if says.state == MISSES:
        assert (true.chord == 0.0).all()
    if says.state == OBSTRUCTED:
        assert reasons[verdicts.BLOCKED].all()
    if says.state == TABLE_OR_BORE:
        assert (reasons[verdicts.TABLE] | reasons[verdicts.BORE]).all()
    if says.state == BURIED:
        inside = reasons[verdicts.TOO_LONG] | reasons[verdicts.CUT_EDGE] | reasons[verdicts.RE_ENTERS]
        assert inside.all()
    if says.state == ALIVE and true.safe.any():
        lines = lines_in(b, cell)
        on, along = lines.point[0], lines.outward[0]
        point, outward = lines.point[true.safe], lines.outward[true.safe]
        tip = point + true.tip[true.safe, None] * outward
        entry = tip + true.length[true.safe, None] * outward
        assert ((tip - b.centre) @ b.w[0] - b.depth_a[0] >= says.first - ROUNDING_MM).all()
        assert ((entry - b.centre) @ b.w[0] - b.depth_a[0] <= says.skin + ROUNDING_MM).all()
        assert from_lines(tip, on, along).max() <= says.radius + ROUNDING_MM
        assert from_lines(entry, on, along).max() <= says.radius + ROUNDING_MM


IN_THE_MIDDLE = cell_about((0, 0), (0, 0), 1.0, 1.0)


def proofs() -> dict[str, tuple[Patient, Cells, int]]:
    """A patient and a cell for each proof there is."""
    return {
        "target": (cell_patient(), cell_about((15, 0), (15, 0), 1.0, 1.0), MISSES),
        "obstacle": (cell_patient(bones=(PLATE,)), IN_THE_MIDDLE, OBSTRUCTED),
        "edge": (with_needle(cell_patient(CUT_BODY), 45.0), IN_THE_MIDDLE, CUT),
        "skin": (with_needle(cell_patient(CUT_BODY), 10.0), cell_about((0, 0), (0, 0), 0.5, 0.5), BURIED),
        "table": (with_table(cell_patient(), X, 37.5), IN_THE_MIDDLE, TABLE_OR_BORE),
        "bore": (with_bore(cell_patient(), BORE_CENTRE, 28.0), IN_THE_MIDDLE, TABLE_OR_BORE),
    }


@pytest.mark.parametrize("per_parent", [QUARTERS, SIXTEENTHS])
@pytest.mark.parametrize("reason", ["target", "obstacle", "edge", "skin", "table", "bore"])
def test_a_cell_is_proved_blocked_for_the_reason_that_holds_for_all_its_lines(reason, per_parent):
    one, cell, state = proofs()[reason]
    says = cell_result(one, along_x(one), cell, per_parent)
    assert says.state == state
    assert_true(one, along_x(one), cell, says)
    # None of it is so in a patient that lets the lines through.
    free = cell_result(cell_patient(), along_x(cell_patient()), IN_THE_MIDDLE, per_parent)
    assert free.state == ALIVE
    assert judged(cell_patient(), along_x(cell_patient()), IN_THE_MIDDLE).safe.all()


OFF = st.floats(-12.0, 12.0)
"""From the target's middle, which is 6 mm from its sides. [mm]"""


@given(
    bones=st.sampled_from([(), (PLATE,), (STUD,)]),
    body=st.sampled_from([BODY, CUT_BODY]),
    nodes=st.sampled_from([(NODE,), (NODE, FAR_NODE)]),
    needle=st.floats(10.0, 50.0),
    table=st.one_of(st.none(), st.tuples(st.floats(-1.0, 1.0), st.floats(-1.0, 1.0), st.floats(30.0, 70.0))),
    bore=st.floats(15.0, 80.0),
    planes=st.tuples(st.floats(20.0, 50.0), st.floats(0.0, 12.0)),
    places=st.tuples(st.tuples(OFF, OFF), st.tuples(OFF, OFF)),
    halves=st.tuples(st.floats(0.1, 4.0), st.floats(0.1, 4.0)),
    per_parent=st.sampled_from([QUARTERS, SIXTEENTHS]),
)
@settings(max_examples=60)
def test_what_is_said_of_a_cell_is_true_of_its_lines(
    bones, body, nodes, needle, table, bore, planes, places, halves, per_parent
):
    """Also where the cell it is part of tells a place to look at first."""
    one = with_needle(cell_patient(body, nodes, bones), needle)
    if table is not None:
        normal = np.array([1.0, *table[:2]])
        one = with_table(one, normal / np.linalg.norm(normal), table[2])
    one = with_bore(one, BORE_CENTRE, bore)
    b = along_x(one, *planes)
    cell = cell_about(*places, *halves)
    says = cell_result(one, b, cell, per_parent)
    assert_true(one, b, cell, says)
    wider = cell_result(one, b, cell_about(*places, *(2.0 * half for half in halves)))
    if wider.state == ALIVE:
        told = cell_result(one, b, cell, per_parent, wider.tightest)
        assert_true(one, b, cell, told)
        assert told.state in (says.state, OBSTRUCTED)
    else:
        assert not judged(one, b, cell).safe.any()


@pytest.mark.parametrize("radius", [4.0, 12.0, 20.0, 28.0, 34.0, 36.0, 60.0])
def test_a_bore_that_holds_no_hub_is_seen_and_one_that_holds_all_is_free(radius):
    """Hubs, 3 mm wide to either side, end 32 mm from the bore's axis. Where a tip may start outside the bore,
    nothing is concluded from its hub."""
    one = with_bore(cell_patient(), BORE_CENTRE, radius)
    b = along_x(one)
    says = cell_result(one, b, IN_THE_MIDDLE)
    assert_true(one, b, IN_THE_MIDDLE, says)
    assert says.state == (TABLE_OR_BORE if radius in (20.0, 28.0) else ALIVE)
    assert judged(one, b, IN_THE_MIDDLE).safe.all() == (radius > 35.0)


@pytest.mark.parametrize("offset", [20.0, 30.0, 37.5, 42.0, 45.9, 46.5])
def test_a_table_that_all_needles_meet_is_seen_and_one_that_none_meets_is_free(offset):
    """Needles end 28 mm from plane A, at x = 38, and keep 1.635 mm; hubs end at 42 and keep 4 mm."""
    one = with_table(cell_patient(), X, offset)
    b = along_x(one)
    says = cell_result(one, b, IN_THE_MIDDLE)
    assert_true(one, b, IN_THE_MIDDLE, says)
    assert says.state == (TABLE_OR_BORE if offset < 38.0 else ALIVE)
    assert judged(one, b, IN_THE_MIDDLE).safe.all() == (offset > 46.0)


def test_the_depth_from_which_no_line_is_in_the_body_is_told_to_a_voxel():
    """The skin is 24 mm from plane A. A bone beside the lines, needle's end far beyond."""
    one = with_needle(cell_patient(bones=(STUD,)), 44.0)
    b, beside = along_x(one), cell_about((5, -4), (5, -4), 0.5, 0.5)
    says = cell_result(one, b, beside)
    assert judged(one, b, beside).safe.all()
    assert_true(one, b, beside, says)
    assert 24.0 <= says.skin <= 24.0 + SPACING_MM


HALF_PLATE = ((6, 1, 1), (8, 4, 8))
"""A bone across one side of the body: 22..30 along x, to 14 along y. [mm]"""
SIDE_CUT = ((2, 1, 1), (9, 9, 8))
"""A body that goes on beyond the edge of the field of view at y = 34. [mm]"""
WIDE_MM = 4.0


@pytest.mark.parametrize("bones", [(), (HALF_PLATE,)])
@pytest.mark.parametrize("body", [BODY, SIDE_CUT])
@pytest.mark.parametrize("leaning", [False, True])
def test_a_wide_cell_is_kept_from_where_its_first_line_is_safe(bones, body, leaning):
    """Cells slid and tilted past the target, past a bone and out of the body's side, whose centre lines are
    long blocked when lines at their corners are not."""
    one = with_needle(cell_patient(body, bones=bones), 40.0)
    b = along_x(one, gap_a=6.0)
    for off in np.arange(-14.0, 23.0, 1.7):
        # Over nodes of the field, where it tells most.
        cell = cell_about((0.0 if leaning else off, 2.0), (off, 2.0), 3.0, 6.0)
        for tightest in (0.0, 22.0):
            assert_true(one, b, cell, cell_result(one, b, cell, tightest=tightest))


@pytest.mark.parametrize("offset", np.arange(12.0, 26.0, 1.0).tolist())
def test_a_table_beside_a_wide_cell_leaves_it_while_one_line_is_clear(offset):
    """The table's plane runs along the lines, and the cell reaches 4 mm to either side of y = 16."""
    one = with_table(cell_patient(), np.array([0.0, 1.0, 0.0]), offset)
    wide = cell_about((0, 0), (0, 0), WIDE_MM, WIDE_MM)
    assert_true(one, along_x(one), wide, cell_result(one, along_x(one), wide))


@pytest.mark.parametrize("length", np.arange(18.0, 30.0, 1.0).tolist())
def test_a_cell_is_kept_from_the_length_on_at_which_its_first_needle_reaches_the_skin(length):
    """The skin is 24 mm from where tips lie. Lines that lean have a longer way."""
    one = with_needle(cell_patient(), length)
    for half, tilt in ((1.0, 0.0), (WIDE_MM, 0.0), (WIDE_MM, 12.0)):
        cell = cell_about((0, 0), (tilt, 0), half, half)
        assert_true(one, along_x(one), cell, cell_result(one, along_x(one), cell))


def test_a_bone_behind_some_tips_blocks_no_cell():
    """Parts of the target lie before and behind a bone across the body. Lines of a cell that meet the farther
    part are blocked, and those that meet only the nearer one are safe."""
    parts = (((2, 3, 3), (3, 4, 6)), ((5, 3, 3), (7, 6, 6)))
    one = with_needle(cell_patient(nodes=parts, bones=(((3, 1, 1), (4, 8, 8)),)), 32.0)
    b = along_x(one)
    cell = cell_about((-2, 0), (-2, 0), 1.0, 1.0)
    safe = judged(one, b, cell).safe
    assert safe.any()
    assert not safe.all()
    says = cell_result(one, b, cell)
    assert says.state == ALIVE
    assert_true(one, b, cell, says)


@pytest.mark.parametrize("tightest", [1.0, 16.0])
def test_a_bone_across_all_lines_is_seen_wherever_one_looks_first(tightest):
    """Plane A lies at x = 10, the bone's middle 16 mm from it."""
    one = cell_patient(bones=(PLATE,))
    assert cell_result(one, along_x(one), IN_THE_MIDDLE, tightest=tightest).state == OBSTRUCTED


def test_the_gap_between_two_parts_of_a_target_is_no_miss():
    """Parts at 10..18 and 26..34 mm: lines about the middle run in both, and no tip lies in the gap. Those
    4 mm beside the first part run in the second alone, which lies 16 mm beyond plane A."""
    both = cell_patient(nodes=(NODE, ((7, 3, 3), (9, 8, 8))))
    says = cell_result(both, along_x(both, gap_a=6.0), cell_about((0, 0), (0, 0), 0.5, 0.5))
    assert says.state == ALIVE
    assert says.first <= 6.0
    beside = cell_about((9, 9), (9, 9), 0.5, 0.5)
    assert_true(both, along_x(both, gap_a=6.0), beside, cell_result(both, along_x(both, gap_a=6.0), beside))


# Lines of a cell that lean more than its centre line reach less deep, those that lean less reach deeper.

GAP_MM = 20.0
"""So near planes that cells 7 mm wide hold lines of very different lean."""
LEANING = cell_about((-2.4, -2.4), (11.6, 11.6), 3.5, 3.5)
"""Its centre line leans as much along y as along z: the corners of a cell lean most and least."""
LENGTHS = np.arange(22.0, 36.0, 0.15)
"""Needles that end before, in and beyond the bones. [mm]"""


def depths_of_ends(one: Patient, b: Blocks, cell: Cells) -> np.ndarray:
    """How deep, across the planes, needles reach on those lines of the cell that touch the target. [mm]"""
    lines, true = lines_in(b, cell), judged(one, b, cell)
    end = lines.point + (true.tip + one.fields.needle_length)[:, None] * lines.outward
    return ((end - b.centre) @ b.w[0] - b.depth_a[0])[true.chord > 0.0]


@pytest.mark.parametrize("bone", [PLATE, STUD])
def test_obstacles_come_nearest_where_the_needle_that_leans_most_still_reaches(bone):
    """A cell's parts are asked there first, and are proved blocked by what they meet there: a bone beyond the
    end of one needle would lose that needle."""
    near_the_end = 0
    for length in LENGTHS:
        one = with_needle(cell_patient(bones=(bone,)), length)
        b = along_x(one, GAP_MM)
        says, ends = cell_result(one, b, LEANING), depths_of_ends(one, b, LEANING)
        assert says.tightest <= ends.min() + ROUNDING_MM
        near_the_end += says.state == ALIVE and says.tightest > ends.min() - 1.0
    assert near_the_end > 0


def test_the_skin_is_told_as_deep_as_the_needle_that_leans_least_finds_it():
    """The skin is 24 mm from plane A, where only some of the needles reach; the target is 2 mm thick."""
    thin = cell_patient(
        ((2, 1, 1), (15, 17, 17)), (((3, 3, 3), (4, 14, 14)),), spacing=2.0, shape=(24, 18, 18)
    )
    found = 0
    for length in LENGTHS[::5]:
        one = with_needle(thin, length)
        b = along_x(one, GAP_MM)
        assert_true(one, b, LEANING, cell_result(one, b, LEANING))
        ends = depths_of_ends(one, b, LEANING)
        found += judged(one, b, LEANING).safe.any() and ends.min() < 24.0 < ends.max()
    assert found > 0


@given(
    lean=st.floats(0.3, 1.2),
    turn=st.sampled_from([0.0, 0.4, np.pi / 4]),
    gap=st.floats(20.0, 40.0),
    half=st.floats(1.0, 5.0),
    share=st.sampled_from([1.0, 0.5, 0.125]),
    length=st.floats(34.0, 60.0),
    corner=st.integers(1, 16),
    beyond=st.floats(0.0, 6.0),
)
@settings(max_examples=300)
def test_a_table_just_beyond_the_end_of_a_leaning_needle_blocks_no_cell(
    lean, turn, gap, half, share, length, corner, beyond
):
    """The plane touches, but for its need, the end of a needle at a corner of the cell, and faces where the
    centre line is somewhat deeper: no plane that spares the one lies farther across the other."""
    one = with_needle(cell_patient(hub=0.0), length)
    b = along_x(one, gap)
    c = np.array([np.cos(turn), np.sin(turn)]) * lean * gap
    cell = cell_about((-5.0, -5.0), tuple(c - 5.0), half, share * half)
    lines, true = lines_in(b, cell), judged(one, b, cell)
    centre_line, needle = lines.take(slice(0, 1)), lines.take(slice(corner, corner + 1))
    tip = needle.point[0] + true.tip[corner] * needle.outward[0]
    end = tip + length * needle.outward[0]
    depth = end[0] - needle.point[0, 0] + beyond
    across = centre_line.point[0] + depth / centre_line.outward[0, 0] * centre_line.outward[0] - end
    normal = across / np.linalg.norm(across)
    offset = max(end @ normal, tip @ normal) + one.fields.table_need + ROUNDING_MM
    beside = with_table(one, normal, offset)
    if Oracle(beside.chest).judge(needle).safe[0]:
        assert cell_result(beside, b, cell).state == ALIVE


@pytest.mark.parametrize("per_parent", [QUARTERS, SIXTEENTHS])
def test_of_a_fine_cell_only_the_centre_line_is_asked(per_parent):
    """The radius asked for is that of the children. What is known of their parent holds for them: no line
    touches the target before plane A, all are outside the body from 24 mm on, a thick bone that some children
    run into has its middle 16 mm from plane A."""
    one = cell_patient(bones=(((6, 3, 4), (8, 5, 6)),))
    b, depths = along_x(one), np.array([[0.0, 24.0, 16.0]])
    parent = replace(cell_about((1, -1), (1, -1), 6.0, 6.0), depths=depths)
    results = level.test_children(one.fields, b, parent, per_parent, 6.0 * np.sqrt(2.0))
    cells = child_cells(parent, np.arange(per_parent), per_parent, np.tile(depths, (per_parent, 1)))
    lines = Lines(*lines_of(b, cells))
    verdict, _ = line.test_lines(one.fields, lines.point, lines.outward)
    safe = Oracle(one.chest).judge(lines).safe
    blocked = results.state == CENTRE_BLOCKED
    assert (blocked | (results.state == ALIVE)).all()
    assert blocked.any()
    # Quarters lean to all sides from where the bone is thickest.
    assert blocked.all() == (per_parent == QUARTERS)
    assert not safe[blocked].any()
    assert (results.verdict[~blocked] == verdict[~blocked]).all()
    assert ((verdict == verdicts.SAFE) == safe).all()
    widest = np.sqrt(2.0) * cells.half.max()
    assert np.allclose(results.radius_mm, widest)
    assert np.allclose(results.depths_mm[~blocked], depths)


@pytest.mark.parametrize("per_parent", [QUARTERS, SIXTEENTHS])
def test_a_cell_dropped_as_another_blocks_holds_no_line_of_its_own(per_parent):
    """A line is the block's whose w is nearest to it."""
    one = cell_patient()
    corners = target_corners_B(one.fields)
    w = even_directions(12)
    e1 = np.cross(w, w[::-1])
    e1 /= np.linalg.norm(e1, axis=1)[:, None]
    across, n = np.cross(w, e1), np.arange(12)
    from_middle = (corners - corners.mean(axis=0)) @ w.T
    others = np.stack([np.delete(w, k, axis=0) for k in n])
    far, near = from_middle.min(axis=0), from_middle.max(axis=0)
    b = Blocks(w, e1, across, corners.mean(axis=0), far, near, near + 25.0, others)
    rng = np.random.default_rng(3)
    cells = root_cells(b, corners, 8.0)
    cells = cells.take(rng.permutation(len(cells))[:40])
    results = level.test_children(one.fields, b, cells, per_parent, 0.0)
    dropped = np.flatnonzero(results.state == ELSEWHERE)
    assert 0 < len(dropped) < len(results.state)
    for cell in dropped:
        alone = child_cells(cells, np.array([cell]), per_parent, np.zeros((1, 3)))
        nearest = np.argmax(lines_in(b, alone).outward @ w.T, axis=1)
        assert (nearest != alone.block[0]).all()
