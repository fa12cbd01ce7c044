"""Properties of every plan: it moves with the patient, a harder request has no more safe lines, and it
depends only on scene and request."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from itertools import combinations
from types import MappingProxyType

import numpy as np
import pytest
from box_scenes import Box, box_mask, grid_of, pose_P
from hypothesis import Phase as Step
from hypothesis import given, settings
from hypothesis import strategies as st
from small_chests import (
    CHESTS,
    MIDDLE_B,
    Chest,
    Lines,
    Masks,
    concatenated,
    ellipsoid,
    masks_of,
    organs,
    posed,
    random_lines,
    request_of,
    slab,
    small_chest,
    with_structure,
    without_table,
)

from anatomy.structures import Role
from planner.paths.ranking import ranked
from planner.plan import plan
from planner.records.plan import Plan, Status
from planner.records.progress import Phase, Progress, always
from planner.records.request.needle import Needle
from planner.records.request.pose import PoseRequest
from planner.records.request.request import Request
from planner.records.request.search import SearchRequest
from planner.records.request.seeds import SeedRequest
from planner.records.request.target import TargetRequest
from planner.search.kernels import line
from planner.search.kernels.line import CHORD, FISSURES, LENGTH, LUNG, PUNCTURES, TIP
from planner.search.kernels.verdicts import SAFE
from planner.search.scene_fields import search_fields
from planner.search.search import search
from service.schemas.plan.file import plan_to_json, write_plan

COARSE = SearchRequest(max_paths=4, covering_radius_mm=4.0, min_separation_mm=3.0)


def few_examples(count: int) -> settings:
    """A small number of examples without shrinking, because each example is a plan."""
    return settings(max_examples=count, phases=(Step.generate,))


def with_coarse_search(chest: Chest) -> Chest:
    """The chest with a request for few paths from a coarse search."""
    return Chest(chest.scene, replace(chest.request, search=COARSE, seeds=SeedRequest(spacing_mm=5.0)))


def plan_of(chest: Chest) -> Plan:
    return plan(chest.scene, chest.request).plan


@cache
def planned(name: str) -> Plan:
    return plan_of(with_coarse_search(small_chest(name)))


def assert_verified(plan: Plan) -> None:
    """Asserts that the verification passed every check."""
    assert plan.verification is not None
    assert [c for c in plan.verification.checks if not c.passed] == []
    assert plan.verification.passed


WIDE_BORE_MM = 5000.0

angles = st.floats(-180.0, 180.0)
shifts = st.tuples(*[st.floats(-300.0, 300.0)] * 3)


@cache
def unmoved_plan(seed: int, table: bool, bore_mm: float) -> Plan:
    return plan_of(moved_chest(seed, np.eye(4), table, bore_mm))


def moved_chest(seed: int, motion: np.ndarray, table: bool, bore_mm: float) -> Chest:
    """A chest of random organs, moved as a whole, with a segmented table or one derived below it."""
    grid = grid_of((37, 26, 30), (1.7, 2.3, 1.9), motion)
    masks = organs(grid, seed, wrapped=seed % 2 == 0)
    if table:
        masks["table"] = (Role.OUTSIDE, slab(grid, (5, 55, 0), (60, 60, 60)))
    pose_options = {"table": "table"} if table else {}
    chest = with_coarse_search(posed(grid, masks, request_of(bore_diameter_mm=bore_mm, **pose_options)))
    if not table:
        return chest
    # Without a table: gravity does not rotate with the scene, so a derived table would change.
    pose = replace(chest.scene.pose, table=None)
    return Chest(replace(chest.scene, pose=pose), chest.request)


def assert_moves(seed: int, motion: np.ndarray, table: bool, bore_mm: float) -> None:
    """Asserts that the moved chest has the same plan with moved paths: only positions and directions
    differ."""
    plan_at_rest, moved_plan = (
        unmoved_plan(seed, table, bore_mm),
        plan_of(moved_chest(seed, motion, table, bore_mm)),
    )
    assert replace(moved_plan.search, least_lung_mm=0.0) == replace(plan_at_rest.search, least_lung_mm=0.0)
    assert moved_plan.search.least_lung_mm == pytest.approx(plan_at_rest.search.least_lung_mm, abs=1e-6)
    assert moved_plan.blocked_by == plan_at_rest.blocked_by
    assert [(w.path_ids, w.area_mm2) for w in moved_plan.windows] == [
        (w.path_ids, w.area_mm2) for w in plan_at_rest.windows
    ]
    assert len(moved_plan.paths) == len(plan_at_rest.paths)
    for p, q in zip(plan_at_rest.paths, moved_plan.paths, strict=True):
        for name in ("id", "rank", "window", "pareto", "pleural_punctures", "fissures_crossed"):
            assert getattr(q, name) == getattr(p, name)
        assert q.nearest_structure == p.nearest_structure
        for name in ("length_mm", "lung_length_mm", "clearance_mm", "target_chord_mm"):
            assert getattr(q, name) == pytest.approx(getattr(p, name), abs=1e-6)
        assert [c.structure for c in q.crosses] == [c.structure for c in p.crosses]
        depths = [[(c.from_mm, c.to_mm) for c in path.crosses] for path in (p, q)]
        assert np.array(depths[1]) == pytest.approx(np.array(depths[0]), abs=1e-6)
        drops = [[(s.depth_mm, s.retraction_mm) for s in path.seeds] for path in (p, q)]
        assert np.array(drops[1]) == pytest.approx(np.array(drops[0]), abs=1e-6)
        points = [[path.entry_mm, path.tip_mm, *(s.position_mm for s in path.seeds)] for path in (p, q)]
        expected = np.array(points[0]) @ motion[:3, :3].T + motion[:3, 3]
        assert np.array(points[1]) == pytest.approx(expected, abs=1e-6)
        assert q.direction == pytest.approx(motion[:3, :3] @ p.direction, abs=1e-8)
    assert_verified(moved_plan)


@pytest.mark.parametrize("seed", [1, 6])
@few_examples(3)
@given(turn=st.tuples(angles, angles, angles), shift=shifts)
def test_moving_the_whole_scene_moves_the_plan_and_nothing_else(seed, turn, shift):
    """With a segmented table and a bore out of reach, nothing depends on the patient's position."""
    assert_moves(seed, pose_P(turn, shift), table=True, bore_mm=WIDE_BORE_MM)


@pytest.mark.long
@few_examples(3)
@given(turn=angles, shift=shifts)
def test_turning_a_patient_about_the_vertical_turns_the_plan_and_nothing_else(turn, shift):
    """The plane of the table below stays the same."""
    assert_moves(3, pose_P((0.0, turn, 0.0), shift), table=False, bore_mm=WIDE_BORE_MM)


@pytest.mark.long
@few_examples(3)
@given(shift=shifts)
def test_another_origin_shifts_the_plan_and_nothing_else(shift):
    """Table and bore are derived from the patient and move too."""
    assert any(b.structure == "bore" for b in unmoved_plan(7, False, 130.0).blocked_by)
    assert_moves(7, pose_P((0, 0, 0), shift), table=False, bore_mm=130.0)


NUMBERS = [TIP, LENGTH, CHORD, LUNG, PUNCTURES, FISSURES]


def assert_no_safe_line_added(easy: Chest, hard: Chest) -> None:
    """Asserts that every line that is safe in the harder chest is safe in the easier one with the same
    numbers: random lines, all lines that a search finds, and the plan's paths."""
    easy_fields, hard_fields = (search_fields(c.scene, c.request) for c in (easy, hard))
    found = search(hard_fields, COARSE.covering_radius_mm, always).lines
    paths, grid = plan_of(hard).paths, easy.scene.grid
    tips = np.array([p.tip_mm for p in paths]).reshape(-1, 3)
    inward = np.array([p.direction for p in paths]).reshape(-1, 3)
    random = random_lines(easy, 2000, seed=1)
    lines = concatenated(
        [
            Lines(found.point_B, found.outward_B),
            Lines(grid.to_box(tips), -grid.vectors_to_box(inward)),
            random,
        ]
    )
    verdict, numbers = line.test_lines(hard_fields, lines.point, lines.outward)
    easy_verdict, easy_numbers = line.test_lines(easy_fields, lines.point, lines.outward)
    safe = verdict == SAFE
    assert safe[: len(found) + len(paths)].all()
    assert (easy_verdict[safe] == SAFE).all()
    assert np.array_equal(easy_numbers[safe][:, NUMBERS], numbers[safe][:, NUMBERS])


places = st.tuples(*[st.floats(-18.0, 18.0)] * 3)
sizes = st.tuples(*[st.floats(2.0, 6.0)] * 3)


@few_examples(3)
@given(name=st.sampled_from(list(CHESTS)), offset=places, size=sizes)
def test_an_additional_obstacle_adds_no_safe_line(name, offset, size):
    easy = with_coarse_search(small_chest(name))
    inside = easy.scene.body.layer == easy.scene.body.label
    obstacle = inside & ellipsoid(easy.scene.grid, MIDDLE_B + offset, size)
    if obstacle.any():
        assert_no_safe_line_added(easy, with_structure(easy, "obstacle", Role.FORBIDDEN, obstacle))


@few_examples(3)
@given(name=st.sampled_from(list(CHESTS)), increases=st.tuples(*[st.floats(0.0, 3.0)] * 3))
def test_a_wider_clearance_adds_no_safe_line(name, increases):
    easy = with_coarse_search(small_chest(name))
    clearance_items = easy.request.clearance_mm.items()
    clearances = {
        key: clearance + increase
        for (key, clearance), increase in zip(clearance_items, increases, strict=True)
    }
    harder = replace(easy.request, clearance_mm=MappingProxyType(clearances))
    assert_no_safe_line_added(easy, Chest(easy.scene, harder))


def differing_parts(plan: Plan, other: Plan) -> list[str]:
    """The parts of the plans' texts that differ, without the hash of the plan."""
    texts = [{key: repr(part) for key, part in plan_to_json(p).items()} for p in (plan, other)]
    return [key for key in texts[0] if key != "plan_sha256" and texts[0][key] != texts[1][key]]


def reordered_chest(chest: Chest, masks: Masks, order: list[int]) -> Chest:
    """The chest of these masks in another order."""
    names = list(masks)
    return posed(chest.scene.grid, {names[n]: masks[names[n]] for n in order}, chest.request)


@pytest.mark.long
@few_examples(3)
@given(order=st.permutations(range(10)))
def test_the_order_of_structures_does_not_matter(order):
    chest = with_coarse_search(small_chest("cut"))
    masks = masks_of(chest)
    assert len(masks) == len(order)
    original, reordered_plan = planned("cut"), plan_of(reordered_chest(chest, masks, list(order)))
    assert differing_parts(original, reordered_plan) == []
    assert write_plan(original) == write_plan(reordered_plan)


def test_the_order_of_empty_and_unknown_structures_does_not_matter():
    chest = with_coarse_search(small_chest("plain"))
    empty_mask = np.zeros(chest.scene.grid.shape, bool)
    spots = {
        n: (None, slab(chest.scene.grid, (22, 40, z), (26, 43, z + 4))) for n, z in (("b", 10), ("a", 30))
    }
    masks = {**masks_of(chest), "rib_right_4": (None, empty_mask), "rib_left_4": (None, empty_mask), **spots}
    orders = list(range(len(masks))), list(reversed(range(len(masks))))
    original, reordered = (plan_of(reordered_chest(chest, masks, order)) for order in orders)
    assert [note.split(":")[0] for note in original.notes] == [
        "Empty and left out",
        "a is not a known name",
        "b is not a known name",
        "Only 0.84 cm3 of aorta, 0.49 cm3 of heart, 0.1 cm3 of trachea",
        "Not in the input as lung",
    ]
    assert differing_parts(original, reordered) == []


def behind_lung(lungs: Mapping[str, tuple[Box, ...]]) -> Chest:
    """A node of 8 mm behind 14 mm of lung, and bone on its other sides."""
    grid = grid_of((60, 70, 60))
    corridor = box_mask(grid.shape, ((16, 12, 16), (44, 44, 44)))
    masks: dict[str, tuple[Role | None, np.ndarray]] = {
        "body": (Role.SKIN, box_mask(grid.shape, ((8, 12, 8), (52, 60, 52)))),
        "vertebrae": (Role.FORBIDDEN, box_mask(grid.shape, ((8, 18, 8), (52, 60, 52))) & ~corridor),
        "node": (Role.TARGET, box_mask(grid.shape, ((26, 32, 26), (34, 40, 34)))),
    }
    masks |= {name: (Role.LUNG, box_mask(grid.shape, *boxes)) for name, boxes in lungs.items()}
    request = Request(needle=Needle(max_length_mm=80.0), pose=PoseRequest(bore_diameter_mm=1000.0))
    return with_coarse_search(without_table(posed(grid, masks, request)))


def test_the_order_of_overlapping_lungs_does_not_matter():
    """A lung given as a whole and by lobes; the needle crosses both lobes."""
    front, back = ((16, 18, 16), (44, 25, 44)), ((16, 25, 16), (44, 40, 44))
    lungs = {"lung_left": (front, back), "lung_upper_lobe_left": (front,), "lung_lower_lobe_left": (back,)}
    original, reordered_plan = (
        plan_of(behind_lung(dict(order))) for order in (lungs.items(), reversed(lungs.items()))
    )
    assert original.paths[0].lung_length_mm == pytest.approx(14.0, abs=0.01)
    assert [p.fissures_crossed for p in original.paths] == [p.fissures_crossed for p in reordered_plan.paths]


@pytest.mark.parametrize("name", ["plain", "folded"])
def test_one_thread_and_many_give_the_same_bytes(monkeypatch, name):
    expected = write_plan(planned(name))
    for threads in ("1", "3"):
        monkeypatch.setenv("SEEDPATH_THREADS", threads)
        assert write_plan(plan_of(with_coarse_search(small_chest(name)))) == expected


def distance_from_target(chest: Chest, points_P: np.ndarray) -> np.ndarray:
    """Distance of points from the nearest box of the target. [mm]"""
    grid, target = chest.scene.grid, chest.scene.target
    middles = (np.argwhere(target.cropped()) + target.lower) * grid.spacing_mm
    gaps = np.abs(grid.to_box(points_P)[:, None] - middles) - 0.5 * grid.spacing_mm
    return np.linalg.norm(np.maximum(0.0, gaps), axis=2).min(axis=1)


RANKINGS = [
    ("lung_length_mm", "pleural_punctures", "fissures_crossed", "clearance_mm", "length_mm"),
    ("clearance_mm", "lung_length_mm"),
    ("length_mm",),
]


@few_examples(6)
@given(
    name=st.sampled_from(list(CHESTS)),
    max_paths=st.integers(1, 12),
    separation=st.floats(0.0, 12.0),
    margin=st.floats(0.0, 6.0),
    spacing=st.floats(5.0, 8.0),
    ranking=st.sampled_from(RANKINGS),
)
def test_every_plan_satisfies_its_request(name, max_paths, separation, margin, spacing, ranking):
    chest = small_chest(name)
    request = replace(
        chest.request,
        target=TargetRequest(margin_mm=margin),
        search=SearchRequest(max_paths=max_paths, covering_radius_mm=4.0, min_separation_mm=separation),
        seeds=SeedRequest(spacing_mm=spacing),
        ranking=ranking,
    )
    planned = plan_of(Chest(chest.scene, request))
    assert_verified(planned)
    assert planned.outcome.status is Status.PLANNED
    assert planned.search.complete
    assert 1 <= len(planned.paths) <= max_paths
    assert list(planned.paths) == ranked(planned.paths, request.path_order)
    assert [p.rank for p in planned.paths] == list(range(1, len(planned.paths) + 1))
    assert sorted(p.id for p in planned.paths) == sorted(id for w in planned.windows for id in w.path_ids)
    for first, second in combinations(planned.paths, 2):
        distances = [
            np.linalg.norm(np.subtract(getattr(first, e), getattr(second, e))) for e in ("entry_mm", "tip_mm")
        ]
        assert max(distances) >= separation
    for path in planned.paths:
        offsets = np.linspace(-0.5, 0.5, 21)[:, None] * 4.5 * np.array(path.direction)
        for seed in path.seeds:
            assert distance_from_target(chest, seed.position_mm + offsets).max() <= margin + 1e-6
            assert 4.5 / 2 - 1e-6 <= seed.depth_mm <= path.length_mm - 4.5 / 2 + 1e-6


def node_in_bone(shaft_mm: int, clearance_mm: float) -> Chest:
    """A node of 8 mm in a hollow of a bone with a square shaft to the outside."""
    grid = grid_of((56, 56, 56))
    low, high = 28 - shaft_mm // 2, 28 + shaft_mm // 2
    hollow = box_mask(grid.shape, ((19, 19, 19), (37, 37, 37)), ((low, low, 37), (high, high, 42)))
    masks: Masks = {
        "body": (Role.SKIN, box_mask(grid.shape, ((10, 10, 10), (46, 46, 46)))),
        "sternum": (Role.FORBIDDEN, box_mask(grid.shape, ((14, 14, 14), (42, 42, 42))) & ~hollow),
        "node": (Role.TARGET, box_mask(grid.shape, ((24, 24, 24), (32, 32, 32)))),
    }
    request = Request(
        needle=Needle(max_length_mm=60.0),
        clearance_mm=MappingProxyType({"default": 2.0, "sternum": clearance_mm}),
        pose=PoseRequest(bore_diameter_mm=1000.0),
    )
    return with_coarse_search(without_table(posed(grid, masks, request)))


def test_without_a_path_the_plan_shows_it_and_its_relaxation_opens_a_path():
    chest = node_in_bone(shaft_mm=12, clearance_mm=6.0)
    planned = plan_of(chest)
    assert_verified(planned)
    assert planned.outcome.status is Status.NO_PATH
    assert planned.search.complete
    assert planned.paths == planned.windows == ()
    assert planned.search.claims == (
        f"No path through the target stays safe under all displacements up to "
        f"{planned.search.covering_radius_mm:.2f} mm between tip and skin.",
    )
    assert planned.nearest_miss is not None
    change = planned.nearest_miss.relaxations[0]
    assert (change.setting, change.from_mm) == ("/clearance_mm/sternum", 6.0)
    assert change.to_mm < 12 / 2 - Needle().radius_mm
    opened = plan_of(node_in_bone(shaft_mm=12, clearance_mm=change.to_mm))
    assert opened.outcome.status is Status.PLANNED
    assert_verified(opened)


def test_after_a_timeout_the_plan_claims_no_proof():
    def stop_search(progress: Progress) -> bool:
        return progress.phase is not Phase.SEARCH

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("planner.search.search.PARENTS_AT_A_TIME", 500)
        planned = plan(
            with_coarse_search(small_chest("plain")).scene,
            with_coarse_search(small_chest("plain")).request,
            stop_search,
        ).plan
    assert_verified(planned)
    assert not planned.search.complete
    assert planned.search.covering_radius_mm > COARSE.covering_radius_mm
    assert [claim.startswith("Unproved") for claim in planned.search.claims] == [True]
    assert "ended early" in planned.outcome.message
    assert planned.outcome.status is Status.PLANNED
    assert planned.paths


def test_the_best_path_through_a_slab_of_lung_goes_straight():
    planned = plan_of(behind_lung({"lung_left": (((16, 18, 16), (44, 40, 44)),)}))
    assert_verified(planned)
    assert planned.paths[0].lung_length_mm == pytest.approx(14.0, abs=0.01)
    assert planned.paths[0].direction == pytest.approx((0.0, 1.0, 0.0), abs=0.05)
    assert planned.search.least_lung_mm == pytest.approx(14.0, abs=0.01)
