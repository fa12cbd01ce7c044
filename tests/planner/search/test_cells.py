"""Proofs that a cell contains no safe line: found where they are possible, and never where a line is safe."""

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
"""A point on plane A. Needles end 28 mm from the plane, hubs 32 mm. [mm]"""
ROUNDING_MM = 1e-4
"""Depths are float32."""

PLATE = ((6, 1, 1), (8, 8, 8))
"""A bone across the body, 8 mm thick: 22..30 along x. [mm]"""
STUD = ((7, 3, 4), (8, 5, 6))
"""A bone that blocks some lines: 26..30 along x. [mm]"""
FAR_NODE = ((7, 3, 3), (9, 6, 6))
"""A second part of the target, 8 mm beyond the first: 26..34 along x. [mm]"""


def judged(patient: Patient, b: Blocks, cell: Cells) -> Judged:
    """The brute-force results of the cell's lines."""
    return Oracle(patient.chest).judge(lines_in(b, cell))


def assert_result_holds(patient: Patient, b: Blocks, cell: Cells, result: CellResult) -> None:
    """Asserts that no line of a cell proved blocked is safe, each for a reason that fits the proof, and that
    depths and radius of other cells hold for each safe line."""
    expected = judged(patient, b, cell)
    reasons = expected.reasons.T
    if result.state != ALIVE:
        assert not expected.safe.any()
    if result.state == MISSES:
        assert (expected.chord == 0.0).all()
    if result.state == OBSTRUCTED:
        assert reasons[verdicts.BLOCKED].all()
    if result.state == TABLE_OR_BORE:
        assert (reasons[verdicts.TABLE] | reasons[verdicts.BORE]).all()
    if result.state == BURIED:
        inside = reasons[verdicts.TOO_LONG] | reasons[verdicts.CUT_EDGE] | reasons[verdicts.RE_ENTERS]
        assert inside.all()
    if result.state == ALIVE and expected.safe.any():
        lines = lines_in(b, cell)
        centre_point, centre_direction = lines.point[0], lines.outward[0]
        point, outward = lines.point[expected.safe], lines.outward[expected.safe]
        tip = point + expected.tip[expected.safe, None] * outward
        entry = tip + expected.length[expected.safe, None] * outward
        assert ((tip - b.centre) @ b.w[0] - b.depth_a[0] >= result.first - ROUNDING_MM).all()
        assert ((entry - b.centre) @ b.w[0] - b.depth_a[0] <= result.skin + ROUNDING_MM).all()
        assert from_lines(tip, centre_point, centre_direction).max() <= result.radius + ROUNDING_MM
        assert from_lines(entry, centre_point, centre_direction).max() <= result.radius + ROUNDING_MM


MIDDLE_CELL = cell_about((0, 0), (0, 0), 1.0, 1.0)


def proofs() -> dict[str, tuple[Patient, Cells, int]]:
    """A patient and a cell for each kind of proof."""
    return {
        "target": (cell_patient(), cell_about((15, 0), (15, 0), 1.0, 1.0), MISSES),
        "obstacle": (cell_patient(bones=(PLATE,)), MIDDLE_CELL, OBSTRUCTED),
        "edge": (with_needle(cell_patient(CUT_BODY), 45.0), MIDDLE_CELL, CUT),
        "skin": (with_needle(cell_patient(CUT_BODY), 10.0), cell_about((0, 0), (0, 0), 0.5, 0.5), BURIED),
        "table": (with_table(cell_patient(), X, 37.5), MIDDLE_CELL, TABLE_OR_BORE),
        "bore": (with_bore(cell_patient(), BORE_CENTRE, 28.0), MIDDLE_CELL, TABLE_OR_BORE),
    }


@pytest.mark.parametrize("per_parent", [QUARTERS, SIXTEENTHS])
@pytest.mark.parametrize("reason", ["target", "obstacle", "edge", "skin", "table", "bore"])
def test_a_cell_is_proved_blocked_for_the_reason_that_holds_for_all_its_lines(reason, per_parent):
    patient, cell, state = proofs()[reason]
    result = cell_result(patient, along_x(patient), cell, per_parent)
    assert result.state == state
    assert_result_holds(patient, along_x(patient), cell, result)
    # A patient without obstacles allows the lines, so nothing is proved there.
    free_result = cell_result(cell_patient(), along_x(cell_patient()), MIDDLE_CELL, per_parent)
    assert free_result.state == ALIVE
    assert judged(cell_patient(), along_x(cell_patient()), MIDDLE_CELL).safe.all()


OFF = st.floats(-12.0, 12.0)
"""Offsets from the target's middle, which is 6 mm from its sides. [mm]"""


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
def test_the_result_of_a_cell_holds_for_its_lines(
    bones, body, nodes, needle, table, bore, planes, places, halves, per_parent
):
    """The result also holds if the parent cell suggests a position to check first."""
    patient = with_needle(cell_patient(body, nodes, bones), needle)
    if table is not None:
        normal = np.array([1.0, *table[:2]])
        patient = with_table(patient, normal / np.linalg.norm(normal), table[2])
    patient = with_bore(patient, BORE_CENTRE, bore)
    b = along_x(patient, *planes)
    cell = cell_about(*places, *halves)
    result = cell_result(patient, b, cell, per_parent)
    assert_result_holds(patient, b, cell, result)
    parent_result = cell_result(patient, b, cell_about(*places, *(2.0 * half for half in halves)))
    if parent_result.state == ALIVE:
        hinted_result = cell_result(patient, b, cell, per_parent, parent_result.tightest)
        assert_result_holds(patient, b, cell, hinted_result)
        assert hinted_result.state in (result.state, OBSTRUCTED)
    else:
        assert not judged(patient, b, cell).safe.any()


@pytest.mark.parametrize("radius", [4.0, 12.0, 20.0, 28.0, 34.0, 36.0, 60.0])
def test_a_bore_too_narrow_for_every_hub_is_proved_and_a_wide_one_is_not(radius):
    """Hubs of 3 mm radius end 32 mm from the bore's axis. If a tip may start outside the bore, its hub proves
    nothing."""
    patient = with_bore(cell_patient(), BORE_CENTRE, radius)
    b = along_x(patient)
    result = cell_result(patient, b, MIDDLE_CELL)
    assert_result_holds(patient, b, MIDDLE_CELL, result)
    assert result.state == (TABLE_OR_BORE if radius in (20.0, 28.0) else ALIVE)
    assert judged(patient, b, MIDDLE_CELL).safe.all() == (radius > 35.0)


@pytest.mark.parametrize("offset", [20.0, 30.0, 37.5, 42.0, 45.9, 46.5])
def test_a_table_in_the_way_of_every_needle_is_proved_and_a_distant_one_is_not(offset):
    """Needles end 28 mm from plane A, at x = 38, and need 1.635 mm; hubs end at 42 and need 4 mm."""
    patient = with_table(cell_patient(), X, offset)
    b = along_x(patient)
    result = cell_result(patient, b, MIDDLE_CELL)
    assert_result_holds(patient, b, MIDDLE_CELL, result)
    assert result.state == (TABLE_OR_BORE if offset < 38.0 else ALIVE)
    assert judged(patient, b, MIDDLE_CELL).safe.all() == (offset > 46.0)


def test_the_depth_beyond_which_no_line_is_in_the_body_is_exact_to_a_voxel():
    """The skin is 24 mm from plane A. A bone beside the lines, needle's end far beyond."""
    patient = with_needle(cell_patient(bones=(STUD,)), 44.0)
    b, cell = along_x(patient), cell_about((5, -4), (5, -4), 0.5, 0.5)
    result = cell_result(patient, b, cell)
    assert judged(patient, b, cell).safe.all()
    assert_result_holds(patient, b, cell, result)
    assert 24.0 <= result.skin <= 24.0 + SPACING_MM


HALF_PLATE = ((6, 1, 1), (8, 4, 8))
"""A bone across one side of the body: 22..30 along x, to 14 along y. [mm]"""
SIDE_CUT = ((2, 1, 1), (9, 9, 8))
"""A body that continues beyond the edge of the field of view at y = 34. [mm]"""
WIDE_MM = 4.0


@pytest.mark.parametrize("bones", [(), (HALF_PLATE,)])
@pytest.mark.parametrize("body", [BODY, SIDE_CUT])
@pytest.mark.parametrize("leaning", [False, True])
def test_a_wide_cell_with_one_safe_line_is_never_dropped(bones, body, leaning):
    """Cells moved and tilted past the target, past a bone and out of the body's side: their centre lines are
    already blocked while lines at their corners are not."""
    patient = with_needle(cell_patient(body, bones=bones), 40.0)
    b = along_x(patient, gap_a=6.0)
    for offset in np.arange(-14.0, 23.0, 1.7):
        # Over nodes of the field, where its values are tightest
        cell = cell_about((0.0 if leaning else offset, 2.0), (offset, 2.0), 3.0, 6.0)
        for tightest in (0.0, 22.0):
            assert_result_holds(patient, b, cell, cell_result(patient, b, cell, tightest=tightest))


@pytest.mark.parametrize("offset", np.arange(12.0, 26.0, 1.0).tolist())
def test_a_table_beside_a_wide_cell_does_not_drop_it_while_one_line_is_clear(offset):
    """The table's plane runs along the lines, and the cell reaches 4 mm to either side of y = 16."""
    patient = with_table(cell_patient(), np.array([0.0, 1.0, 0.0]), offset)
    wide = cell_about((0, 0), (0, 0), WIDE_MM, WIDE_MM)
    assert_result_holds(patient, along_x(patient), wide, cell_result(patient, along_x(patient), wide))


@pytest.mark.parametrize("length", np.arange(18.0, 30.0, 1.0).tolist())
def test_a_cell_is_kept_from_the_length_at_which_its_first_needle_reaches_the_skin(length):
    """The skin is 24 mm from the tips. Oblique lines are longer."""
    patient = with_needle(cell_patient(), length)
    for half, tilt in ((1.0, 0.0), (WIDE_MM, 0.0), (WIDE_MM, 12.0)):
        cell = cell_about((0, 0), (tilt, 0), half, half)
        assert_result_holds(patient, along_x(patient), cell, cell_result(patient, along_x(patient), cell))


def test_a_bone_behind_some_tips_blocks_no_cell():
    """Parts of the target lie in front of and behind a bone across the body. Lines of a cell that meet the
    farther part are blocked; those that meet only the nearer one are safe."""
    parts = (((2, 3, 3), (3, 4, 6)), ((5, 3, 3), (7, 6, 6)))
    patient = with_needle(cell_patient(nodes=parts, bones=(((3, 1, 1), (4, 8, 8)),)), 32.0)
    b = along_x(patient)
    cell = cell_about((-2, 0), (-2, 0), 1.0, 1.0)
    safe = judged(patient, b, cell).safe
    assert safe.any()
    assert not safe.all()
    result = cell_result(patient, b, cell)
    assert result.state == ALIVE
    assert_result_holds(patient, b, cell, result)


@pytest.mark.parametrize("tightest", [1.0, 16.0])
def test_a_bone_across_all_lines_is_found_from_any_first_position(tightest):
    """Plane A lies at x = 10, the bone's middle 16 mm from it."""
    patient = cell_patient(bones=(PLATE,))
    assert cell_result(patient, along_x(patient), MIDDLE_CELL, tightest=tightest).state == OBSTRUCTED


def test_the_gap_between_two_parts_of_a_target_does_not_count_as_a_miss():
    """Parts at 10..18 and 26..34 mm: lines near the middle cross both, and no tip lies in the gap. Lines 4 mm
    beside the first part cross only the second, which lies 16 mm beyond plane A."""
    patient = cell_patient(nodes=(NODE, ((7, 3, 3), (9, 8, 8))))
    result = cell_result(patient, along_x(patient, gap_a=6.0), cell_about((0, 0), (0, 0), 0.5, 0.5))
    assert result.state == ALIVE
    assert result.first <= 6.0
    cell = cell_about((9, 9), (9, 9), 0.5, 0.5)
    assert_result_holds(
        patient, along_x(patient, gap_a=6.0), cell, cell_result(patient, along_x(patient, gap_a=6.0), cell)
    )


# Lines of a cell that are more oblique than its centre line reach less deep, less oblique ones reach deeper.

GAP_MM = 20.0
"""Distance of the planes: so small that cells 7 mm wide contain lines of very different obliquity. [mm]"""
OBLIQUE_CELL = cell_about((-2.4, -2.4), (11.6, 11.6), 3.5, 3.5)
"""Its centre line is equally oblique along y and z, so the cell's corners are the most and the least
oblique."""
LENGTHS = np.arange(22.0, 36.0, 0.15)
"""Needles that end before, in and beyond the bones. [mm]"""


def depths_of_ends(patient: Patient, b: Blocks, cell: Cells) -> np.ndarray:
    """Depths, across the planes, of the needles' ends on those lines of the cell that touch the target.
    [mm]"""
    lines, expected = lines_in(b, cell), judged(patient, b, cell)
    end = lines.point + (expected.tip + patient.fields.needle_length)[:, None] * lines.outward
    return ((end - b.centre) @ b.w[0] - b.depth_a[0])[expected.chord > 0.0]


@pytest.mark.parametrize("bone", [PLATE, STUD])
def test_the_depth_of_the_nearest_obstacle_is_within_reach_of_every_needle(bone):
    """A cell's children are checked there first and are dropped if they are blocked there. A bone beyond the
    end of one needle would then wrongly drop that needle."""
    count_near_end = 0
    for length in LENGTHS:
        patient = with_needle(cell_patient(bones=(bone,)), length)
        b = along_x(patient, GAP_MM)
        result, ends = cell_result(patient, b, OBLIQUE_CELL), depths_of_ends(patient, b, OBLIQUE_CELL)
        assert result.tightest <= ends.min() + ROUNDING_MM
        count_near_end += result.state == ALIVE and result.tightest > ends.min() - 1.0
    assert count_near_end > 0


def test_the_depth_of_the_skin_holds_for_the_least_oblique_needle():
    """The skin is 24 mm from plane A, where only some of the needles reach; the target is 2 mm thick."""
    thin = cell_patient(
        ((2, 1, 1), (15, 17, 17)), (((3, 3, 3), (4, 14, 14)),), spacing=2.0, shape=(24, 18, 18)
    )
    checked_count = 0
    for length in LENGTHS[::5]:
        patient = with_needle(thin, length)
        b = along_x(patient, GAP_MM)
        assert_result_holds(patient, b, OBLIQUE_CELL, cell_result(patient, b, OBLIQUE_CELL))
        ends = depths_of_ends(patient, b, OBLIQUE_CELL)
        checked_count += judged(patient, b, OBLIQUE_CELL).safe.any() and ends.min() < 24.0 < ends.max()
    assert checked_count > 0


@given(
    slope=st.floats(0.3, 1.2),
    turn=st.sampled_from([0.0, 0.4, np.pi / 4]),
    gap=st.floats(20.0, 40.0),
    half=st.floats(1.0, 5.0),
    share=st.sampled_from([1.0, 0.5, 0.125]),
    length=st.floats(34.0, 60.0),
    corner=st.integers(1, 16),
    extra_mm=st.floats(0.0, 6.0),
)
@settings(max_examples=300)
def test_a_table_just_beyond_the_end_of_an_oblique_needle_drops_no_cell(
    slope, turn, gap, half, share, length, corner, extra_mm
):
    """The plane lies at the needed distance from the end of a needle at a corner of the cell, and its normal
    points to the centre line somewhat deeper: no allowed plane lies farther across the centre line."""
    patient = with_needle(cell_patient(hub=0.0), length)
    b = along_x(patient, gap)
    c = np.array([np.cos(turn), np.sin(turn)]) * slope * gap
    cell = cell_about((-5.0, -5.0), tuple(c - 5.0), half, share * half)
    lines, expected = lines_in(b, cell), judged(patient, b, cell)
    centre_line, needle = lines.take(slice(0, 1)), lines.take(slice(corner, corner + 1))
    tip = needle.point[0] + expected.tip[corner] * needle.outward[0]
    end = tip + length * needle.outward[0]
    depth = end[0] - needle.point[0, 0] + extra_mm
    towards_centre = centre_line.point[0] + depth / centre_line.outward[0, 0] * centre_line.outward[0] - end
    normal = towards_centre / np.linalg.norm(towards_centre)
    offset = max(end @ normal, tip @ normal) + patient.fields.table_need + ROUNDING_MM
    with_plane = with_table(patient, normal, offset)
    if Oracle(with_plane.chest).judge(needle).safe[0]:
        assert cell_result(with_plane, b, cell).state == ALIVE


@pytest.mark.parametrize("per_parent", [QUARTERS, SIXTEENTHS])
def test_only_the_centre_line_of_a_fine_cell_is_tested(per_parent):
    """The requested radius is that of the children. Facts about their parent hold for them: no line touches
    the target before plane A, all are outside the body from 24 mm on, and a thick bone that blocks some
    children has its middle 16 mm from plane A."""
    patient = cell_patient(bones=(((6, 3, 4), (8, 5, 6)),))
    b, depths = along_x(patient), np.array([[0.0, 24.0, 16.0]])
    parent = replace(cell_about((1, -1), (1, -1), 6.0, 6.0), depths=depths)
    results = level.test_children(patient.fields, b, parent, per_parent, 6.0 * np.sqrt(2.0))
    cells = child_cells(parent, np.arange(per_parent), per_parent, np.tile(depths, (per_parent, 1)))
    lines = Lines(*lines_of(b, cells))
    verdict, _ = line.test_lines(patient.fields, lines.point, lines.outward)
    safe = Oracle(patient.chest).judge(lines).safe
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
    patient = cell_patient()
    corners = target_corners_B(patient.fields)
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
    results = level.test_children(patient.fields, b, cells, per_parent, 0.0)
    dropped = np.flatnonzero(results.state == ELSEWHERE)
    assert 0 < len(dropped) < len(results.state)
    for cell in dropped:
        alone = child_cells(cells, np.array([cell]), per_parent, np.zeros((1, 3)))
        nearest = np.argmax(lines_in(b, alone).outward @ w.T, axis=1)
        assert (nearest != alone.block[0]).all()
