"""Appraisal: compared with measuring, the search's test of a line, and samples, for one needle and for
many."""

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
    chest_case: Chest, tips_B: np.ndarray, outwards_B: np.ndarray, entry_distance_mm: float = 50.0
) -> list[Appraisal]:
    grid = chest_case.scene.grid
    tips_P = grid.to_patient(tips_B)
    entries_P = tips_P + entry_distance_mm * grid.vectors_to_patient(outwards_B)
    return appraiser(chest_case).appraise(entries_P, tips_P)


@cache
def appraiser(chest_case: Chest) -> Appraiser:
    """The chest's appraiser, the same for all tests."""
    return Appraiser(chest_case.scene, chest_case.request)


def assert_agrees_with_path(appraisal: Appraisal, path: MeasuredPath) -> None:
    for name in ("entry_mm", "tip_mm", "direction", "length_mm", "lung_length_mm", "target_chord_mm"):
        assert getattr(appraisal, name) == pytest.approx(getattr(path, name), abs=EXACT), name
    for name in ("clearance_mm", "axial_angle_deg", "craniocaudal_angle_deg"):
        assert getattr(appraisal, name) == pytest.approx(getattr(path, name), abs=EXACT), name
    for name in ("pleural_punctures", "fissures_crossed", "nearest_structure"):
        assert getattr(appraisal, name) == getattr(path, name), name
    assert [c.structure for c in appraisal.crosses] == [c.structure for c in path.crosses]
    spans = [[(c.from_mm, c.to_mm) for c in crosses] for crosses in (appraisal.crosses, path.crosses)]
    assert np.allclose(*spans, rtol=0.0, atol=EXACT)


@given(seed=seeds, name=st.sampled_from(sorted(CHESTS)))
@settings(max_examples=12)
def test_quantities_agree_with_measuring(seed: int, name: str) -> None:
    chest_case = small_chest(name)
    lines = random_lines(chest_case, 8, seed)
    measurer = Measurer(chest_case.scene, chest_case.request.needle_assembly)
    grid = chest_case.scene.grid
    for n, appraisal in enumerate(appraised(chest_case, lines.point, lines.outward)):
        tip_P, outward_P = grid.to_patient(lines.point[n]), grid.vectors_to_patient(lines.outward[n])
        path = measurer.measure_from(tip_P, outward_P)
        if path is None:
            assert (
                appraisal.length_mm
                is appraisal.entry_mm
                is appraisal.lung_length_mm
                is appraisal.pleural_punctures
                is None
            )
            assert not appraisal.safe and appraisal.reasons[0].lack is Lack.SKIN
        else:
            assert_agrees_with_path(appraisal, path)


@given(seed=seeds, name=st.sampled_from(sorted(CHESTS)))
@settings(max_examples=12)
def test_the_verdict_agrees_with_the_search(seed: int, name: str) -> None:
    """A needle with its tip at the search's tip is safe if the search says so; otherwise it has the same
    reason."""
    chest_case = small_chest(name)
    lines = random_lines(chest_case, 40, seed)
    verdicts, quantities = line.test_lines(
        search_fields(chest_case.scene, chest_case.request), lines.point, lines.outward
    )
    hit = np.flatnonzero((verdicts != MISSES_TARGET) & (quantities[:, line.CHORD] > 0.0))
    if not len(hit):
        return
    tips = lines.point[hit] + quantities[hit, line.TIP, None] * lines.outward[hit]
    appraisals = appraised(chest_case, tips + 1e-7 * lines.outward[hit], lines.outward[hit])
    for verdict, appraisal in zip(verdicts[hit].tolist(), appraisals, strict=True):
        lacks = {r.lack for r in appraisal.reasons}
        assert appraisal.safe == (verdict == SAFE), (verdict, appraisal.reasons)
        if verdict == BLOCKED:
            assert Lack.NEEDLE in lacks
        elif verdict == HUB_BLOCKED:
            assert Lack.HUB in lacks
        elif verdict == TABLE:
            assert TABLE_NAME in {r.structure for r in appraisal.reasons}
        elif verdict == BORE:
            assert Lack.BORE in lacks
        elif verdict != SAFE:
            assert SKIN_LACKS[verdict] in [r.skin for r in appraisal.reasons if r.lack is Lack.SKIN]


def test_some_needles_are_appraised_as_safe() -> None:
    """A check that the previous test covers safe needles."""
    chest_case = small_chest("plain")
    lines = random_lines(chest_case, 2000, 1)
    verdicts, quantities = line.test_lines(
        search_fields(chest_case.scene, chest_case.request), lines.point, lines.outward
    )
    safe = np.flatnonzero(verdicts == SAFE)
    tips = lines.point[safe] + (quantities[safe, line.TIP, None] + 1e-7) * lines.outward[safe]
    appraisals = appraised(chest_case, tips, lines.outward[safe])
    assert len(appraisals) > 5 and all(appraisal.safe for appraisal in appraisals)


@given(seed=seeds, name=st.sampled_from(["plain", "oblique"]))
@settings(max_examples=5)
def test_each_near_structure_is_reported_with_its_exact_distance(seed: int, name: str) -> None:
    chest_case = without_table(small_chest(name))
    lines = random_lines(chest_case, 3, seed)
    grid, request = chest_case.scene.grid, chest_case.request
    obstacles = chest_case.scene.of_role(Role.FORBIDDEN, Role.OUTSIDE)
    for n, appraisal in enumerate(appraised(chest_case, lines.point, lines.outward)):
        end = lines.point[n] + request.needle.max_length_mm * lines.outward[n]
        sampled_mm = {
            s.name: sampled_distance(grid, s.mask.layer == s.mask.label, lines.point[n], end, 2000)
            - request.needle.radius_mm
            for s in obstacles
        }
        reported = {near.structure: near.clearance_mm for near in appraisal.clearances}
        assert list(reported.values()) == sorted(reported.values())
        for structure, clearance in sampled_mm.items():
            # Samples are 0.03 mm apart, so their minimum is never below the distance and at most slightly
            # above.
            if clearance < NEAR_MM - 0.05:
                assert reported[structure] == pytest.approx(clearance, abs=0.03)
            elif clearance > NEAR_MM + 0.05:
                assert structure not in reported
        for near in appraisal.clearances:
            assert near.needed_mm == request.clearance_of(near.structure)
            reasons = [
                r for r in appraisal.reasons if r.structure == near.structure and r.lack is Lack.NEEDLE
            ]
            assert (near.clearance_mm < near.needed_mm - EXACT) == bool(reasons)


@given(seed=seeds)
@settings(max_examples=10)
def test_appraising_many_needles_agrees_with_one_at_a_time(seed: int) -> None:
    chest_case = small_chest("oblique")
    lines = random_lines(chest_case, 12, seed)
    together = appraised(chest_case, lines.point, lines.outward)
    one_at_a_time = [
        appraised(chest_case, p[None], d[None])[0] for p, d in zip(lines.point, lines.outward, strict=True)
    ]
    for appraisal, single in zip(together, one_at_a_time, strict=True):
        # Products of matrices of other sizes may round differently.
        assert appraisal.crosses == () or appraisal.crosses[0].from_mm == pytest.approx(
            single.crosses[0].from_mm, abs=EXACT
        )
        assert appraisal.clearance_mm == pytest.approx(single.clearance_mm, abs=EXACT)
        assert appraisal.length_mm == pytest.approx(single.length_mm, abs=EXACT)
        assert appraisal.safe == single.safe
        for reason, single_reason in zip(appraisal.reasons, single.reasons, strict=True):
            assert reason == replace(single_reason, found_mm=reason.found_mm)
            assert reason.found_mm == pytest.approx(single_reason.found_mm, abs=EXACT)


def test_the_position_of_the_entry_on_its_line_does_not_matter() -> None:
    chest_case = small_chest("oblique")
    lines = random_lines(chest_case, 20, 3)
    near, far = (appraised(chest_case, lines.point, lines.outward, mm) for mm in (1.0, 300.0))
    for appraisal, far_appraisal in zip(near, far, strict=True):
        if appraisal.entry_mm is not None:
            assert far_appraisal.entry_mm == pytest.approx(appraisal.entry_mm, abs=1e-6)
        assert appraisal.safe == far_appraisal.safe and [r.lack for r in appraisal.reasons] == [
            r.lack for r in far_appraisal.reasons
        ]


# Known by construction


def from_front(request: Request, i: float = 25.0, **organs: object) -> Appraisal:
    small_scene = chest(**organs)  # type: ignore[arg-type]
    tip_P = at_voxel(small_scene.grid, i, 27.4, 24)
    return Appraiser(small_scene, request).appraise((tip_P - [0.0, 90.0, 0.0])[None], tip_P[None])[0]


def test_an_appraisal_from_the_front_has_the_numbers_of_the_boxes() -> None:
    appraisal = from_front(Request())
    # As in test_measure; the vertebrae are 5 mm to the tip's left and 12.2 mm behind it.
    assert appraisal.safe and appraisal.reasons == () and appraisal.length_mm == pytest.approx(39.8)
    assert appraisal.nearest_structure == "vertebrae"
    assert appraisal.clearance_mm == pytest.approx(np.hypot(5.0, 12.2) - 0.635)
    assert appraisal.clearances == ()


def test_a_missing_clearance_is_reported_with_its_name_and_numbers() -> None:
    appraisal = from_front(Request(clearance_mm=MappingProxyType({"default": 2.0, "vertebrae": 20.0})))
    clearance = np.hypot(5.0, 12.2) - 0.635
    assert [(near.structure, near.needed_mm) for near in appraisal.clearances] == [("vertebrae", 20.0)]
    (reason,) = (r for r in appraisal.reasons if r.structure == "vertebrae" and r.lack is Lack.NEEDLE)
    assert (reason.found_mm, reason.needed_mm) == (pytest.approx(clearance), 20.0)
    assert reason.detail == f"The needle passes {clearance:.1f} mm from vertebrae, which needs 20.0 mm."


def test_a_structure_that_the_needle_crosses_is_reported() -> None:
    appraisal = from_front(Request(), calcification=(Role.FORBIDDEN, ((24, 18, 23), (27, 20, 26))))
    assert appraisal.reasons[0].detail == "The needle runs into calcification." and not appraisal.safe
    assert appraisal.clearance_mm == pytest.approx(-0.635)


def test_a_short_chord_in_the_target_is_reported() -> None:
    appraisal = from_front(Request(target=TargetRequest(min_chord_mm=30.0)))
    assert [r.detail for r in appraisal.reasons] == ["It runs in the target for 11.8 mm; 30.0 mm are needed."]
    beside_target = from_front(Request(target=TargetRequest(min_chord_mm=0.0)), i=14.0)
    assert beside_target.target_chord_mm == 0.0 and Lack.TARGET in [r.lack for r in beside_target.reasons]


def test_a_narrow_bore_is_reported() -> None:
    """The hub's far end is farthest from the bore's axis; the bore's wall must be a hub radius farther."""
    chest_case, request = chest(), Request(pose=PoseRequest(hub_length_mm=60.0, hub_diameter_mm=20.0))
    tip_P = at_voxel(chest_case.grid, 25, 27.4, 24)
    end_P = tip_P - [0.0, request.needle.max_length_mm + 60.0, 0.0]
    bore = chest_case.pose.bore
    far_mm = float(np.linalg.norm(np.cross(bore.axis_P, end_P - bore.centre_P)))
    for radius_mm, lacks in ((far_mm + 10.0 + 1e-6, False), (far_mm + 10.0 - 1e-6, True), (100.0, True)):
        posed = replace(chest_case, pose=replace(chest_case.pose, bore=replace(bore, radius_mm=radius_mm)))
        appraisal = Appraiser(posed, request).appraise((tip_P - [0.0, 90.0, 0.0])[None], tip_P[None])[0]
        assert (Lack.BORE in [r.lack for r in appraisal.reasons]) is lacks
    sentence = f"The hub's axis comes within {100.0 - far_mm:.1f} mm of the bore's wall; it needs 10.0 mm."
    assert sentence in [reason.detail for reason in appraisal.reasons]


@pytest.mark.parametrize(
    ("excess_mm", "detail"),
    [
        (3.0, "The tip lies 3.0 mm beyond the target's far edge."),
        (0.01, "The tip lies less than 0.1 mm beyond the target's far edge."),
        (0.0, None),
        (-1.0, None),
    ],
)
def test_a_tip_beyond_the_target_is_reported(excess_mm: float, detail: str | None) -> None:
    small_scene = chest()
    # The node ends at voxel 27, with only body behind it.
    tip_P = at_voxel(small_scene.grid, 25, 27.5, 24) + np.array([0.0, excess_mm, 0.0])
    appraisal = Appraiser(small_scene, Request()).appraise((tip_P - [0.0, 90.0, 0.0])[None], tip_P[None])[0]
    assert [r.detail for r in appraisal.reasons] == ([] if detail is None else [detail])
    assert all(r.lack is Lack.TIP for r in appraisal.reasons) and appraisal.safe == (detail is None)


def test_a_tip_far_from_the_target_lacks_the_target_and_not_the_tip() -> None:
    small_scene = chest()
    tip_P = at_voxel(small_scene.grid, 14, 40.0, 24)
    appraisal = Appraiser(small_scene, Request()).appraise((tip_P - [0.0, 90.0, 0.0])[None], tip_P[None])[0]
    lacks = [r.lack for r in appraisal.reasons]
    assert Lack.TARGET in lacks and Lack.TIP not in lacks


def test_without_obstacles_the_clearance_is_the_cap() -> None:
    grid = grid_of((40, 40, 40), (2.0, 2.0, 2.0))
    body, node = (
        box_mask(grid.shape, ((4, 4, 4), (36, 36, 36))),
        box_mask(grid.shape, ((18, 18, 18), (22, 22, 22))),
    )
    scene = scene_of_masks(grid, {"body": (Role.SKIN, body), "node": (Role.TARGET, node)})
    scene = replace(scene, pose=replace(scene.pose, table=None))
    appraisal = Appraiser(scene, Request()).appraise(
        np.array([[40.0, -20.0, 40.0]]), np.array([[40.0, 41.0, 40.0]])
    )[0]
    assert (appraisal.clearance_mm, appraisal.nearest_structure) == (
        CLEARANCE_CAP_MM,
        "",
    ) and appraisal.clearances == ()
    assert appraisal.safe


def test_the_buffer_of_crossings_grows_when_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    chest_case = small_chest("oblique")
    lines = random_lines(chest_case, 6, 11)
    appraisals = appraised(chest_case, lines.point, lines.outward)
    monkeypatch.setattr(crossing, "CROSSINGS", 1)
    assert appraised(chest_case, lines.point, lines.outward) == appraisals
    assert max(len(appraisal.crosses) for appraisal in appraisals) > 1


def test_a_surface_is_crossed_where_its_triangles_are() -> None:
    """A box read as a mesh; its voxels extend beyond the mesh."""
    corners = np.array([[x, y, z] for x in (44.0, 56.0) for y in (22.0, 30.0) for z in (66.0, 80.0)])
    faces = [(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1), (2, 3, 7), (2, 7, 6)]
    faces += [(0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)]
    chest_case = chest()
    mask = mask_from_bool(box_mask(chest_case.grid.shape, ((22, 11, 21), (29, 16, 28))))
    cyst = Structure("cyst", mask, Role.PASSABLE, Surface(corners, np.array(faces)))
    chest_case = replace(chest_case, structures=(*chest_case.structures, cyst))
    tip_P = at_voxel(chest_case.grid, 25, 27.4, 24)
    appraisal = Appraiser(chest_case, Request()).appraise((tip_P - [0.0, 90.0, 0.0])[None], tip_P[None])[0]
    crossing = next(c for c in appraisal.crosses if c.structure == "cyst")
    # Skin at y = 15.
    assert (crossing.from_mm, crossing.to_mm) == pytest.approx((7.0, 15.0))


def test_a_needle_without_direction_is_refused() -> None:
    small_scene = chest()
    points = np.array([[0.0, 0.0, 0.0], [50.0, 40.0, 70.0]])
    with pytest.raises(ValueError, match="needle 1 has its entry at its tip"):
        Appraiser(small_scene, Request()).appraise(points + np.array([[1.0, 0.0, 0.0], [0.0] * 3]), points)


# Small enough to run without compiled kernels


def tiny_chest(*left_out: str) -> Chest:
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
    included = {name: part for name, part in parts.items() if name not in left_out}
    masks = {name: (role, box_mask(grid.shape, box)) for name, (role, box) in included.items()}
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
def test_a_tiny_chest_agrees_with_measuring(left_out: tuple[str, ...]) -> None:
    chest_case = tiny_chest(*left_out)
    lines = random_lines(chest_case, 30, 5)
    measurer = Measurer(chest_case.scene, chest_case.request.needle_assembly)
    grid = chest_case.scene.grid
    reached = 0
    appraisals = appraised(chest_case, lines.point, lines.outward)
    for n, appraisal in enumerate(appraisals):
        tip_P, outward_P = grid.to_patient(lines.point[n]), grid.vectors_to_patient(lines.outward[n])
        path = measurer.measure_from(tip_P, outward_P)
        assert (path is None) == (appraisal.length_mm is None)
        if path is not None:
            assert_agrees_with_path(appraisal, path)
            reached += 1
    assert reached > 0
    near_names = [{near_names.structure for near_names in appraisal.clearances} for appraisal in appraisals]
    assert any({"aorta", "heart"} <= names for names in near_names) == (left_out == ())


def along_needle(tip_P: np.ndarray, outward_P: np.ndarray, first_mm: float, last_mm: float) -> np.ndarray:
    """Points (n, 3) along a piece of a needle, including its ends. [mm]"""
    return np.asarray(tip_P + np.linspace(first_mm, last_mm, 41)[:, None] * outward_P)


@pytest.mark.interpreted
@pytest.mark.parametrize("seed", range(3))
def test_the_table_clearance_is_that_of_the_nearest_point_of_needle_and_hub(seed: int) -> None:
    """The nearest point is at the tip or at the end: the planes have any orientation."""
    chest_case = tiny_chest()
    request, rng = chest_case.request, np.random.default_rng(seed)
    normal_P = rng.normal(size=3)
    normal_P /= np.linalg.norm(normal_P)
    lines = random_lines(chest_case, 16, seed)
    tips_P = chest_case.scene.grid.to_patient(lines.point)
    outwards_P = chest_case.scene.grid.vectors_to_patient(lines.outward)
    offset = float((tips_P @ normal_P).max() + 1.0)
    posed = replace(
        chest_case.scene, pose=replace(chest_case.scene.pose, table=TableHalfSpace(normal_P, offset))
    )
    length, hub = request.needle.max_length_mm, request.pose.hub_length_mm
    need, at_tip, at_end = request.clearance_of(TABLE_NAME), 0, 0
    for n, appraisal in enumerate(appraised(Chest(posed, request), lines.point, lines.outward)):
        from_table = offset - along_needle(tips_P[n], outwards_P[n], 0.0, length) @ normal_P
        clearance = from_table.min() - request.needle.radius_mm
        reported = {near.structure: near.clearance_mm for near in appraisal.clearances}
        assert (TABLE_NAME in reported) == (clearance <= max(NEAR_MM, need))
        if TABLE_NAME in reported:
            assert reported[TABLE_NAME] == pytest.approx(clearance, abs=EXACT)
            at_tip, at_end = at_tip + (from_table.argmin() == 0), at_end + (from_table.argmin() > 0)
        hub_distances = offset - along_needle(tips_P[n], outwards_P[n], length, length + hub) @ normal_P
        lacks = {r.lack for r in appraisal.reasons if r.structure == TABLE_NAME}
        assert (Lack.NEEDLE in lacks) == (clearance < need)
        assert (Lack.HUB in lacks) == (hub_distances.min() - request.hub_radius_mm < need)
    assert at_tip and at_end


@pytest.mark.interpreted
def test_the_tip_must_keep_its_distance_from_the_bores_wall_too() -> None:
    """A bore so far to one side that some tips are nearer to its wall than their hubs."""
    chest_case = tiny_chest()
    lines = random_lines(chest_case, 25, 7)
    tips_P = chest_case.scene.grid.to_patient(lines.point)
    outwards_P = chest_case.scene.grid.vectors_to_patient(lines.outward)
    axis_P = np.array([0.0, 0.0, 1.0])
    bore = Bore(tips_P.mean(axis=0) + np.array([26.0, 0.0, 0.0]), axis_P, 28.0)
    posed = replace(chest_case.scene, pose=replace(chest_case.scene.pose, table=None, bore=bore))
    request, nearer_at_tip = chest_case.request, 0
    end_mm = request.needle.max_length_mm + request.pose.hub_length_mm
    for n, appraisal in enumerate(appraised(Chest(posed, request), lines.point, lines.outward)):
        offsets_P = along_needle(tips_P[n], outwards_P[n], 0.0, end_mm) - bore.centre_P
        distances = 28.0 - np.linalg.norm(np.cross(axis_P, offsets_P), axis=1)
        assert (Lack.BORE in {r.lack for r in appraisal.reasons}) == (distances.min() < request.hub_radius_mm)
        nearer_at_tip += distances.argmin() == 0 and distances.min() < request.hub_radius_mm <= distances[-1]
    assert nearer_at_tip > 0


@pytest.mark.interpreted
def test_the_buffer_of_crossings_grows_for_a_tiny_chest(monkeypatch: pytest.MonkeyPatch) -> None:
    chest_case = tiny_chest()
    lines = random_lines(chest_case, 4, 5)
    appraisals = appraised(chest_case, lines.point, lines.outward)
    monkeypatch.setattr(crossing, "CROSSINGS", 1)
    assert appraised(chest_case, lines.point, lines.outward) == appraisals


@pytest.mark.interpreted
def test_a_stretch_within_rounding_is_no_crossing() -> None:
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
def test_every_voxel_has_the_set_of_its_structures(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (5, 4, 3)
    masks = [rng.random(shape) < rng.uniform(0.1, 0.9) for _ in range(rng.integers(0, 6))]
    masks = [mask for mask in masks if mask.any()]
    chest_case = structure_sets([Structure(f"s{n}", mask_from_bool(m)) for n, m in enumerate(masks)], shape)
    for voxel in np.ndindex(*shape):
        set_number = int(chest_case.sets[voxel])
        members = chest_case.members[
            chest_case.starts[set_number] : chest_case.starts[set_number + 1]
        ].tolist()
        assert members == [n for n, mask in enumerate(masks) if mask[voxel]]
