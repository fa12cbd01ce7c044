"""What must hold of every plan: it moves with the patient, a harder question has no more answers, and nothing
but scene and request decides it."""

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


def few(count: int) -> settings:
    """So many examples. Each is a plan, so that a failing one is not made smaller by hundreds of others."""
    return settings(max_examples=count, phases=(Step.generate,))


def briefly(chest: Chest) -> Chest:
    """The chest, with few paths asked of a coarse search."""
    return Chest(chest.scene, replace(chest.request, search=COARSE, seeds=SeedRequest(spacing_mm=5.0)))


def plan_of(chest: Chest) -> Plan:
    return plan(chest.scene, chest.request).plan


@cache
def planned(name: str) -> Plan:
    return plan_of(briefly(small_chest(name)))


def assert_verified(plan: Plan) -> None:
    """Every claim held when it was recomputed."""
    assert plan.verification is not None
    assert [c for c in plan.verification.checks if not c.passed] == []
    assert plan.verification.passed


WIDE_BORE_MM = 5000.0

angles = st.floats(-180.0, 180.0)
shifts = st.tuples(*[st.floats(-300.0, 300.0)] * 3)


@cache
def still(seed: int, table: bool, bore_mm: float) -> Plan:
    return plan_of(moved_chest(seed, np.eye(4), table, bore_mm))


def moved_chest(seed: int, motion: np.ndarray, table: bool, bore_mm: float) -> Chest:
    """A chest of random organs, moved as a whole, with a table of its own or one derived below it."""
    grid = grid_of((37, 26, 30), (1.7, 2.3, 1.9), motion)
    masks = organs(grid, seed, wrapped=seed % 2 == 0)
    if table:
        masks["table"] = (Role.OUTSIDE, slab(grid, (5, 55, 0), (60, 60, 60)))
    own = {"table": "table"} if table else {}
    made = briefly(posed(grid, masks, request_of(bore_diameter_mm=bore_mm, **own)))
    if not table:
        return made
    # It is his table wherever he is turned: gravity, which does not turn with him, calls for no other.
    pose = replace(made.scene.pose, table=None)
    return Chest(replace(made.scene, pose=pose), made.request)


def assert_moves(seed: int, motion: np.ndarray, table: bool, bore_mm: float) -> None:
    """Where a still chest's paths run, the moved one's do, moved; all that is not a place or a direction, or
    told from one, is the same."""
    here, there = still(seed, table, bore_mm), plan_of(moved_chest(seed, motion, table, bore_mm))
    assert replace(there.search, least_lung_mm=0.0) == replace(here.search, least_lung_mm=0.0)
    assert there.search.least_lung_mm == pytest.approx(here.search.least_lung_mm, abs=1e-6)
    assert there.blocked_by == here.blocked_by
    assert [(w.path_ids, w.area_mm2) for w in there.windows] == [
        (w.path_ids, w.area_mm2) for w in here.windows
    ]
    assert len(there.paths) == len(here.paths)
    for p, q in zip(here.paths, there.paths, strict=True):
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
        places = [[path.entry_mm, path.tip_mm, *(s.position_mm for s in path.seeds)] for path in (p, q)]
        wanted = np.array(places[0]) @ motion[:3, :3].T + motion[:3, 3]
        assert np.array(places[1]) == pytest.approx(wanted, abs=1e-6)
        assert q.direction == pytest.approx(motion[:3, :3] @ p.direction, abs=1e-8)
    assert_verified(there)


@pytest.mark.parametrize("seed", [1, 6])
@few(3)
@given(turn=st.tuples(angles, angles, angles), shift=shifts)
def test_moving_the_whole_scene_moves_the_plan_and_nothing_else(seed, turn, shift):
    """With a table of its own and a bore out of reach, nothing holds the patient in place."""
    assert_moves(seed, pose_P(turn, shift), table=True, bore_mm=WIDE_BORE_MM)


@few(3)
@given(turn=angles, shift=shifts)
def test_turning_a_patient_on_his_table_turns_the_plan_and_nothing_else(turn, shift):
    """About the vertical: the plane of the table below him stays what it is."""
    assert_moves(3, pose_P((0.0, turn, 0.0), shift), table=False, bore_mm=WIDE_BORE_MM)


@few(3)
@given(shift=shifts)
def test_an_origin_elsewhere_shifts_the_plan_and_nothing_else(shift):
    """Table and bore are derived from the patient, and come with him."""
    assert any(b.structure == "bore" for b in still(7, False, 130.0).blocked_by)
    assert_moves(7, pose_P((0, 0, 0), shift), table=False, bore_mm=130.0)


NUMBERS = [TIP, LENGTH, CHORD, LUNG, PUNCTURES, FISSURES]


def assert_no_line_gained(easy: Chest, hard: Chest) -> None:
    """What is safe in the harder chest is safe in the easier one, with the same numbers: lines at random, all
    that a search finds, the plan's paths."""
    near_easy, near_hard = (search_fields(c.scene, c.request) for c in (easy, hard))
    found = search(near_hard, COARSE.covering_radius_mm, always).lines
    paths, grid = plan_of(hard).paths, easy.scene.grid
    tips = np.array([p.tip_mm for p in paths]).reshape(-1, 3)
    inward = np.array([p.direction for p in paths]).reshape(-1, 3)
    some = random_lines(easy, 2000, seed=1)
    lines = concatenated(
        [
            Lines(found.point_B, found.outward_B),
            Lines(grid.to_box(tips), -grid.vectors_to_box(inward)),
            some,
        ]
    )
    verdict, numbers = line.test_lines(near_hard, lines.point, lines.outward)
    easy_verdict, easy_numbers = line.test_lines(near_easy, lines.point, lines.outward)
    safe = verdict == SAFE
    assert safe[: len(found) + len(paths)].all()
    assert (easy_verdict[safe] == SAFE).all()
    assert np.array_equal(easy_numbers[safe][:, NUMBERS], numbers[safe][:, NUMBERS])


places = st.tuples(*[st.floats(-18.0, 18.0)] * 3)
sizes = st.tuples(*[st.floats(2.0, 6.0)] * 3)


@few(3)
@given(name=st.sampled_from(list(CHESTS)), place=places, size=sizes)
def test_an_obstacle_more_adds_no_safe_line(name, place, size):
    easy = briefly(small_chest(name))
    inside = easy.scene.body.layer == easy.scene.body.label
    obstacle = inside & ellipsoid(easy.scene.grid, MIDDLE_B + place, size)
    if obstacle.any():
        assert_no_line_gained(easy, with_structure(easy, "obstacle", Role.FORBIDDEN, obstacle))


@few(3)
@given(name=st.sampled_from(list(CHESTS)), wider=st.tuples(*[st.floats(0.0, 3.0)] * 3))
def test_a_wider_clearance_adds_no_safe_line(name, wider):
    easy = briefly(small_chest(name))
    asked_for = easy.request.clearance_mm.items()
    clearances = {key: least + by for (key, least), by in zip(asked_for, wider, strict=True)}
    harder = replace(easy.request, clearance_mm=MappingProxyType(clearances))
    assert_no_line_gained(easy, Chest(easy.scene, harder))


def differing(one: Plan, two: Plan) -> list[str]:
    """Parts of the plans' texts that are not the same; the hash of all is left out."""
    texts = [{key: repr(part) for key, part in plan_to_json(p).items()} for p in (one, two)]
    return [key for key in texts[0] if key != "plan_sha256" and texts[0][key] != texts[1][key]]


def in_order(chest: Chest, masks: Masks, order: list[int]) -> Chest:
    """The chest of those masks, in another order."""
    names = list(masks)
    return posed(chest.scene.grid, {names[n]: masks[names[n]] for n in order}, chest.request)


@few(3)
@given(order=st.permutations(range(10)))
def test_the_order_of_structures_does_not_matter(order):
    chest = briefly(small_chest("cut"))
    masks = masks_of(chest)
    assert len(masks) == len(order)
    one, two = planned("cut"), plan_of(in_order(chest, masks, list(order)))
    assert differing(one, two) == []
    assert write_plan(one) == write_plan(two)


def test_the_order_of_empty_and_unknown_structures_does_not_matter():
    chest = briefly(small_chest("plain"))
    nothing = np.zeros(chest.scene.grid.shape, bool)
    spots = {
        n: (None, slab(chest.scene.grid, (22, 40, z), (26, 43, z + 4))) for n, z in (("b", 10), ("a", 30))
    }
    masks = {**masks_of(chest), "rib_right_4": (None, nothing), "rib_left_4": (None, nothing), **spots}
    orders = list(range(len(masks))), list(reversed(range(len(masks))))
    one, two = (plan_of(in_order(chest, masks, order)) for order in orders)
    assert [note.split(":")[0] for note in one.notes] == [
        "Empty and left out",
        "a is not a known name",
        "b is not a known name",
        "Only 0.84 cm3 of aorta, 0.49 cm3 of heart, 0.1 cm3 of trachea",
        "Not in the input as lung",
    ]
    assert differing(one, two) == []


def behind_lung(lungs: Mapping[str, tuple[Box, ...]]) -> Chest:
    """A node of 8 mm behind 14 mm of lung, and bone on its other sides."""
    grid = grid_of((60, 70, 60))
    way = box_mask(grid.shape, ((16, 12, 16), (44, 44, 44)))
    masks: dict[str, tuple[Role | None, np.ndarray]] = {
        "body": (Role.SKIN, box_mask(grid.shape, ((8, 12, 8), (52, 60, 52)))),
        "vertebrae": (Role.FORBIDDEN, box_mask(grid.shape, ((8, 18, 8), (52, 60, 52))) & ~way),
        "node": (Role.TARGET, box_mask(grid.shape, ((26, 32, 26), (34, 40, 34)))),
    }
    masks |= {name: (Role.LUNG, box_mask(grid.shape, *boxes)) for name, boxes in lungs.items()}
    request = Request(needle=Needle(max_length_mm=80.0), pose=PoseRequest(bore_diameter_mm=1000.0))
    return briefly(without_table(posed(grid, masks, request)))


def test_the_order_of_lungs_that_overlap_does_not_matter():
    """A lung given whole and by lobes, of which the needle crosses both."""
    front, back = ((16, 18, 16), (44, 25, 44)), ((16, 25, 16), (44, 40, 44))
    lungs = {"lung_left": (front, back), "lung_upper_lobe_left": (front,), "lung_lower_lobe_left": (back,)}
    one, two = (plan_of(behind_lung(dict(order))) for order in (lungs.items(), reversed(lungs.items())))
    assert one.paths[0].lung_length_mm == pytest.approx(14.0, abs=0.01)
    assert [p.fissures_crossed for p in one.paths] == [p.fissures_crossed for p in two.paths]


@pytest.mark.parametrize("name", ["plain", "folded"])
def test_the_same_request_gives_the_same_bytes_on_one_thread_or_many(monkeypatch, name):
    wanted = write_plan(planned(name))
    for threads in ("1", "3"):
        monkeypatch.setenv("SEEDPATH_THREADS", threads)
        assert write_plan(plan_of(briefly(small_chest(name)))) == wanted


def away_from_target(chest: Chest, points_P: np.ndarray) -> np.ndarray:
    """Distance of points from the nearest box of the target. [mm]"""
    grid, target = chest.scene.grid, chest.scene.target
    middles = (np.argwhere(target.cropped()) + target.lower) * grid.spacing_mm
    off = np.abs(grid.to_box(points_P)[:, None] - middles) - 0.5 * grid.spacing_mm
    return np.linalg.norm(np.maximum(0.0, off), axis=2).min(axis=1)


RANKINGS = [
    ("lung_length_mm", "pleural_punctures", "fissures_crossed", "clearance_mm", "length_mm"),
    ("clearance_mm", "lung_length_mm"),
    ("length_mm",),
]


@few(6)
@given(
    name=st.sampled_from(list(CHESTS)),
    most=st.integers(1, 12),
    separation=st.floats(0.0, 12.0),
    margin=st.floats(0.0, 6.0),
    spacing=st.floats(5.0, 8.0),
    ranking=st.sampled_from(RANKINGS),
)
def test_every_plan_keeps_what_it_promises(name, most, separation, margin, spacing, ranking):
    chest = small_chest(name)
    request = replace(
        chest.request,
        target=TargetRequest(margin_mm=margin),
        search=SearchRequest(max_paths=most, covering_radius_mm=4.0, min_separation_mm=separation),
        seeds=SeedRequest(spacing_mm=spacing),
        ranking=ranking,
    )
    planned = plan_of(Chest(chest.scene, request))
    assert_verified(planned)
    assert planned.outcome.status is Status.PLANNED
    assert planned.search.complete
    assert 1 <= len(planned.paths) <= most
    assert list(planned.paths) == ranked(planned.paths, request.path_order)
    assert [p.rank for p in planned.paths] == list(range(1, len(planned.paths) + 1))
    assert sorted(p.id for p in planned.paths) == sorted(id for w in planned.windows for id in w.path_ids)
    for one, two in combinations(planned.paths, 2):
        apart = [
            np.linalg.norm(np.subtract(getattr(one, e), getattr(two, e))) for e in ("entry_mm", "tip_mm")
        ]
        assert max(apart) >= separation
    for path in planned.paths:
        along = np.linspace(-0.5, 0.5, 21)[:, None] * 4.5 * np.array(path.direction)
        for seed in path.seeds:
            assert away_from_target(chest, seed.position_mm + along).max() <= margin + 1e-6
            assert 4.5 / 2 - 1e-6 <= seed.depth_mm <= path.length_mm - 4.5 / 2 + 1e-6


def in_bone(shaft_mm: int, clearance_mm: float) -> Chest:
    """A node of 8 mm in a hollow of a bone, and a square shaft that leads out."""
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
    return briefly(without_table(posed(grid, masks, request)))


def test_where_nothing_fits_the_plan_shows_it_and_the_change_it_names_opens_a_path():
    chest = in_bone(shaft_mm=12, clearance_mm=6.0)
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
    opened = plan_of(in_bone(shaft_mm=12, clearance_mm=change.to_mm))
    assert opened.outcome.status is Status.PLANNED
    assert_verified(opened)


def test_out_of_time_the_plan_claims_nothing_that_it_did_not_prove():
    def hurry(progress: Progress) -> bool:
        return progress.phase is not Phase.SEARCH

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("planner.search.search.PARENTS_AT_A_TIME", 500)
        planned = plan(briefly(small_chest("plain")).scene, briefly(small_chest("plain")).request, hurry).plan
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
