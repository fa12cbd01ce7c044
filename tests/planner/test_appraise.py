"""Appraisal: against measuring, the search's own test of a line, and samples; for one needle and many."""

from dataclasses import replace
from functools import cache
from types import MappingProxyType

import numpy as np
import pytest
from box_scenes import Box, at_voxel, box_mask, chest, grid_of, pose_P, sampled_distance, scene_of_masks
from hypothesis import given, settings
from hypothesis import strategies as st
from small_chests import CHESTS, Chest, random_lines, small_chest, without_table

from anatomy.geometry.masks import mask_from_bool
from anatomy.geometry.surface import Surface
from anatomy.patient.pose import Bore, TableHalfSpace
from anatomy.structures import Role, Structure
from planner.appraise import NEAR_MM, Appraiser
from planner.measuring import crossings_batch as crossing
from planner.measuring.measure import Measurer
from planner.measuring.measured import MeasuredPath
from planner.measuring.structure_sets import structure_sets
from planner.records.appraisal import Appraisal, Lack, SkinLack
from planner.records.paths import CLEARANCE_CAP_MM
from planner.records.request.needle import Needle
from planner.records.request.pose import PoseRequest
from planner.records.request.request import Request
from planner.records.request.search import SearchRequest
from planner.records.request.target import TargetRequest
from planner.records.search import TABLE as TABLE_NAME
from planner.search.kernels import line
from planner.search.kernels.verdicts import (
    BLOCKED,
    BORE,
    CUT_EDGE,
    HUB_BLOCKED,
    MISSES_TARGET,
    RE_ENTERS,
    SAFE,
    TABLE,
    TIP_OUTSIDE,
    TOO_LONG,
)
from planner.search.scene_fields import search_fields

seeds = st.integers(0, 10_000)
EXACT = 1e-9
SKIN_LACKS = {
    TOO_LONG: SkinLack.NEEDLE_LENGTH,
    CUT_EDGE: SkinLack.FIELD_OF_VIEW,
    RE_ENTERS: SkinLack.SECOND_ENTRY,
    TIP_OUTSIDE: SkinLack.TIP_OUTSIDE,
}


def appraised(
    made: Chest, tips_B: np.ndarray, outwards_B: np.ndarray, far_mm: float = 50.0
) -> list[Appraisal]:
    grid = made.scene.grid
    tips_P = grid.to_patient(tips_B)
    entries_P = tips_P + far_mm * grid.vectors_to_patient(outwards_B)
    return appraiser(made).appraise(entries_P, tips_P)


@cache
def appraiser(made: Chest) -> Appraiser:
    """The chest's appraiser, made once."""
    return Appraiser(made.scene, made.request)


def same_as_measured(one: Appraisal, path: MeasuredPath) -> None:
    for name in ("entry_mm", "tip_mm", "direction", "length_mm", "lung_length_mm", "target_chord_mm"):
        assert getattr(one, name) == pytest.approx(getattr(path, name), abs=EXACT), name
    for name in ("clearance_mm", "axial_angle_deg", "craniocaudal_angle_deg"):
        assert getattr(one, name) == pytest.approx(getattr(path, name), abs=EXACT), name
    for name in ("pleural_punctures", "fissures_crossed", "nearest_structure"):
        assert getattr(one, name) == getattr(path, name), name
    assert [c.structure for c in one.crosses] == [c.structure for c in path.crosses]
    spans = [[(c.from_mm, c.to_mm) for c in crosses] for crosses in (one.crosses, path.crosses)]
    assert np.allclose(*spans, rtol=0.0, atol=EXACT)


@given(seed=seeds, name=st.sampled_from(sorted(CHESTS)))
@settings(max_examples=12)
def test_quantities_are_those_of_measuring(seed: int, name: str) -> None:
    chest_case = small_chest(name)
    lines = random_lines(chest_case, 8, seed)
    measurer = Measurer(chest_case.scene, chest_case.request.needle_assembly)
    grid = chest_case.scene.grid
    for n, one in enumerate(appraised(chest_case, lines.point, lines.outward)):
        tip_P, outward_P = grid.to_patient(lines.point[n]), grid.vectors_to_patient(lines.outward[n])
        path = measurer.measure_from(tip_P, outward_P)
        if path is None:
            assert one.length_mm is one.entry_mm is one.lung_length_mm is one.pleural_punctures is None
            assert not one.safe and one.reasons[0].lack is Lack.SKIN
        else:
            same_as_measured(one, path)


@given(seed=seeds, name=st.sampled_from(sorted(CHESTS)))
@settings(max_examples=12)
def test_the_verdict_is_the_searchs(seed: int, name: str) -> None:
    """A needle with its tip where the search puts it is safe where the search says so; else it lacks that."""
    chest_case = small_chest(name)
    lines = random_lines(chest_case, 40, seed)
    verdicts, quantities = line.test_lines(
        search_fields(chest_case.scene, chest_case.request), lines.point, lines.outward
    )
    hit = np.flatnonzero((verdicts != MISSES_TARGET) & (quantities[:, line.CHORD] > 0.0))
    if not len(hit):
        return
    tips = lines.point[hit] + quantities[hit, line.TIP, None] * lines.outward[hit]
    appraisal = appraised(chest_case, tips + 1e-7 * lines.outward[hit], lines.outward[hit])
    for verdict, one in zip(verdicts[hit].tolist(), appraisal, strict=True):
        lacks = {r.lack for r in one.reasons}
        assert one.safe == (verdict == SAFE), (verdict, one.reasons)
        if verdict == BLOCKED:
            assert Lack.NEEDLE in lacks
        elif verdict == HUB_BLOCKED:
            assert Lack.HUB in lacks
        elif verdict == TABLE:
            assert TABLE_NAME in {r.structure for r in one.reasons}
        elif verdict == BORE:
            assert Lack.BORE in lacks
        elif verdict != SAFE:
            assert SKIN_LACKS[verdict] in [r.skin for r in one.reasons if r.lack is Lack.SKIN]


def test_some_needles_are_called_safe() -> None:
    """So that the test before this one has been true of something."""
    chest_case = small_chest("plain")
    lines = random_lines(chest_case, 2000, 1)
    verdicts, quantities = line.test_lines(
        search_fields(chest_case.scene, chest_case.request), lines.point, lines.outward
    )
    safe = np.flatnonzero(verdicts == SAFE)
    tips = lines.point[safe] + (quantities[safe, line.TIP, None] + 1e-7) * lines.outward[safe]
    appraisal = appraised(chest_case, tips, lines.outward[safe])
    assert len(appraisal) > 5 and all(one.safe for one in appraisal)


@given(seed=seeds, name=st.sampled_from(["plain", "oblique"]))
@settings(max_examples=5)
def test_each_structure_near_is_told_with_its_exact_distance(seed: int, name: str) -> None:
    made = without_table(small_chest(name))
    lines = random_lines(made, 3, seed)
    grid, request = made.scene.grid, made.request
    kept_free = made.scene.of_role(Role.FORBIDDEN, Role.OUTSIDE)
    for n, one in enumerate(appraised(made, lines.point, lines.outward)):
        end = lines.point[n] + request.needle.max_length_mm * lines.outward[n]
        least = {
            s.name: sampled_distance(grid, s.mask.layer == s.mask.label, lines.point[n], end, 2000)
            - request.needle.radius_mm
            for s in kept_free
        }
        told = {near.structure: near.clearance_mm for near in one.clearances}
        assert list(told.values()) == sorted(told.values())
        for structure, clearance in least.items():
            # Samples are 0.03 mm apart: they find no nearer place, and none much farther.
            if clearance < NEAR_MM - 0.05:
                assert told[structure] == pytest.approx(clearance, abs=0.03)
            elif clearance > NEAR_MM + 0.05:
                assert structure not in told
        for near in one.clearances:
            assert near.needed_mm == request.clearance_of(near.structure)
            lacking = [r for r in one.reasons if r.structure == near.structure and r.lack is Lack.NEEDLE]
            assert (near.clearance_mm < near.needed_mm - EXACT) == bool(lacking)


@given(seed=seeds)
@settings(max_examples=10)
def test_many_are_appraised_as_one(seed: int) -> None:
    chest_case = small_chest("oblique")
    lines = random_lines(chest_case, 12, seed)
    together = appraised(chest_case, lines.point, lines.outward)
    alone = [
        appraised(chest_case, p[None], d[None])[0] for p, d in zip(lines.point, lines.outward, strict=True)
    ]
    for one, other in zip(together, alone, strict=True):
        # Products of matrices of other sizes may round otherwise.
        assert one.crosses == () or one.crosses[0].from_mm == pytest.approx(
            other.crosses[0].from_mm, abs=EXACT
        )
        assert one.clearance_mm == pytest.approx(other.clearance_mm, abs=EXACT)
        assert one.length_mm == pytest.approx(other.length_mm, abs=EXACT)
        assert one.safe == other.safe
        for reason, like in zip(one.reasons, other.reasons, strict=True):
            assert reason == replace(like, found_mm=reason.found_mm)
            assert reason.found_mm == pytest.approx(like.found_mm, abs=EXACT)


def test_where_on_its_line_the_entry_is_given_does_not_matter() -> None:
    chest_case = small_chest("oblique")
    lines = random_lines(chest_case, 20, 3)
    near, far = (appraised(chest_case, lines.point, lines.outward, mm) for mm in (1.0, 300.0))
    for one, other in zip(near, far, strict=True):
        if one.entry_mm is not None:
            assert other.entry_mm == pytest.approx(one.entry_mm, abs=1e-6)
        assert one.safe == other.safe and [r.lack for r in one.reasons] == [r.lack for r in other.reasons]


# As built


def from_front(request: Request, i: float = 25.0, **more: object) -> Appraisal:
    small_scene = chest(**more)  # type: ignore[arg-type]
    tip_P = at_voxel(small_scene.grid, i, 27.4, 24)
    return Appraiser(small_scene, request).appraise((tip_P - [0.0, 90.0, 0.0])[None], tip_P[None])[0]


def test_a_needle_from_the_front_is_appraised_as_built() -> None:
    one = from_front(Request())
    # As in test_measure; the vertebrae are 5 mm to the tip's left and 12.2 mm behind it.
    assert one.safe and one.reasons == () and one.length_mm == pytest.approx(39.8)
    assert one.nearest_structure == "vertebrae"
    assert one.clearance_mm == pytest.approx(np.hypot(5.0, 12.2) - 0.635)
    assert one.clearances == ()


def test_a_wide_margin_is_lacked_by_name_and_number() -> None:
    one = from_front(Request(clearance_mm=MappingProxyType({"default": 2.0, "vertebrae": 20.0})))
    clearance = np.hypot(5.0, 12.2) - 0.635
    assert [(near.structure, near.needed_mm) for near in one.clearances] == [("vertebrae", 20.0)]
    (reason,) = (r for r in one.reasons if r.structure == "vertebrae" and r.lack is Lack.NEEDLE)
    assert (reason.found_mm, reason.needed_mm) == (pytest.approx(clearance), 20.0)
    assert reason.detail == f"The needle passes {clearance:.1f} mm from vertebrae, which needs 20.0 mm."


def test_what_the_needle_runs_into_is_said() -> None:
    one = from_front(Request(), calcification=(Role.FORBIDDEN, ((24, 18, 23), (27, 20, 26))))
    assert one.reasons[0].detail == "The needle runs into calcification." and not one.safe
    assert one.clearance_mm == pytest.approx(-0.635)


def test_too_short_a_way_in_the_target_is_said() -> None:
    one = from_front(Request(target=TargetRequest(min_chord_mm=30.0)))
    assert [r.detail for r in one.reasons] == ["It runs in the target for 11.8 mm; 30.0 mm are needed."]
    beside = from_front(Request(target=TargetRequest(min_chord_mm=0.0)), i=14.0)
    assert beside.target_chord_mm == 0.0 and Lack.TARGET in [r.lack for r in beside.reasons]


def test_a_narrow_bore_is_said() -> None:
    """The hub's far end is farthest from the bore's axis: its wall must be the hub's radius farther."""
    made, request = chest(), Request(pose=PoseRequest(hub_length_mm=60.0, hub_diameter_mm=20.0))
    tip_P = at_voxel(made.grid, 25, 27.4, 24)
    end_P = tip_P - [0.0, request.needle.max_length_mm + 60.0, 0.0]
    bore = made.pose.bore
    far_mm = float(np.linalg.norm(np.cross(bore.axis_P, end_P - bore.centre_P)))
    for radius_mm, lacks in ((far_mm + 10.0 + 1e-6, False), (far_mm + 10.0 - 1e-6, True), (100.0, True)):
        posed = replace(made, pose=replace(made.pose, bore=replace(bore, radius_mm=radius_mm)))
        found = Appraiser(posed, request).appraise((tip_P - [0.0, 90.0, 0.0])[None], tip_P[None])[0]
        assert (Lack.BORE in [r.lack for r in found.reasons]) is lacks
    left = f"The hub's axis comes within {100.0 - far_mm:.1f} mm of the bore's wall; it needs 10.0 mm."
    assert left in [reason.detail for reason in found.reasons]


@pytest.mark.parametrize(
    ("past_mm", "detail"),
    [
        (3.0, "The tip lies 3.0 mm beyond the target's far edge."),
        (0.01, "The tip lies less than 0.1 mm beyond the target's far edge."),
        (0.0, None),
        (-1.0, None),
    ],
)
def test_a_tip_beyond_the_target_is_said(past_mm: float, detail: str | None) -> None:
    small_scene = chest()
    # The node ends at voxel 27, and nothing but body is behind it.
    tip_P = at_voxel(small_scene.grid, 25, 27.5, 24) + np.array([0.0, past_mm, 0.0])
    one = Appraiser(small_scene, Request()).appraise((tip_P - [0.0, 90.0, 0.0])[None], tip_P[None])[0]
    assert [r.detail for r in one.reasons] == ([] if detail is None else [detail])
    assert all(r.lack is Lack.TIP for r in one.reasons) and one.safe == (detail is None)


def test_a_tip_far_from_the_target_lacks_the_target_alone() -> None:
    small_scene = chest()
    tip_P = at_voxel(small_scene.grid, 14, 40.0, 24)
    one = Appraiser(small_scene, Request()).appraise((tip_P - [0.0, 90.0, 0.0])[None], tip_P[None])[0]
    lacks = [r.lack for r in one.reasons]
    assert Lack.TARGET in lacks and Lack.TIP not in lacks


def test_without_anything_to_keep_free_the_clearance_is_the_cap() -> None:
    grid = grid_of((40, 40, 40), (2.0, 2.0, 2.0))
    body, node = (
        box_mask(grid.shape, ((4, 4, 4), (36, 36, 36))),
        box_mask(grid.shape, ((18, 18, 18), (22, 22, 22))),
    )
    bare = scene_of_masks(grid, {"body": (Role.SKIN, body), "node": (Role.TARGET, node)})
    bare = replace(bare, pose=replace(bare.pose, table=None))
    one = Appraiser(bare, Request()).appraise(
        np.array([[40.0, -20.0, 40.0]]), np.array([[40.0, 41.0, 40.0]])
    )[0]
    assert (one.clearance_mm, one.nearest_structure) == (CLEARANCE_CAP_MM, "") and one.clearances == ()
    assert one.safe


def test_more_crossings_than_there_is_room_for_find_room(monkeypatch: pytest.MonkeyPatch) -> None:
    chest_case = small_chest("oblique")
    lines = random_lines(chest_case, 6, 11)
    before = appraised(chest_case, lines.point, lines.outward)
    monkeypatch.setattr(crossing, "CROSSINGS", 1)
    assert appraised(chest_case, lines.point, lines.outward) == before
    assert max(len(one.crosses) for one in before) > 1


def test_a_surface_is_crossed_where_its_triangles_are() -> None:
    """A box that came as a mesh, and whose voxels reach farther than it does."""
    corners = np.array([[x, y, z] for x in (44.0, 56.0) for y in (22.0, 30.0) for z in (66.0, 80.0)])
    faces = [(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1), (2, 3, 7), (2, 7, 6)]
    faces += [(0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)]
    made = chest()
    mask = mask_from_bool(box_mask(made.grid.shape, ((22, 11, 21), (29, 16, 28))))
    cyst = Structure("cyst", mask, Role.PASSABLE, Surface(corners, np.array(faces)))
    made = replace(made, structures=(*made.structures, cyst))
    tip_P = at_voxel(made.grid, 25, 27.4, 24)
    one = Appraiser(made, Request()).appraise((tip_P - [0.0, 90.0, 0.0])[None], tip_P[None])[0]
    crossing = next(c for c in one.crosses if c.structure == "cyst")
    # Skin at y = 15.
    assert (crossing.from_mm, crossing.to_mm) == pytest.approx((7.0, 15.0))


def test_a_needle_without_direction_is_refused() -> None:
    small_scene = chest()
    points = np.array([[0.0, 0.0, 0.0], [50.0, 40.0, 70.0]])
    with pytest.raises(ValueError, match="needle 1 has its entry at its tip"):
        Appraiser(small_scene, Request()).appraise(points + np.array([[1.0, 0.0, 0.0], [0.0] * 3]), points)


# Small enough for the interpreter


def tiny(*left_out: str) -> Chest:
    """A body of 20 mm with two organs that overlap, and a node beside lung; a short needle with a hub."""
    grid = grid_of((14, 13, 12), (2.0, 2.0, 2.5), pose_P((10.0, 20.0, -15.0), (3.0, 4.0, 5.0)))
    parts: dict[str, tuple[Role, Box]] = {
        "body": (Role.SKIN, ((2, 2, 2), (12, 11, 10))),
        "lung_left": (Role.LUNG, ((3, 3, 3), (7, 9, 9))),
        "aorta": (Role.FORBIDDEN, ((8, 4, 4), (10, 7, 8))),
        "heart": (Role.FORBIDDEN, ((9, 5, 5), (11, 9, 9))),
        "arm": (Role.OUTSIDE, ((0, 0, 0), (14, 1, 3))),
        "node": (Role.TARGET, ((6, 6, 5), (8, 8, 8))),
    }
    kept = {name: part for name, part in parts.items() if name not in left_out}
    masks = {name: (role, box_mask(grid.shape, box)) for name, (role, box) in kept.items()}
    pose = PoseRequest(hub_length_mm=6.0, hub_diameter_mm=3.0)
    request = Request(
        target=TargetRequest(min_chord_mm=1.0),
        needle=Needle(max_length_mm=26.0),
        pose=pose,
        search=SearchRequest(field_resolution_mm=2.0),
    )
    return Chest(scene_of_masks(grid, masks), request)


@pytest.mark.interpreted
@pytest.mark.parametrize("left_out", [(), ("aorta", "heart", "arm")])
def test_a_tiny_chest_is_appraised_as_measured(left_out: tuple[str, ...]) -> None:
    made = tiny(*left_out)
    lines = random_lines(made, 30, 5)
    measurer = Measurer(made.scene, made.request.needle_assembly)
    grid = made.scene.grid
    reached = 0
    appraisal = appraised(made, lines.point, lines.outward)
    for n, one in enumerate(appraisal):
        tip_P, outward_P = grid.to_patient(lines.point[n]), grid.vectors_to_patient(lines.outward[n])
        path = measurer.measure_from(tip_P, outward_P)
        assert (path is None) == (one.length_mm is None)
        if path is not None:
            same_as_measured(one, path)
            reached += 1
    assert reached > 0
    near = [{near.structure for near in one.clearances} for one in appraisal]
    assert any({"aorta", "heart"} <= names for names in near) == (left_out == ())


def along_needle(tip_P: np.ndarray, outward_P: np.ndarray, first_mm: float, last_mm: float) -> np.ndarray:
    """Points (n, 3) all along a piece of a needle, its ends among them."""
    return np.asarray(tip_P + np.linspace(first_mm, last_mm, 41)[:, None] * outward_P)


@pytest.mark.interpreted
@pytest.mark.parametrize("seed", range(3))
def test_the_table_is_told_where_needle_and_hub_come_nearest_to_it(seed: int) -> None:
    """At the tip or at the end: the planes lie any way about the patient."""
    made = tiny()
    request, rng = made.request, np.random.default_rng(seed)
    normal_P = rng.normal(size=3)
    normal_P /= np.linalg.norm(normal_P)
    lines = random_lines(made, 16, seed)
    tips_P = made.scene.grid.to_patient(lines.point)
    outwards_P = made.scene.grid.vectors_to_patient(lines.outward)
    offset = float((tips_P @ normal_P).max() + 1.0)
    posed = replace(made.scene, pose=replace(made.scene.pose, table=TableHalfSpace(normal_P, offset)))
    length, hub = request.needle.max_length_mm, request.pose.hub_length_mm
    need, at_tip, at_end = request.clearance_of(TABLE_NAME), 0, 0
    for n, one in enumerate(appraised(Chest(posed, request), lines.point, lines.outward)):
        from_table = offset - along_needle(tips_P[n], outwards_P[n], 0.0, length) @ normal_P
        clearance = from_table.min() - request.needle.radius_mm
        told = {near.structure: near.clearance_mm for near in one.clearances}
        assert (TABLE_NAME in told) == (clearance <= max(NEAR_MM, need))
        if TABLE_NAME in told:
            assert told[TABLE_NAME] == pytest.approx(clearance, abs=EXACT)
            at_tip, at_end = at_tip + (from_table.argmin() == 0), at_end + (from_table.argmin() > 0)
        of_hub = offset - along_needle(tips_P[n], outwards_P[n], length, length + hub) @ normal_P
        lacks = {r.lack for r in one.reasons if r.structure == TABLE_NAME}
        assert (Lack.NEEDLE in lacks) == (clearance < need)
        assert (Lack.HUB in lacks) == (of_hub.min() - request.hub_radius_mm < need)
    assert at_tip and at_end


@pytest.mark.interpreted
def test_the_bores_wall_is_kept_by_the_tip_too() -> None:
    """A bore so far to one side of the patient that some tips lie nearer to its wall than their hubs do."""
    made = tiny()
    lines = random_lines(made, 25, 7)
    tips_P = made.scene.grid.to_patient(lines.point)
    outwards_P = made.scene.grid.vectors_to_patient(lines.outward)
    axis_P = np.array([0.0, 0.0, 1.0])
    bore = Bore(tips_P.mean(axis=0) + np.array([26.0, 0.0, 0.0]), axis_P, 28.0)
    posed = replace(made.scene, pose=replace(made.scene.pose, table=None, bore=bore))
    request, nearer_at_tip = made.request, 0
    end_mm = request.needle.max_length_mm + request.pose.hub_length_mm
    for n, one in enumerate(appraised(Chest(posed, request), lines.point, lines.outward)):
        away = along_needle(tips_P[n], outwards_P[n], 0.0, end_mm) - bore.centre_P
        free = 28.0 - np.linalg.norm(np.cross(axis_P, away), axis=1)
        assert (Lack.BORE in {r.lack for r in one.reasons}) == (free.min() < request.hub_radius_mm)
        nearer_at_tip += free.argmin() == 0 and free.min() < request.hub_radius_mm <= free[-1]
    assert nearer_at_tip > 0


@pytest.mark.interpreted
def test_a_tiny_chest_finds_room_for_its_crossings(monkeypatch: pytest.MonkeyPatch) -> None:
    made = tiny()
    lines = random_lines(made, 4, 5)
    before = appraised(made, lines.point, lines.outward)
    monkeypatch.setattr(crossing, "CROSSINGS", 1)
    assert appraised(made, lines.point, lines.outward) == before


@pytest.mark.interpreted
def test_a_stretch_as_short_as_rounding_is_no_crossing() -> None:
    sets = np.ones((2, 1, 1), np.uint16)
    sets[1] = 2
    starts, members = np.array([0, 0, 1, 2]), np.array([0, 1])
    counts, crossed, spans = np.zeros(2, np.int64), np.zeros((2, 4), np.int64), np.zeros((2, 4, 2))
    entries = np.array([[0.5 - 5e-7, 0.0, 0.0], [0.0, 0.0, 0.0]])
    inwards = np.array([[1.0, 0.0, 0.0]] * 2)
    lengths = np.array([0.9, 0.9])
    crossing.cross_range(
        sets, starts, members, np.ones(3), entries, inwards, lengths, 2, counts, crossed, spans, 0, 2
    )
    assert counts.tolist() == [1, 2]
    assert crossed[0, 0] == 1 and crossed[1, :2].tolist() == [0, 1]


# Sets of structures


@pytest.mark.interpreted
@given(seed=seeds)
@settings(max_examples=20)
def test_every_voxels_set_is_what_it_is_in(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (5, 4, 3)
    masks = [rng.random(shape) < rng.uniform(0.1, 0.9) for _ in range(rng.integers(0, 6))]
    masks = [mask for mask in masks if mask.any()]
    made = structure_sets([Structure(f"s{n}", mask_from_bool(m)) for n, m in enumerate(masks)], shape)
    for at in np.ndindex(*shape):
        here = int(made.sets[at])
        held = made.members[made.starts[here] : made.starts[here + 1]].tolist()
        assert held == [n for n, mask in enumerate(masks) if mask[at]]
