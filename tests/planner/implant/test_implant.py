import re
from dataclasses import replace
from datetime import date
from itertools import combinations
from types import MappingProxyType

import numpy as np
import pytest
from ball_plans import REQUEST, ball_plan, ball_scene, changed_request
from box_scenes import box_mask, scene_of_masks
from hypothesis import given
from hypothesis import strategies as st
from random_needles import spare_mm
from sample_implants import ASKED, a_dose, a_needle_set
from small_chests import CHESTS, random_lines, small_chest

from anatomy.geometry.masks import mask_from_bool
from anatomy.runtime.parallel import thread_count
from anatomy.scene import Scene
from anatomy.structures import Role
from planner.dose.dosimetry import Dosimetry
from planner.dose.ptv import ptv_of
from planner.dose.report import dose_report
from planner.dose.tg43.seed_dose import seed_dose
from planner.errors import RequestError
from planner.implant.implant import implant
from planner.implant.needles.conflicts import hardware_of, needles_between
from planner.implant.set_report import set_report
from planner.measuring.measure import Measurer
from planner.plan import plan
from planner.records.needle_set import NeedleParts
from planner.records.organ_limits import Doubt
from planner.records.paths import Aim, Path
from planner.records.plan import Plan, Status
from planner.records.progress import Phase, Progress, always
from planner.records.request.given import GivenNeedle, GivenSeed
from planner.records.request.needle import Needle
from planner.records.request.needle_set import Arrangement, NeedleSetRequest
from planner.records.request.prescription import BedRequest, Goals, OrganGoal, Prescription, PriorExternal
from planner.records.request.request import Request
from planner.records.request.search import SearchRequest
from planner.records.request.seeds import SeedRequest
from planner.records.request.target import TargetRequest
from planner.records.wording.implant import limited_by
from planner.records.wording.outcome_message import message_of
from planner.records.wording.set_claims import set_claims
from planner.search.kernels.search_fields import SearchFields
from planner.search.scene_fields import search_fields, with_target
from planner.verify import verify


def plan_for(request: Request) -> Plan:
    return plan(ball_scene(), request).plan


def needles_of_set(planned: Plan) -> list[Path]:
    assert planned.needle_set is not None
    paths = {path.id: path for path in planned.paths}
    return [paths[id] for id in planned.needle_set.path_ids]


def given_seeds_of(planned: Plan) -> list[GivenSeed]:
    assert planned.needle_set is not None
    return [GivenSeed(s.position_mm, s.axis) for s in planned.needle_set.seeds]


@pytest.fixture(scope="module")
def parallel_plan() -> Plan:
    return plan_for(
        changed_request(needle_set=NeedleSetRequest(arrangement=Arrangement.PARALLEL, grid_pitch_mm=4.0))
    )


WIDE_PHASES: list[Phase] = []


@pytest.fixture(scope="module")
def wide_clearance_plan() -> Plan:
    def go_on(progress: Progress) -> bool:
        WIDE_PHASES.append(progress.phase)
        return True

    return plan(ball_scene(), changed_request(needle_set=NeedleSetRequest(clearance_mm=4.0)), go_on).plan


GIVEN_SEED_B = np.array([44.0, 37.0, 37.0])


def given_request() -> Request:
    """The first needle of the plan, 2 mm from its planned position, and a seed that is in place."""
    first = needles_of_set(ball_plan())[0]
    shift = 2.0 * np.cross(first.direction, (0.36, 0.48, 0.8))
    entry, tip = (tuple((np.array(p) + shift).tolist()) for p in (first.entry_mm, first.tip_mm))
    seed = GivenSeed(tuple(ball_scene().grid.to_patient(GIVEN_SEED_B).tolist()))
    return changed_request(
        needle_set=NeedleSetRequest(given_needles=(GivenNeedle(entry, tip),), given_seeds=(seed,)),
        seeds=SeedRequest(min_spacing_mm=6.0),
    )


@pytest.fixture(scope="module")
def plan_around_given() -> Plan:
    return plan_for(given_request())


@pytest.fixture(scope="module")
def unreachable_dose_plan() -> Plan:
    return plan_for(
        changed_request(
            target=TargetRequest(("node",), margin_mm=0.0),
            seeds=SeedRequest(activity_mci=0.05),
            prescription=Prescription(400.0, organ_goals=MappingProxyType({"aorta": OrganGoal(None, 90.0)})),
        )
    )


@pytest.fixture(scope="module")
def longer_seeds_plan() -> Plan:
    return plan_for(changed_request(seeds=SeedRequest(model="best_2301", activity_mci=0.6)))


PLANS = [
    "plain",
    "parallel_plan",
    "plan_around_given",
    *(
        pytest.param(name, marks=pytest.mark.long)
        for name in ("wide_clearance_plan", "unreachable_dose_plan", "longer_seeds_plan")
    ),
]


def seed_mm(planned: Plan) -> float:
    return {"amersham_6711": 4.5, "best_2301": 5.0}[planned.request.seeds.model]


@pytest.fixture(params=PLANS)
def any_plan(request: pytest.FixtureRequest) -> Plan:
    return ball_plan() if request.param == "plain" else request.getfixturevalue(request.param)


# Properties of every plan


def test_every_plan_is_verified(any_plan):
    assert any_plan.verification is not None
    assert [c for c in any_plan.verification.checks if not c.passed] == []


def test_every_placed_seed_lies_wholly_in_the_ptv(any_plan):
    grid, ptv = ball_scene().grid, ptv_of(ball_scene(), any_plan.request.target)
    for path in needles_of_set(any_plan):
        for seed in path.seeds:
            offsets_mm = np.linspace(-0.5, 0.5, 451) * (seed_mm(any_plan) - 1e-6)
            body_P = np.array(seed.position_mm) + offsets_mm[:, None] * np.array(seed.axis)
            index = np.floor(grid.to_box(body_P) / grid.spacing_mm + 0.5).astype(int)
            assert (ptv.layer[tuple(index.T)] == ptv.label).all()
            assert np.array(path.entry_mm) + seed.depth_mm * np.array(path.direction) == pytest.approx(
                seed.position_mm
            )


def test_seeds_keep_their_spacing(any_plan):
    spacing = any_plan.request.seeds.min_spacing_mm
    seeds = any_plan.needle_set.seeds
    for seed, other in combinations(seeds, 2):
        distance_mm = np.linalg.norm(np.subtract(seed.position_mm, other.position_mm))
        same_needle = seed.path_id is not None and seed.path_id == other.path_id
        assert distance_mm >= (spacing if same_needle else seed_mm(any_plan)) - 1e-5


def test_seeds_are_dropped_distal_first_and_retractions_are_the_steps_between_them(any_plan):
    for path in needles_of_set(any_plan):
        depths = [s.depth_mm for s in path.seeds]
        assert depths == sorted(depths, reverse=True)
        steps = [0.0, *(-np.diff(depths))][: len(depths)]
        assert [s.retraction_mm for s in path.seeds] == pytest.approx(steps)


def test_no_two_needles_conflict_and_the_insertion_order_is_possible(any_plan):
    request = any_plan.request
    paths = needles_of_set(any_plan)
    hardware = hardware_of(request.needle, request.pose, request.needle_set.clearance_mm)
    needles = needles_between(*(np.array([getattr(p, f) for p in paths]) for f in ("entry_mm", "tip_mm")))
    for i, j in combinations(range(len(paths)), 2):
        assert spare_mm(needles, hardware, i, j) > -1e-6
    order = any_plan.needle_set.order
    assert sorted(order) == sorted(any_plan.needle_set.path_ids)
    indices = [any_plan.needle_set.path_ids.index(id) for id in order]
    for n, needle in enumerate(indices):
        for inserted in indices[:n]:
            assert spare_mm(needles, hardware, needle, inserted, needles.length_mm[needle]) > -1e-6


def test_numbers_of_the_set_agree_with_its_needles_and_seeds(any_plan):
    needle_set, paths = any_plan.needle_set, needles_of_set(any_plan)
    set_request = any_plan.request.needle_set
    assert needle_set.lung_length_mm == pytest.approx(sum(p.lung_length_mm for p in paths))
    assert needle_set.pleural_punctures == sum(p.pleural_punctures for p in paths)
    cost = (
        needle_set.lung_length_mm + set_request.puncture_cost_mm * needle_set.pleural_punctures + len(paths)
    )
    assert needle_set.objective == pytest.approx(cost)
    assert 0.0 <= needle_set.bound <= needle_set.objective
    assert needle_set.gap == pytest.approx((cost - needle_set.bound) / cost)
    needle_seeds = [s for s in needle_set.seeds if s.path_id is not None]
    assert len(needle_seeds) == sum(len(p.seeds) for p in paths)
    # Only an unreachable dose has no bound on the number of seeds.
    reachable = any_plan.request.prescription.dose_gy < 400.0
    assert needle_set.v100_reachable == reachable == (needle_set.seeds_bound is not None)
    assert needle_set.seeds_bound is None or needle_set.seeds_bound <= len(needle_seeds)
    assert [s for s in needle_set.seeds if s.path_id is None] == [
        s for s in needle_set.seeds if s.position_mm in [g.position_mm for g in set_request.given_seeds]
    ]


def test_needles_of_the_set_are_ranked_after_the_paths_to_the_target(any_plan):
    assert [p.rank for p in any_plan.paths] == list(range(1, len(any_plan.paths) + 1))
    aims = [p.aim is Aim.TARGET for p in any_plan.paths]
    assert aims == sorted(aims, reverse=True)
    assert all(p.window == "" for p in any_plan.paths if p.aim is not Aim.TARGET)


# Properties of single plans


def test_a_plan_meets_its_goals_and_says_so():
    planned = ball_plan()
    assert planned.outcome.status is Status.PLANNED
    assert all(goal.met for goal in planned.dose.goals)
    assert f"D90 {planned.dose.target.d90_gy:.1f} Gy" in planned.outcome.message


@pytest.mark.representative(1)
@pytest.mark.parametrize(
    "name", ["parallel_plan", "wide_clearance_plan", "plan_around_given", "longer_seeds_plan"]
)
def test_every_set_with_reachable_goals_meets_them(name, request):
    planned = request.getfixturevalue(name)
    assert planned.outcome.status is Status.PLANNED
    assert all(goal.met for goal in planned.dose.goals)


@pytest.mark.long
def test_the_same_request_gives_the_same_plan_on_one_thread_or_many(monkeypatch):
    before = ball_plan()
    monkeypatch.setenv("SEEDPATH_THREADS", "3" if thread_count() == 1 else "1")
    assert plan_for(REQUEST) == before


def test_given_needles_and_seeds_are_kept_and_the_plan_fits_around_them(plan_around_given):
    request = given_request().needle_set
    (given_path,) = [p for p in plan_around_given.paths if p.aim is Aim.GIVEN]
    (needle,), (seed,) = request.given_needles, request.given_seeds
    assert given_path.tip_mm == pytest.approx(needle.tip_mm)
    outward = np.subtract(needle.entry_mm, needle.tip_mm)
    assert np.allclose(np.cross(outward / np.linalg.norm(outward), given_path.direction), 0.0, atol=1e-9)
    assert plan_around_given.needle_set.order[0] == given_path.id
    (given_seed,) = [s for s in plan_around_given.needle_set.seeds if s.path_id is None]
    assert (given_seed.position_mm, given_seed.depth_mm) == (seed.position_mm, None)
    # The given seed counts: the dose is that of all seeds.
    assert plan_around_given.dose.target.d90_gy >= 120.0


def test_parallel_needles_share_a_direction_and_lie_on_the_template_lattice(parallel_plan):
    paths = needles_of_set(parallel_plan)
    assert len(paths) > 2
    direction = np.array(paths[0].direction)
    assert all(np.allclose(p.direction, direction, atol=1e-12) for p in paths)
    tips = np.array([p.tip_mm for p in paths])
    lateral = tips - (tips @ direction)[:, None] * direction
    distances = np.linalg.norm(lateral[:, None] - lateral[None], axis=2) / 4.0
    # On a square lattice, squared distances and scalar products of differences are integers.
    assert np.allclose(distances**2, np.round(distances**2), atol=1e-6)
    products = ((lateral - lateral[0]) / 4.0) @ ((lateral - lateral[0]) / 4.0).T
    assert np.allclose(products, np.round(products), atol=1e-6)
    assert parallel_plan.needle_set.arrangement == "parallel"


@pytest.mark.long
def test_a_set_with_wide_clearances_keeps_the_narrow_clearances_too(wide_clearance_plan):
    hardware = hardware_of(REQUEST.needle, REQUEST.pose, 1.0)
    paths = needles_of_set(wide_clearance_plan)
    needles = needles_between(*(np.array([getattr(p, f) for p in paths]) for f in ("entry_mm", "tip_mm")))
    assert all(spare_mm(needles, hardware, *pair) > 0.0 for pair in combinations(range(len(paths)), 2))
    shafts = replace(hardware_of(REQUEST.needle, REQUEST.pose, 4.0), hub_length_mm=0.0)
    assert all(spare_mm(needles, shafts, *pair) > -1e-6 for pair in combinations(range(len(paths)), 2))


@pytest.mark.long
def test_an_unreachable_dose_is_not_met_and_the_message_states_the_reached_dose(unreachable_dose_plan):
    assert unreachable_dose_plan.outcome.status is Status.GOALS_NOT_MET
    message, target = unreachable_dose_plan.outcome.message, unreachable_dose_plan.dose.target
    assert target.d90_gy < 100.0
    assert f"D90 of PTV {target.d90_gy:.2f} Gy, at least 400 Gy asked for" in message
    assert "ask for stronger" in message
    assert "hot spots" not in message
    # Fractions of seeds would not suffice either. The message says so, and the plan still places seeds.
    assert (unreachable_dose_plan.needle_set.seeds_bound, unreachable_dose_plan.needle_set.seeds_gap) == (
        None,
        None,
    )
    assert not unreachable_dose_plan.needle_set.v100_reachable
    assert "no number of these seeds on these needles reaches V100" in message
    assert len(unreachable_dose_plan.needle_set.seeds) >= 4


def test_organ_goals_are_listed_beside_those_of_the_ptv(unreachable_dose_plan):
    names = [(g.structure, g.name, g.at_least) for g in unreachable_dose_plan.dose.goals]
    assert names == [
        ("PTV", "d90_gy", True),
        ("PTV", "v100_percent", True),
        ("PTV", "v150_percent", False),
        ("PTV", "v200_percent", False),
        ("aorta", "d1cc_gy", False),
    ]


def test_without_a_prescription_only_paths_are_planned():
    planned = plan_for(changed_request(prescription=None))
    assert planned.outcome.status is Status.PLANNED
    assert (planned.needle_set, planned.dose, planned.robustness) == (None, None, None)
    assert all(p.aim is Aim.TARGET for p in planned.paths)


def test_if_no_seed_fits_the_goals_are_not_met_and_the_message_says_why():
    scene = ball_scene()
    voxels = [(20, 17, 18), (22, 17, 18), (20, 19, 18), (20, 17, 20)]
    target = box_mask(scene.grid.shape, *(((i, j, k), (i + 1, j + 1, k + 1)) for i, j, k in voxels))
    masks = {s.name: (s.role, s.mask.layer == s.mask.label) for s in scene.structures if s.name != "node"}
    scene_with_speck = scene_of_masks(scene.grid, {**masks, "node": (Role.TARGET, target)})
    request = changed_request(target=TargetRequest(("node",), margin_mm=0.0, min_chord_mm=1.0))
    planned = plan(scene_with_speck, request).plan
    assert planned.outcome.status is Status.GOALS_NOT_MET
    assert "no seed is planned" in planned.outcome.message
    assert planned.needle_set is None


def plan_without_path(given: NeedleSetRequest) -> Plan:
    """A plan without a path to the target, because the clearance is too large."""
    planned = plan_for(
        replace(changed_request(needle_set=given), clearance_mm=MappingProxyType({"default": 200.0}))
    )
    assert not any(path.aim is Aim.TARGET for path in planned.paths) and planned.search.complete
    assert planned.verification.passed
    return planned


def direct_d90_gy(request: Request, seeds: list[GivenSeed]) -> float:
    scene, dose = ball_scene(), seed_dose(request.seeds)
    ptv_dose = Dosimetry(scene, dose, seeds).target(
        ptv_of(scene, request.target), request.prescription.dose_gy
    )[1]
    return float(ptv_dose.d90_gy)


@pytest.mark.long
def test_given_needles_and_seeds_are_reported_where_nothing_else_can_be_planned():
    request = given_request().needle_set
    planned = plan_without_path(request)
    assert planned.outcome.status is Status.NO_PATH
    assert [path.aim for path in planned.paths] == [Aim.GIVEN]
    assert given_seeds_of(planned) == list(request.given_seeds)
    assert planned.dose.target.d90_gy == pytest.approx(
        direct_d90_gy(planned.request, given_seeds_of(planned))
    )
    assert planned.needle_set.given_too_near and planned.nearest_miss is not None
    expected_parts = [
        "Given needles too near: ",
        "Goals not met: D90 of PTV ",
        "No track was found along which a seed could be added.",
    ]
    expected_parts.append("Shown: no path to node ")
    places = [planned.outcome.message.find(words) for words in expected_parts]
    assert -1 not in places and places == sorted(places)


@pytest.mark.long
def test_given_seeds_alone_are_reported_and_may_be_enough():
    seeds = tuple(given_seeds_of(ball_plan()))
    three_seeds, all_seeds = (
        plan_without_path(NeedleSetRequest(given_seeds=some)) for some in (seeds[:3], seeds)
    )
    assert three_seeds.outcome.status is Status.NO_PATH and all_seeds.outcome.status is Status.PLANNED
    assert all_seeds.dose.target.d90_gy == pytest.approx(ball_plan().dose.target.d90_gy)
    for planned in (three_seeds, all_seeds):
        assert planned.needle_set.path_ids == () and given_seeds_of(planned) == list(
            planned.request.needle_set.given_seeds
        )
    assert all_seeds.outcome.message.startswith("All goals are met as planned: 0 needles and ")
    # Without needles there are no errors, no insertion order and no claims.
    assert (three_seeds.robustness, three_seeds.needle_set.order, three_seeds.needle_set.claims) == (
        None,
        (),
        (),
    )
    wrong_status = replace(all_seeds, outcome=replace(all_seeds.outcome, status=Status.NO_PATH))
    failed_checks = {check.name for check in verify(wrong_status, ball_scene()).checks if not check.passed}
    assert "the outcome says whether the goals are met" in failed_checks
    wrong_outcome = replace(
        three_seeds, outcome=all_seeds.outcome, needle_set=None, dose=None, robustness=None
    )
    failed = {check.name for check in verify(wrong_outcome, ball_scene()).checks if not check.passed}
    assert "the outcome fits the paths" in failed


@pytest.mark.long
def test_verification_misses_given_needles_and_seeds_that_a_plan_leaves_out():
    for planned in (plan_without_path(given_request().needle_set), plan_for(given_request())):
        paths = tuple(path for path in planned.paths if path.aim is Aim.TARGET)
        without_given = replace(planned, paths=paths, needle_set=None, dose=None, robustness=None)
        failed = {check.name for check in verify(without_given, ball_scene()).checks if not check.passed}
        assert "an implant is complete, and prescribed" in failed


def test_given_needles_and_seeds_without_a_prescription_are_refused():
    given = given_request().needle_set
    for set_request, field in (
        (NeedleSetRequest(given_needles=given.given_needles), "given_needles"),
        (NeedleSetRequest(given_seeds=given.given_seeds), "given_seeds"),
    ):
        with pytest.raises(RequestError, match=f"needle_set/{field}: .* none is prescribed"):
            plan(ball_scene(), changed_request(needle_set=set_request, prescription=None))


def test_a_dose_of_earlier_beams_alone_may_equal_a_limit_and_is_stated_as_earlier():
    """Earlier beams gave 30 Gy in 5 fractions, exactly the cord's limit; the given needle has no seed."""
    scene = ball_scene()
    cord = replace(scene.structure("aorta"), name="spinal_cord")
    scene = replace(scene, structures=(*(s for s in scene.structures if s.name != "aorta"), cord))
    needle = given_request().needle_set.given_needles[0]
    shaft = np.subtract(needle.entry_mm, needle.tip_mm)
    short = GivenNeedle(needle.entry_mm, tuple((np.array(needle.entry_mm) - 0.1 * shaft).tolist()))
    request = changed_request(
        needle_set=NeedleSetRequest(given_needles=(short,)),
        clearance_mm=MappingProxyType({"default": 200.0}),
        prescription=Prescription(
            prior_external=PriorExternal(30.0, 5), bed=BedRequest(protocols=("RTOG_0813_5fx",))
        ),
    )
    planned = plan(scene, request).plan
    assert [check for check in planned.verification.checks if not check.passed] == []
    maxima = [n for n in planned.dose.bed.limits if n.structure == "spinal_cord" and n.volume_cc is None]
    (limit,) = [n for n in maxima if n.achieved_bed_gy == n.limit_bed_gy]
    assert limit.met and Doubt.PART_GETS_MORE not in limit.doubts
    bed = planned.dose.bed
    sentence = f"give D90 0.0 Gy (BED {bed.target_d90_gy:.1f} Gy with the beams before)"
    assert bed.target_d90_gy == bed.external_target_gy > 0.0 and sentence in planned.outcome.message


def test_without_paths_and_given_needles_or_seeds_there_is_no_implant():
    planned = plan_without_path(NeedleSetRequest())
    assert planned.outcome.status is Status.NO_PATH
    assert (planned.needle_set, planned.dose, planned.robustness) == (None, None, None)


def test_progress_reports_every_phase_in_order(wide_clearance_plan):
    assert [*dict.fromkeys(WIDE_PHASES)] == list(Phase)


# Impossible requests


@pytest.fixture(scope="module")
def fields() -> SearchFields:
    return search_fields(ball_scene(), REQUEST)


def point_P(*p_B: float) -> tuple[float, float, float]:
    x, y, z = ball_scene().grid.to_patient(np.array(p_B)).tolist()
    return (x, y, z)


OUTSIDE, MIDDLE = (2.0, 2.0, 2.0), (41.0, 35.0, 37.0)
FRONT = (41.0, -5.0, 37.0)
COARSE = SearchRequest(covering_radius_mm=8.0)
LATE = SeedRequest(calibration_date=date(2026, 5, 2), implant_date=date(2026, 5, 1))


def given_needle_request(entry, tip) -> NeedleSetRequest:
    return NeedleSetRequest(given_needles=(GivenNeedle(point_P(*entry), point_P(*tip)),))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seeds": LATE}, ["seeds/calibration_date", "1 day after the implant"]),
        ({"seeds": SeedRequest(model="amersham_671")}, ["seeds/model", "amersham_6711"]),
        ({"target": TargetRequest(("node",), cut_back=("aort",))}, ["target/cut_back", "aorta"]),
    ],
)
def test_an_impossible_request_is_refused_with_its_field_and_a_remedy(fields, changes, words):
    with pytest.raises(RequestError) as error:
        implant(ball_scene(), changed_request(**changes), Prescription(), fields, always)
    assert all(word in str(error.value) for word in words)


def refusal_before_search(request: Request) -> str:
    """The message of the error that refuses the request before the search begins."""
    phases: list[Phase] = []
    with pytest.raises(RequestError) as error:
        plan(ball_scene(), request, lambda progress: not phases.append(progress.phase))
    assert phases == []
    return str(error.value)


@pytest.mark.parametrize(
    ("entry", "tip", "word"),
    [("FRONT", "OUTSIDE", "skin"), ("MIDDLE", "MIDDLE", "coincide"), ("MIDDLE", "FRONT", "skin")],
)
def test_an_impossible_given_needle_is_refused_before_the_search(entry, tip, word):
    message = refusal_before_search(
        changed_request(needle_set=given_needle_request(globals()[entry], globals()[tip]))
    )
    assert message.startswith("needle_set/given_needles/0: ") and word in message


def test_a_given_needle_longer_than_its_length_is_refused():
    request = changed_request(
        needle_set=given_needle_request(FRONT, MIDDLE), needle=Needle(max_length_mm=20.0)
    )
    assert "needle.max_length_mm" in refusal_before_search(request)


def test_an_organ_goal_of_an_unknown_organ_is_refused():
    prescription = Prescription(organ_goals=MappingProxyType({"aorto": OrganGoal(90.0)}))
    with pytest.raises(RequestError, match="prescription/organ_goals/aorto") as error:
        plan(ball_scene(), replace(REQUEST, prescription=prescription))
    assert "aorta" in str(error.value)


def test_an_organ_goal_of_a_structure_that_is_no_organ_is_refused():
    prescription = Prescription(organ_goals=MappingProxyType({"body": OrganGoal(90.0)}))
    with pytest.raises(RequestError, match=r"prescription/organ_goals/body: its role is skin"):
        plan(ball_scene(), replace(REQUEST, prescription=prescription))


@pytest.mark.parametrize(("name", "voxels"), [("aorta", 100), ("brachial_plexus_left", 6), ("nerve", 12)])
def test_an_organ_goal_of_a_remnant_is_refused(name: str, voxels: int) -> None:
    """Less than any aorta, a small part of a plexus, and less than 0.1 cc of an unknown organ."""
    aorta = ball_scene().structure("aorta")
    inside, remnant_mask = (np.zeros(ball_scene().grid.shape, bool) for _ in range(2))
    aorta.mask.paint(inside, True)
    remnant_mask[tuple(np.argwhere(inside)[:voxels].T)] = True
    remnant = replace(aorta, name=name, mask=mask_from_bool(remnant_mask))
    others = tuple(s for s in ball_scene().structures if s.name != name)
    scene = replace(ball_scene(), structures=(*others, remnant))
    prescription = Prescription(organ_goals=MappingProxyType({name: OrganGoal(d1cc_gy=1.0)}))
    with pytest.raises(RequestError, match=rf"prescription/organ_goals/{name}: only 0\.\d+ cm3 of it is in"):
        plan(scene, replace(REQUEST, prescription=prescription))


@pytest.mark.parametrize(
    ("seeds_B", "pattern"),
    [
        ([(1.0, 1.0, 1.0)], r"given_seeds/0/position_mm: it lies outside the body"),
        (
            [MIDDLE, (MIDDLE[0] + 0.5, *MIDDLE[1:])],
            r"given_seeds/1/position_mm: it lies 0\.50 mm",
        ),
    ],
)
def test_impossible_given_seeds_are_refused_before_the_search(seeds_B, pattern):
    seeds = tuple(GivenSeed(tuple(ball_scene().grid.to_patient(np.array(p)).tolist())) for p in seeds_B)
    request = changed_request(needle_set=NeedleSetRequest(given_seeds=seeds))
    assert re.search(pattern, refusal_before_search(request))


def test_more_given_needles_than_allowed_are_refused():
    first, second = (
        given_needle_request(FRONT, tip).given_needles[0] for tip in (MIDDLE, (49.0, 35.0, 37.0))
    )
    request = changed_request(
        needle_set=NeedleSetRequest(given_needles=(first, second), max_needles=1), search=COARSE
    )
    message = refusal_before_search(request)
    assert message.startswith("needle_set/given_needles: there are 2, and max_needles is 1")


# Given needles that are too near to structures, and targets out of reach


@pytest.mark.long
def test_given_needles_too_near_each_other_or_a_vessel_are_kept_and_reported(fields):
    pair = tuple(
        given_needle_request((x, -5.0, 37.0), (x, 47.0, 37.0)).given_needles[0] for x in (38.0, 39.5)
    )
    request = changed_request(needle_set=NeedleSetRequest(given_needles=pair), search=COARSE)
    prescription = Prescription(goals=Goals(v100_percent=0.0, d90_gy=1.0))
    result = implant(ball_scene(), request, prescription, fields, always)
    seeds = result.seeds(())
    dose = dose_report(ball_scene(), prescription, result.ptv, result.dose, seeds)
    needle_set = set_report(ball_scene(), request, prescription, result, result.chosen, dose)
    assert {p.aim for p in result.needles[:2]} == {Aim.GIVEN}
    text = " ".join(needle_set.claims)
    assert "given, overlap by 3.5" in text and "the hubs of " in text.lower()
    assert "given, touches or runs through aorta, where 1.5 mm are asked for" in text
    # The given needles block each other; the planned ones still have an insertion order.
    given_ids = {p.id for p in result.needles if p.aim is Aim.GIVEN}
    assert sorted(needle_set.order) == sorted(p.id for p in result.needles)
    assert set(needle_set.order[:2]) == given_ids


@pytest.fixture(scope="module")
def plan_beside_given_needles():
    """A plan around two given needles that touch each other and the aorta."""
    pair = tuple(
        given_needle_request((x, -5.0, 37.0), (x, 47.0, 37.0)).given_needles[0] for x in (38.0, 39.5)
    )
    goals = Prescription(goals=Goals(v100_percent=0.0, d90_gy=1.0))
    request = changed_request(
        needle_set=NeedleSetRequest(given_needles=pair), search=COARSE, prescription=goals
    )
    return plan(ball_scene(), request).plan


def failed_with(plan, **changes):
    """The checks that fail on a plan with a changed set and matching sentences."""
    needle_set = replace(plan.needle_set, **changes)
    needle_set = replace(needle_set, claims=set_claims(needle_set, plan.paths, plan.missing_structures))
    checks = verify(replace(plan, needle_set=needle_set), ball_scene()).checks
    return {c.name for c in checks if not c.passed}


COMPLETENESS_CHECK = "what given needles are too near to, each once and in order"


@pytest.mark.representative(4)
@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda records: records[1:], COMPLETENESS_CHECK),
        (lambda records: records[:-1], COMPLETENESS_CHECK),
        (lambda records: records[::-1], COMPLETENESS_CHECK),
        (lambda records: (*records, records[0]), COMPLETENESS_CHECK),
        (
            lambda records: (*records, replace(records[0], structure="vena_cava")),
            "a given needle is too near",
        ),
        (
            lambda records: (*records[:-1], replace(records[-1], parts=NeedleParts.HUB_AND_SHAFT)),
            "a given needle is too near",
        ),
        (lambda records: (replace(records[0], path_id="N9"), *records[1:]), "a given needle is too near"),
        (
            lambda records: (with_clearance_changed(records[0], 2e-6), *records[1:]),
            "its clearance is not overstated",
        ),
        (
            lambda records: (with_clearance_changed(records[0], -2e-6), *records[1:]),
            "its clearance is not understated",
        ),
        (
            lambda records: (*records[:-1], with_clearance_changed(records[-1], 2e-6)),
            "its clearance is not overstated",
        ),
        (
            lambda records: (*records[:-1], with_clearance_changed(records[-1], -2e-6)),
            "its clearance is not understated",
        ),
        (
            lambda records: (with_clearance_changed(records[0], 99.8), *records[1:]),
            "it is less than what is asked for",
        ),
        (
            lambda records: (replace(records[0], asked_mm=records[0].asked_mm + 0.1), *records[1:]),
            "what is asked for",
        ),
    ],
)
def test_verification_recomputes_what_a_given_needle_is_too_near_to(plan_beside_given_needles, change, name):
    plan = plan_beside_given_needles
    records = plan.needle_set.given_too_near
    assert {n.structure for n in records} == {"aorta", None} and plan.verification.passed
    assert plan.outcome.message.startswith("Given needles too near: ")
    assert "touches or runs through aorta" in plan.outcome.message.split(";")[0]
    assert failed_with(plan, given_too_near=records) == set()
    assert name in failed_with(plan, given_too_near=change(records))


def with_clearance_changed(record, change_mm):
    return replace(record, clearance_mm=record.clearance_mm + change_mm)


def test_a_clearance_passes_within_its_tolerance(plan_beside_given_needles):
    records = plan_beside_given_needles.needle_set.given_too_near
    for change_mm in (-9e-7, 9e-7):
        assert (
            failed_with(
                plan_beside_given_needles,
                given_too_near=tuple(with_clearance_changed(n, change_mm) for n in records),
            )
            == set()
        )


def test_the_claims_of_a_set_are_exactly_those_of_its_records(plan_beside_given_needles):
    plan = plan_beside_given_needles
    claims = plan.needle_set.claims
    aorta_claims = tuple(c for c in claims if "touches or runs through aorta" in c)
    assert aorta_claims
    false_claim = aorta_claims[0].replace("touches or runs through", "passes 99.9 mm from")
    for false_claims in (
        tuple(c for c in claims if c not in aorta_claims),
        tuple(false_claim if c == aorta_claims[0] else c for c in claims),
        (*claims, "All is well."),
        claims[1:],
    ):
        edited = replace(plan, needle_set=replace(plan.needle_set, claims=false_claims))
        failed = {c.name for c in verify(edited, ball_scene()).checks if not c.passed}
        assert failed == {"what the set may claim"}


def test_the_number_of_close_given_seed_pairs_is_recomputed(plan_beside_given_needles):
    assert failed_with(plan_beside_given_needles, given_seed_pairs_near=1) == {
        "pairs of seeds nearer than a seed is long",
        # The message states it too.
        "the message is the outcome's",
    }


def test_if_no_line_keeps_its_clearance_no_needle_is_chosen():
    request = changed_request(clearance_mm=MappingProxyType({"default": 45.0}))
    blocked_fields = search_fields(ball_scene(), request)
    result = implant(ball_scene(), request, Prescription(), blocked_fields, always)
    assert (result.chosen, result.needles, result.reachable_percent) == (None, (), 0.0)


# Measuring from a given tip


@pytest.mark.parametrize("name", list(CHESTS))
def test_measuring_from_a_paths_own_tip_gives_the_same_path(name):
    chest = small_chest(name)
    grid = chest.scene.grid
    lines = random_lines(chest, 60, 7)
    measurer = Measurer(chest.scene, chest.request.needle_assembly)
    compared_count = 0
    for point_B, outward_B in zip(lines.point, lines.outward, strict=True):
        outward_P = grid.vectors_to_patient(outward_B)
        path = measurer.measure(grid.to_patient(point_B), outward_P)
        if path is not None:
            from_tip = measurer.measure_from(path.tip_P, outward_P)
            assert from_tip.entry_mm == pytest.approx(path.entry_mm)
            assert from_tip.lung_length_mm == pytest.approx(path.lung_length_mm)
            assert from_tip.clearance_mm == pytest.approx(path.clearance_mm)
            assert from_tip.target_chord_mm == pytest.approx(path.target_chord_mm, abs=1e-5)
            compared_count += 1
    assert compared_count > 0


@given(st.floats(3.0, 40.0), st.floats(-6.0, 6.0))
def test_a_deeper_tip_lengthens_the_needle_by_the_same_distance(deeper_mm, lateral_mm):
    measurer = Measurer(ball_scene(), REQUEST.needle_assembly)
    outward = np.subtract(point_P(*FRONT), point_P(*MIDDLE))
    outward /= np.linalg.norm(outward)
    tip_P = np.array(point_P(41.0 + lateral_mm, 20.0, 37.0))
    path = measurer.measure_from(tip_P, outward)
    deeper_path = measurer.measure_from(tip_P - deeper_mm * outward, outward)
    assert deeper_path.length_mm == pytest.approx(path.length_mm + deeper_mm)
    assert deeper_path.entry_mm == pytest.approx(path.entry_mm)
    assert deeper_path.tip_mm == pytest.approx(tip_P - deeper_mm * outward)


def test_a_tip_outside_the_body_has_no_path():
    measurer = Measurer(ball_scene(), REQUEST.needle_assembly)
    outward = np.subtract(point_P(*FRONT), point_P(*MIDDLE))
    assert measurer.measure_from(np.array(point_P(*OUTSIDE)), outward) is None


# Search fields with another target


def test_the_scenes_own_target_gives_the_same_search_fields(fields):
    scene = ball_scene()
    recomputed = with_target(fields, scene.target, scene.grid, REQUEST.search.field_resolution_mm)
    for name, field, other in zip(fields._fields, fields, recomputed, strict=True):
        assert np.array_equal(field, other), name


def test_search_fields_for_the_ptv_are_those_of_a_scene_with_it_as_target(fields):
    scene: Scene = ball_scene()
    ptv = ptv_of(scene, REQUEST.target)
    ptv_fields = with_target(fields, ptv, scene.grid, REQUEST.search.field_resolution_mm)
    expected = search_fields(replace(scene, target=ptv), replace(REQUEST, target=replace(REQUEST.target)))
    for name in ("target", "near_target", "near_target_lower", "near_target_step", "obstacle", "body"):
        assert np.array_equal(getattr(ptv_fields, name), getattr(expected, name)), name
    assert ptv_fields.target_first_V == expected.target_first_V
    # Lung beside the target stays lung.
    assert np.array_equal(ptv_fields.tissue, fields.tissue)


# Wording


def outcome_message(**changes: object) -> str:
    needles = replace(a_needle_set(), **{k: v for k, v in changes.items() if k == "reachable_percent"})
    goals = changes.get("goals", a_dose().goals)
    plan = replace(
        ball_plan(),
        request=changes.get("request", ASKED),
        blocked_by=(),
        nearest_miss=None,
        skin_structures=("body",),
        missing_structures=(),
        needle_set=needles,
        dose=replace(a_dose(), goals=goals),
        robustness=None,
    )
    return message_of(plan)


def test_a_message_names_each_missed_goal_with_its_limit():
    message = outcome_message(reachable_percent=100.0)
    assert "V200 of PTV 31.00 %, at most 30 % asked for" in message
    assert "D90 of PTV" not in message
    assert "pull against each other" in message


def test_a_message_says_what_limits_the_dose():
    two_needles = replace(ASKED, needle_set=NeedleSetRequest(max_needles=2))
    message = outcome_message(reachable_percent=80.0, request=two_needles)
    assert "within 5 mm of 80 % of the PTV only" in message
    assert "No more than 2 needles were allowed." in message
    assert "pull against" not in message


def test_the_message_gives_the_reason_why_no_seed_is_added():
    low_goal, high_goal, _ = a_dose().goals
    low_goal, high_goal = replace(low_goal, met=False), replace(high_goal, met=False)
    needle_set = a_needle_set()
    given_only = replace(
        needle_set, seeds=tuple(s for s in needle_set.seeds if s.path_id is None), reachable_percent=100.0
    )
    (hot_reason,) = limited_by(ASKED, given_only, [high_goal])
    assert "hotter than asked for" in hot_reason
    (no_track,) = limited_by(ASKED, replace(given_only, reachable_percent=0.0), [low_goal])
    assert no_track == "No track was found along which a seed could be added."
    one_allowed = replace(ASKED, needle_set=NeedleSetRequest(max_needles=1))
    one_needle = replace(given_only, path_ids=given_only.path_ids[:1])
    assert limited_by(one_allowed, one_needle, [low_goal]) == ["No more than 1 needle was allowed."]
    for missed in ([low_goal], [low_goal, high_goal]):
        (no_seed_reason,) = limited_by(ASKED, given_only, missed)
        assert "No seed was found along the tracks there are" in no_seed_reason


def test_missed_low_and_high_goals_are_reported_as_a_conflict():
    low_goal, high_goal, _ = a_dose().goals
    missed = [replace(low_goal, met=False), high_goal]
    assert "pull against each other" in limited_by(ASKED, a_needle_set(), missed)[-1]
    (reason,) = limited_by(ASKED, replace(a_needle_set(), reachable_percent=99.0), missed[:1])
    assert "stronger" in reason
