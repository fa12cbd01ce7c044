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


def made(request: Request) -> Plan:
    return plan(ball_scene(), request).plan


def needles_of_set(planned: Plan) -> list[Path]:
    assert planned.needle_set is not None
    paths = {path.id: path for path in planned.paths}
    return [paths[id] for id in planned.needle_set.path_ids]


def placed(planned: Plan) -> list[GivenSeed]:
    assert planned.needle_set is not None
    return [GivenSeed(s.position_mm, s.axis) for s in planned.needle_set.seeds]


@pytest.fixture(scope="module")
def parallel() -> Plan:
    return made(
        changed_request(needle_set=NeedleSetRequest(arrangement=Arrangement.PARALLEL, grid_pitch_mm=4.0))
    )


WIDE_PHASES: list[Phase] = []


@pytest.fixture(scope="module")
def wide() -> Plan:
    def go_on(progress: Progress) -> bool:
        WIDE_PHASES.append(progress.phase)
        return True

    return plan(ball_scene(), changed_request(needle_set=NeedleSetRequest(clearance_mm=4.0)), go_on).plan


GIVEN_SEED_B = np.array([44.0, 37.0, 37.0])


def given_request() -> Request:
    """The first needle of the plan, 2 mm beside where it was, and a seed that is in already."""
    first = needles_of_set(ball_plan())[0]
    aside = 2.0 * np.cross(first.direction, (0.36, 0.48, 0.8))
    entry, tip = (tuple((np.array(p) + aside).tolist()) for p in (first.entry_mm, first.tip_mm))
    seed = GivenSeed(tuple(ball_scene().grid.to_patient(GIVEN_SEED_B).tolist()))
    return changed_request(
        needle_set=NeedleSetRequest(given_needles=(GivenNeedle(entry, tip),), given_seeds=(seed,)),
        seeds=SeedRequest(min_spacing_mm=6.0),
    )


@pytest.fixture(scope="module")
def around_given() -> Plan:
    return made(given_request())


@pytest.fixture(scope="module")
def out_of_reach() -> Plan:
    return made(
        changed_request(
            target=TargetRequest(("node",), margin_mm=0.0),
            seeds=SeedRequest(activity_mci=0.05),
            prescription=Prescription(400.0, organ_goals=MappingProxyType({"aorta": OrganGoal(None, 90.0)})),
        )
    )


@pytest.fixture(scope="module")
def longer_seeds() -> Plan:
    return made(changed_request(seeds=SeedRequest(model="best_2301", activity_mci=0.6)))


PLANS = [
    "plain",
    "parallel",
    "around_given",
    *(pytest.param(name, marks=pytest.mark.long) for name in ("wide", "out_of_reach", "longer_seeds")),
]


def seed_mm(planned: Plan) -> float:
    return {"amersham_6711": 4.5, "best_2301": 5.0}[planned.request.seeds.model]


@pytest.fixture(params=PLANS)
def any_plan(request: pytest.FixtureRequest) -> Plan:
    return ball_plan() if request.param == "plain" else request.getfixturevalue(request.param)


# What holds of every plan


def test_every_plan_is_verified(any_plan):
    assert any_plan.verification is not None
    assert [c for c in any_plan.verification.checks if not c.passed] == []


def test_every_seed_placed_lies_wholly_in_the_ptv(any_plan):
    grid, ptv = ball_scene().grid, ptv_of(ball_scene(), any_plan.request.target)
    for path in needles_of_set(any_plan):
        for seed in path.seeds:
            along = np.linspace(-0.5, 0.5, 451) * (seed_mm(any_plan) - 1e-6)
            body_P = np.array(seed.position_mm) + along[:, None] * np.array(seed.axis)
            index = np.floor(grid.to_box(body_P) / grid.spacing_mm + 0.5).astype(int)
            assert (ptv.layer[tuple(index.T)] == ptv.label).all()
            assert np.array(path.entry_mm) + seed.depth_mm * np.array(path.direction) == pytest.approx(
                seed.position_mm
            )


def test_seeds_keep_their_spacing(any_plan):
    spacing = any_plan.request.seeds.min_spacing_mm
    seeds = any_plan.needle_set.seeds
    for one, two in combinations(seeds, 2):
        apart = np.linalg.norm(np.subtract(one.position_mm, two.position_mm))
        same = one.path_id is not None and one.path_id == two.path_id
        assert apart >= (spacing if same else seed_mm(any_plan)) - 1e-5


def test_seeds_are_dropped_distal_first_and_drawn_back_from_stop_to_stop(any_plan):
    for path in needles_of_set(any_plan):
        depths = [s.depth_mm for s in path.seeds]
        assert depths == sorted(depths, reverse=True)
        steps = [0.0, *(-np.diff(depths))][: len(depths)]
        assert [s.retraction_mm for s in path.seeds] == pytest.approx(steps)


def test_no_two_needles_conflict_and_the_order_can_be_driven(any_plan):
    request = any_plan.request
    paths = needles_of_set(any_plan)
    hardware = hardware_of(request.needle, request.pose, request.needle_set.clearance_mm)
    needles = needles_between(*(np.array([getattr(p, f) for p in paths]) for f in ("entry_mm", "tip_mm")))
    for i, j in combinations(range(len(paths)), 2):
        assert spare_mm(needles, hardware, i, j) > -1e-6
    order = any_plan.needle_set.order
    assert sorted(order) == sorted(any_plan.needle_set.path_ids)
    place = [any_plan.needle_set.path_ids.index(id) for id in order]
    for n, late in enumerate(place):
        for early in place[:n]:
            assert spare_mm(needles, hardware, late, early, needles.length_mm[late]) > -1e-6


def test_what_is_stated_of_the_set_adds_up(any_plan):
    stated, paths = any_plan.needle_set, needles_of_set(any_plan)
    asked_for = any_plan.request.needle_set
    assert stated.lung_length_mm == pytest.approx(sum(p.lung_length_mm for p in paths))
    assert stated.pleural_punctures == sum(p.pleural_punctures for p in paths)
    cost = stated.lung_length_mm + asked_for.puncture_cost_mm * stated.pleural_punctures + len(paths)
    assert stated.objective == pytest.approx(cost)
    assert 0.0 <= stated.bound <= stated.objective
    assert stated.gap == pytest.approx((cost - stated.bound) / cost)
    carried = [s for s in stated.seeds if s.path_id is not None]
    assert len(carried) == sum(len(p.seeds) for p in paths)
    # Only of a dose out of reach is it said that no number of seeds does.
    in_reach = any_plan.request.prescription.dose_gy < 400.0
    assert stated.v100_reachable == in_reach == (stated.seeds_bound is not None)
    assert stated.seeds_bound is None or stated.seeds_bound <= len(carried)
    assert [s for s in stated.seeds if s.path_id is None] == [
        s for s in stated.seeds if s.position_mm in [g.position_mm for g in asked_for.given_seeds]
    ]


def test_needles_of_the_set_are_ranked_after_the_paths_to_the_target(any_plan):
    assert [p.rank for p in any_plan.paths] == list(range(1, len(any_plan.paths) + 1))
    aims = [p.aim is Aim.TARGET for p in any_plan.paths]
    assert aims == sorted(aims, reverse=True)
    assert all(p.window == "" for p in any_plan.paths if p.aim is not Aim.TARGET)


# One plan each


def test_a_plan_meets_its_goals_and_says_so():
    planned = ball_plan()
    assert planned.outcome.status is Status.PLANNED
    assert all(goal.met for goal in planned.dose.goals)
    assert f"D90 {planned.dose.target.d90_gy:.1f} Gy" in planned.outcome.message


@pytest.mark.representative(1)
@pytest.mark.parametrize("name", ["parallel", "wide", "around_given", "longer_seeds"])
def test_every_set_that_can_meets_its_goals(name, request):
    planned = request.getfixturevalue(name)
    assert planned.outcome.status is Status.PLANNED
    assert all(goal.met for goal in planned.dose.goals)


@pytest.mark.long
def test_the_same_request_gives_the_same_plan_on_one_thread_or_many(monkeypatch):
    before = ball_plan()
    monkeypatch.setenv("SEEDPATH_THREADS", "3" if thread_count() == 1 else "1")
    assert made(REQUEST) == before


def test_what_is_given_is_kept_and_the_rest_is_planned_around_it(around_given):
    request = given_request().needle_set
    (kept,) = [p for p in around_given.paths if p.aim is Aim.GIVEN]
    (needle,), (seed,) = request.given_needles, request.given_seeds
    assert kept.tip_mm == pytest.approx(needle.tip_mm)
    towards = np.subtract(needle.entry_mm, needle.tip_mm)
    assert np.allclose(np.cross(towards / np.linalg.norm(towards), kept.direction), 0.0, atol=1e-9)
    assert around_given.needle_set.order[0] == kept.id
    (stated,) = [s for s in around_given.needle_set.seeds if s.path_id is None]
    assert (stated.position_mm, stated.depth_mm) == (seed.position_mm, None)
    # The seed given counts: the dose is that of all.
    assert around_given.dose.target.d90_gy >= 120.0


def test_parallel_needles_have_one_direction_and_lie_on_the_templates_lattice(parallel):
    paths = needles_of_set(parallel)
    assert len(paths) > 2
    direction = np.array(paths[0].direction)
    assert all(np.allclose(p.direction, direction, atol=1e-12) for p in paths)
    tips = np.array([p.tip_mm for p in paths])
    across = tips - (tips @ direction)[:, None] * direction
    apart = np.linalg.norm(across[:, None] - across[None], axis=2) / 4.0
    # On a square lattice squares of distances are whole numbers, and so are products of differences.
    assert np.allclose(apart**2, np.round(apart**2), atol=1e-6)
    products = ((across - across[0]) / 4.0) @ ((across - across[0]) / 4.0).T
    assert np.allclose(products, np.round(products), atol=1e-6)
    assert parallel.needle_set.arrangement == "parallel"


def test_a_set_with_wide_clearances_keeps_the_narrow_ones_too(wide):
    hardware = hardware_of(REQUEST.needle, REQUEST.pose, 1.0)
    paths = needles_of_set(wide)
    needles = needles_between(*(np.array([getattr(p, f) for p in paths]) for f in ("entry_mm", "tip_mm")))
    assert all(spare_mm(needles, hardware, *pair) > 0.0 for pair in combinations(range(len(paths)), 2))
    shafts = replace(hardware_of(REQUEST.needle, REQUEST.pose, 4.0), hub_length_mm=0.0)
    assert all(spare_mm(needles, shafts, *pair) > -1e-6 for pair in combinations(range(len(paths)), 2))


def test_a_dose_out_of_reach_is_not_met_and_the_message_says_what_was_reached(out_of_reach):
    assert out_of_reach.outcome.status is Status.GOALS_NOT_MET
    message, target = out_of_reach.outcome.message, out_of_reach.dose.target
    assert target.d90_gy < 100.0
    assert f"D90 of PTV {target.d90_gy:.2f} Gy, at least 400 Gy asked for" in message
    assert "ask for stronger" in message
    assert "hot spots" not in message
    # Parts of seeds would not do either: so much is told, and the room is used all the same.
    assert (out_of_reach.needle_set.seeds_bound, out_of_reach.needle_set.seeds_gap) == (None, None)
    assert not out_of_reach.needle_set.v100_reachable
    assert "no number of these seeds on these needles reaches V100" in message
    assert len(out_of_reach.needle_set.seeds) >= 4


def test_organ_goals_are_listed_beside_those_of_the_ptv(out_of_reach):
    names = [(g.structure, g.name, g.at_least) for g in out_of_reach.dose.goals]
    assert names == [
        ("PTV", "d90_gy", True),
        ("PTV", "v100_percent", True),
        ("PTV", "v150_percent", False),
        ("PTV", "v200_percent", False),
        ("aorta", "d1cc_gy", False),
    ]


def test_without_a_prescription_paths_alone_are_planned():
    planned = made(changed_request(prescription=None))
    assert planned.outcome.status is Status.PLANNED
    assert (planned.needle_set, planned.dose, planned.robustness) == (None, None, None)
    assert all(p.aim is Aim.TARGET for p in planned.paths)


def test_where_no_seed_fits_the_goals_are_not_met_and_the_message_says_why():
    scene = ball_scene()
    specks = [(20, 17, 18), (22, 17, 18), (20, 19, 18), (20, 17, 20)]
    speck = box_mask(scene.grid.shape, *(((i, j, k), (i + 1, j + 1, k + 1)) for i, j, k in specks))
    masks = {s.name: (s.role, s.mask.layer == s.mask.label) for s in scene.structures if s.name != "node"}
    small = scene_of_masks(scene.grid, {**masks, "node": (Role.TARGET, speck)})
    request = changed_request(target=TargetRequest(("node",), margin_mm=0.0, min_chord_mm=1.0))
    planned = plan(small, request).plan
    assert planned.outcome.status is Status.GOALS_NOT_MET
    assert "no seed is planned" in planned.outcome.message
    assert planned.needle_set is None


def without_a_way(given: NeedleSetRequest) -> Plan:
    """Nothing leads to the target with so much clearance."""
    planned = made(
        replace(changed_request(needle_set=given), clearance_mm=MappingProxyType({"default": 200.0}))
    )
    assert not any(path.aim is Aim.TARGET for path in planned.paths) and planned.search.complete
    assert planned.verification.passed
    return planned


def direct_d90_gy(request: Request, seeds: list[GivenSeed]) -> float:
    scene, dose = ball_scene(), seed_dose(request.seeds)
    treated = Dosimetry(scene, dose, seeds).target(
        ptv_of(scene, request.target), request.prescription.dose_gy
    )[1]
    return float(treated.d90_gy)


@pytest.mark.long
def test_what_is_in_is_told_of_where_nothing_else_can_be_planned():
    request = given_request().needle_set
    planned = without_a_way(request)
    assert planned.outcome.status is Status.NO_PATH
    assert [path.aim for path in planned.paths] == [Aim.GIVEN]
    assert placed(planned) == list(request.given_seeds)
    assert planned.dose.target.d90_gy == pytest.approx(direct_d90_gy(planned.request, placed(planned)))
    assert planned.needle_set.given_too_near and planned.nearest_miss is not None
    told = [
        "Given needles too near: ",
        "Goals not met: D90 of PTV ",
        "No track was found along which a seed could be added.",
    ]
    told.append("Shown: no path to node ")
    places = [planned.outcome.message.find(words) for words in told]
    assert -1 not in places and places == sorted(places)


@pytest.mark.long
def test_seeds_alone_that_are_in_are_told_of_and_may_be_enough():
    seeds = tuple(placed(ball_plan()))
    few, all_of_them = (without_a_way(NeedleSetRequest(given_seeds=some)) for some in (seeds[:3], seeds))
    assert few.outcome.status is Status.NO_PATH and all_of_them.outcome.status is Status.PLANNED
    assert all_of_them.dose.target.d90_gy == pytest.approx(ball_plan().dose.target.d90_gy)
    for planned in (few, all_of_them):
        assert planned.needle_set.path_ids == () and placed(planned) == list(
            planned.request.needle_set.given_seeds
        )
    assert all_of_them.outcome.message.startswith("All goals are met as planned: 0 needles and ")
    # Nothing is left to place, to insert or to bound.
    assert (few.robustness, few.needle_set.order, few.needle_set.claims) == (None, (), ())
    called_none = replace(all_of_them, outcome=replace(all_of_them.outcome, status=Status.NO_PATH))
    named = {check.name for check in verify(called_none, ball_scene()).checks if not check.passed}
    assert "the outcome says whether the goals are met" in named
    forged = replace(few, outcome=all_of_them.outcome, needle_set=None, dose=None, robustness=None)
    failed = {check.name for check in verify(forged, ball_scene()).checks if not check.passed}
    assert "the outcome fits the paths" in failed


@pytest.mark.long
def test_what_is_in_is_missed_where_a_plan_leaves_it_out():
    for planned in (without_a_way(given_request().needle_set), made(given_request())):
        paths = tuple(path for path in planned.paths if path.aim is Aim.TARGET)
        bare = replace(planned, paths=paths, needle_set=None, dose=None, robustness=None)
        failed = {check.name for check in verify(bare, ball_scene()).checks if not check.passed}
        assert "an implant is complete, and prescribed" in failed


def test_what_is_in_is_refused_where_no_implant_is_prescribed():
    given = given_request().needle_set
    for some, field in (
        (NeedleSetRequest(given_needles=given.given_needles), "given_needles"),
        (NeedleSetRequest(given_seeds=given.given_seeds), "given_seeds"),
    ):
        with pytest.raises(RequestError, match=f"needle_set/{field}: .* none is prescribed"):
            plan(ball_scene(), changed_request(needle_set=some, prescription=None))


def test_what_alone_beams_before_gave_meets_a_limit_that_it_equals_and_is_said_to_be_before():
    """30 Gy in 5 fractions on the cord, which may get as much, and a needle without a seed."""
    scene = ball_scene()
    cord = replace(scene.structure("aorta"), name="spinal_cord")
    scene = replace(scene, structures=(*(s for s in scene.structures if s.name != "aorta"), cord))
    needle = given_request().needle_set.given_needles[0]
    out = np.subtract(needle.entry_mm, needle.tip_mm)
    short = GivenNeedle(needle.entry_mm, tuple((np.array(needle.entry_mm) - 0.1 * out).tolist()))
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
    words = f"give D90 0.0 Gy (BED {bed.target_d90_gy:.1f} Gy with the beams before)"
    assert bed.target_d90_gy == bed.external_target_gy > 0.0 and words in planned.outcome.message


def test_where_nothing_leads_to_the_target_and_nothing_is_in_there_is_no_implant():
    planned = without_a_way(NeedleSetRequest())
    assert planned.outcome.status is Status.NO_PATH
    assert (planned.needle_set, planned.dose, planned.robustness) == (None, None, None)


def test_progress_is_told_of_every_phase_in_order(wide):
    assert [*dict.fromkeys(WIDE_PHASES)] == list(Phase)


# What makes no sense


@pytest.fixture(scope="module")
def fields() -> SearchFields:
    return search_fields(ball_scene(), REQUEST)


def at(*p_B: float) -> tuple[float, float, float]:
    x, y, z = ball_scene().grid.to_patient(np.array(p_B)).tolist()
    return (x, y, z)


OUTSIDE, MIDDLE = (2.0, 2.0, 2.0), (41.0, 35.0, 37.0)
FRONT = (41.0, -5.0, 37.0)
COARSE = SearchRequest(covering_radius_mm=8.0)
LATE = SeedRequest(calibration_date=date(2026, 5, 2), implant_date=date(2026, 5, 1))


def through(entry, tip) -> NeedleSetRequest:
    return NeedleSetRequest(given_needles=(GivenNeedle(at(*entry), at(*tip)),))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seeds": LATE}, ["seeds/calibration_date", "1 day after the implant"]),
        ({"seeds": SeedRequest(model="amersham_671")}, ["seeds/model", "amersham_6711"]),
        ({"target": TargetRequest(("node",), cut_back=("aort",))}, ["target/cut_back", "aorta"]),
    ],
)
def test_what_makes_no_sense_is_refused_by_field_with_a_remedy(fields, changes, words):
    with pytest.raises(RequestError) as caught:
        implant(ball_scene(), changed_request(**changes), Prescription(), fields, always)
    assert all(word in str(caught.value) for word in words)


def refused_before_the_search(request: Request) -> str:
    """What a plan is refused for before anything is searched."""
    seen: list[Phase] = []
    with pytest.raises(RequestError) as caught:
        plan(ball_scene(), request, lambda progress: not seen.append(progress.phase))
    assert seen == []
    return str(caught.value)


@pytest.mark.parametrize(
    ("entry", "tip", "word"),
    [("FRONT", "OUTSIDE", "skin"), ("MIDDLE", "MIDDLE", "coincide"), ("MIDDLE", "FRONT", "skin")],
)
def test_a_given_needle_that_cannot_be_is_refused_before_the_search(entry, tip, word):
    said = refused_before_the_search(changed_request(needle_set=through(globals()[entry], globals()[tip])))
    assert said.startswith("needle_set/given_needles/0: ") and word in said


def test_a_given_needle_longer_than_its_length_is_refused():
    request = changed_request(needle_set=through(FRONT, MIDDLE), needle=Needle(max_length_mm=20.0))
    assert "needle.max_length_mm" in refused_before_the_search(request)


def test_an_organ_goal_of_an_unknown_organ_is_refused():
    prescription = Prescription(organ_goals=MappingProxyType({"aorto": OrganGoal(90.0)}))
    with pytest.raises(RequestError, match="prescription/organ_goals/aorto") as caught:
        plan(ball_scene(), replace(REQUEST, prescription=prescription))
    assert "aorta" in str(caught.value)


def test_an_organ_goal_of_what_is_no_organ_is_refused():
    prescription = Prescription(organ_goals=MappingProxyType({"body": OrganGoal(90.0)}))
    with pytest.raises(RequestError, match=r"prescription/organ_goals/body: its role is skin"):
        plan(ball_scene(), replace(REQUEST, prescription=prescription))


@pytest.mark.parametrize(("name", "voxels"), [("aorta", 100), ("brachial_plexus_left", 6), ("nerve", 12)])
def test_an_organ_goal_of_too_little_to_hold_it_against_is_refused(name: str, voxels: int) -> None:
    """Less than any aorta, a crumb of a plexus, and less than 0.1 cc of what nobody knows."""
    aorta = ball_scene().structure("aorta")
    inside, some = (np.zeros(ball_scene().grid.shape, bool) for _ in range(2))
    aorta.mask.paint(inside, True)
    some[tuple(np.argwhere(inside)[:voxels].T)] = True
    little = replace(aorta, name=name, mask=mask_from_bool(some))
    others = tuple(s for s in ball_scene().structures if s.name != name)
    scene = replace(ball_scene(), structures=(*others, little))
    prescription = Prescription(organ_goals=MappingProxyType({name: OrganGoal(d1cc_gy=1.0)}))
    with pytest.raises(RequestError, match=rf"prescription/organ_goals/{name}: only 0\.\d+ cm3 of it is in"):
        plan(scene, replace(REQUEST, prescription=prescription))


@pytest.mark.parametrize(
    ("seeds_B", "words"),
    [
        ([(1.0, 1.0, 1.0)], r"given_seeds/0/position_mm: it lies outside the body"),
        (
            [MIDDLE, (MIDDLE[0] + 0.5, *MIDDLE[1:])],
            r"given_seeds/1/position_mm: it lies 0\.50 mm",
        ),
    ],
)
def test_given_seeds_that_cannot_be_are_refused_before_the_search(seeds_B, words):
    seeds = tuple(GivenSeed(tuple(ball_scene().grid.to_patient(np.array(p)).tolist())) for p in seeds_B)
    request = changed_request(needle_set=NeedleSetRequest(given_seeds=seeds))
    assert re.search(words, refused_before_the_search(request))


def test_more_given_needles_than_are_allowed_are_refused():
    first, second = (through(FRONT, tip).given_needles[0] for tip in (MIDDLE, (49.0, 35.0, 37.0)))
    request = changed_request(
        needle_set=NeedleSetRequest(given_needles=(first, second), max_needles=1), search=COARSE
    )
    said = refused_before_the_search(request)
    assert said.startswith("needle_set/given_needles: there are 2, and max_needles is 1")


# What is given and stands badly, and what nothing reaches


def test_given_needles_too_near_each_other_or_a_vessel_are_kept_and_told(fields):
    pair = tuple(through((x, -5.0, 37.0), (x, 47.0, 37.0)).given_needles[0] for x in (38.0, 39.5))
    request = changed_request(needle_set=NeedleSetRequest(given_needles=pair), search=COARSE)
    prescription = Prescription(goals=Goals(v100_percent=0.0, d90_gy=1.0))
    made_so = implant(ball_scene(), request, prescription, fields, always)
    seeds = made_so.seeds(())
    dose = dose_report(ball_scene(), prescription, made_so.ptv, made_so.dose, seeds)
    stated = set_report(ball_scene(), request, prescription, made_so, made_so.chosen, dose)
    assert {p.aim for p in made_so.needles[:2]} == {Aim.GIVEN}
    text = " ".join(stated.claims)
    assert "given, overlap by 3.5" in text and "the hubs of " in text.lower()
    assert "given, touches or runs through aorta, where 1.5 mm are asked for" in text
    # The needles that are in block each other; those to be driven have an order all the same.
    given_ids = {p.id for p in made_so.needles if p.aim is Aim.GIVEN}
    assert sorted(stated.order) == sorted(p.id for p in made_so.needles)
    assert set(stated.order[:2]) == given_ids


@pytest.fixture(scope="module")
def beside_what_is_given():
    """A plan around two given needles that touch each other and the aorta."""
    pair = tuple(through((x, -5.0, 37.0), (x, 47.0, 37.0)).given_needles[0] for x in (38.0, 39.5))
    goals = Prescription(goals=Goals(v100_percent=0.0, d90_gy=1.0))
    request = changed_request(
        needle_set=NeedleSetRequest(given_needles=pair), search=COARSE, prescription=goals
    )
    return plan(ball_scene(), request).plan


def failed_with(honest, **changes):
    """What fails where the set is changed and its sentences are written for the change."""
    changed = replace(honest.needle_set, **changes)
    changed = replace(changed, claims=set_claims(changed, honest.paths, honest.missing_structures))
    checks = verify(replace(honest, needle_set=changed), ball_scene()).checks
    return {c.name for c in checks if not c.passed}


TOLD = "what given needles are too near to, each once and in order"


@pytest.mark.representative(4)
@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda near: near[1:], TOLD),
        (lambda near: near[:-1], TOLD),
        (lambda near: near[::-1], TOLD),
        (lambda near: (*near, near[0]), TOLD),
        (lambda near: (*near, replace(near[0], structure="vena_cava")), "a given needle is too near"),
        (
            lambda near: (*near[:-1], replace(near[-1], parts=NeedleParts.HUB_AND_SHAFT)),
            "a given needle is too near",
        ),
        (lambda near: (replace(near[0], path_id="N9"), *near[1:]), "a given needle is too near"),
        (lambda near: (moved_by(near[0], 2e-6), *near[1:]), "its clearance is not overstated"),
        (lambda near: (moved_by(near[0], -2e-6), *near[1:]), "its clearance is not understated"),
        (lambda near: (*near[:-1], moved_by(near[-1], 2e-6)), "its clearance is not overstated"),
        (lambda near: (*near[:-1], moved_by(near[-1], -2e-6)), "its clearance is not understated"),
        (lambda near: (moved_by(near[0], 99.8), *near[1:]), "it is less than what is asked for"),
        (lambda near: (replace(near[0], asked_mm=near[0].asked_mm + 0.1), *near[1:]), "what is asked for"),
    ],
)
def test_verification_measures_again_what_a_given_needle_is_too_near_to(beside_what_is_given, change, name):
    honest = beside_what_is_given
    near = honest.needle_set.given_too_near
    assert {n.structure for n in near} == {"aorta", None} and honest.verification.passed
    assert honest.outcome.message.startswith("Given needles too near: ")
    assert "touches or runs through aorta" in honest.outcome.message.split(";")[0]
    assert failed_with(honest, given_too_near=near) == set()
    assert name in failed_with(honest, given_too_near=change(near))


def moved_by(near, mm):
    return replace(near, clearance_mm=near.clearance_mm + mm)


def test_within_a_micrometre_by_a_thousand_a_clearance_is_the_same(beside_what_is_given):
    near = beside_what_is_given.needle_set.given_too_near
    for mm in (-9e-7, 9e-7):
        assert failed_with(beside_what_is_given, given_too_near=tuple(moved_by(n, mm) for n in near)) == set()


def test_the_set_says_what_its_records_say_and_nothing_else(beside_what_is_given):
    honest = beside_what_is_given
    claims = honest.needle_set.claims
    near = tuple(c for c in claims if "touches or runs through aorta" in c)
    assert near
    wide = near[0].replace("touches or runs through", "passes 99.9 mm from")
    for false in (
        tuple(c for c in claims if c not in near),
        tuple(wide if c == near[0] else c for c in claims),
        (*claims, "All is well."),
        claims[1:],
    ):
        seed_doses = replace(honest, needle_set=replace(honest.needle_set, claims=false))
        failed = {c.name for c in verify(seed_doses, ball_scene()).checks if not c.passed}
        assert failed == {"what the set may claim"}


def test_how_many_given_seeds_may_be_one_found_twice_is_counted_again(beside_what_is_given):
    assert failed_with(beside_what_is_given, given_seed_pairs_near=1) == {
        "pairs of seeds nearer than a seed is long",
        # It is among the worst news, too.
        "the message is the outcome's",
    }


def test_where_everything_is_too_near_to_something_no_needle_is_chosen():
    request = changed_request(clearance_mm=MappingProxyType({"default": 45.0}))
    blocked = search_fields(ball_scene(), request)
    made_so = implant(ball_scene(), request, Prescription(), blocked, always)
    assert (made_so.chosen, made_so.needles, made_so.reachable_percent) == (None, (), 0.0)


# Measuring from a tip that is given


@pytest.mark.parametrize("name", list(CHESTS))
def test_measured_from_its_own_tip_a_path_is_the_same(name):
    chest = small_chest(name)
    grid = chest.scene.grid
    lines = random_lines(chest, 60, 7)
    measurer = Measurer(chest.scene, chest.request.needle_assembly)
    compared = 0
    for point_B, outward_B in zip(lines.point, lines.outward, strict=True):
        outward_P = grid.vectors_to_patient(outward_B)
        one = measurer.measure(grid.to_patient(point_B), outward_P)
        if one is not None:
            two = measurer.measure_from(one.tip_P, outward_P)
            assert two.entry_mm == pytest.approx(one.entry_mm)
            assert two.lung_length_mm == pytest.approx(one.lung_length_mm)
            assert two.clearance_mm == pytest.approx(one.clearance_mm)
            assert two.target_chord_mm == pytest.approx(one.target_chord_mm, abs=1e-5)
            compared += 1
    assert compared > 0


@given(st.floats(3.0, 40.0), st.floats(-6.0, 6.0))
def test_a_tip_deeper_in_lengthens_the_needle_by_as_much(deeper, aside):
    measurer = Measurer(ball_scene(), REQUEST.needle_assembly)
    outward = np.subtract(at(*FRONT), at(*MIDDLE))
    outward /= np.linalg.norm(outward)
    place = np.array(at(41.0 + aside, 20.0, 37.0))
    one = measurer.measure_from(place, outward)
    two = measurer.measure_from(place - deeper * outward, outward)
    assert two.length_mm == pytest.approx(one.length_mm + deeper)
    assert two.entry_mm == pytest.approx(one.entry_mm)
    assert two.tip_mm == pytest.approx(place - deeper * outward)


def test_a_tip_outside_the_body_measures_nothing():
    measurer = Measurer(ball_scene(), REQUEST.needle_assembly)
    outward = np.subtract(at(*FRONT), at(*MIDDLE))
    assert measurer.measure_from(np.array(at(*OUTSIDE)), outward) is None


# Search fields with another target


def test_with_its_own_target_the_search_fields_stay_the_same(fields):
    scene = ball_scene()
    again = with_target(fields, scene.target, scene.grid, REQUEST.search.field_resolution_mm)
    for name, one, two in zip(fields._fields, fields, again, strict=True):
        assert np.array_equal(one, two), name


def test_with_the_ptv_as_target_the_search_fields_are_those_of_a_scene_with_that_target(fields):
    scene: Scene = ball_scene()
    ptv = ptv_of(scene, REQUEST.target)
    aimed = with_target(fields, ptv, scene.grid, REQUEST.search.field_resolution_mm)
    other = search_fields(replace(scene, target=ptv), replace(REQUEST, target=replace(REQUEST.target)))
    for name in ("target", "near_target", "near_target_lower", "near_target_step", "obstacle", "body"):
        assert np.array_equal(getattr(aimed, name), getattr(other, name)), name
    assert aimed.target_first_V == other.target_first_V
    # Lung beside the target is lung still.
    assert np.array_equal(aimed.tissue, fields.tissue)


# Wording


def said(**changes: object) -> str:
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


def test_a_message_names_each_goal_that_is_missed_with_what_was_asked_for():
    message = said(reachable_percent=100.0)
    assert "V200 of PTV 31.00 %, at most 30 % asked for" in message
    assert "D90 of PTV" not in message
    assert "pull against each other" in message


def test_a_message_says_what_limits_the_dose():
    few = replace(ASKED, needle_set=NeedleSetRequest(max_needles=2))
    message = said(reachable_percent=80.0, request=few)
    assert "within 5 mm of 80 % of the PTV only" in message
    assert "No more than 2 needles were allowed." in message
    assert "pull against" not in message


def test_why_nothing_is_added_is_said_as_it_is():
    cold, hot, _ = a_dose().goals
    cold, hot = replace(cold, met=False), replace(hot, met=False)
    found = a_needle_set()
    bare = replace(found, seeds=tuple(s for s in found.seeds if s.path_id is None), reachable_percent=100.0)
    (too_hot,) = limited_by(ASKED, bare, [hot])
    assert "hotter than asked for" in too_hot
    (nothing,) = limited_by(ASKED, replace(bare, reachable_percent=0.0), [cold])
    assert nothing == "No track was found along which a seed could be added."
    only = replace(ASKED, needle_set=NeedleSetRequest(max_needles=1))
    one = replace(bare, path_ids=bare.path_ids[:1])
    assert limited_by(only, one, [cold]) == ["No more than 1 needle was allowed."]
    for missed in ([cold], [cold, hot]):
        (no_help,) = limited_by(ASKED, bare, missed)
        assert "No seed was found along the tracks there are" in no_help


def test_cold_and_hot_goals_missed_together_are_said_to_pull():
    cold, hot, _ = a_dose().goals
    missed = [replace(cold, met=False), hot]
    assert "pull against each other" in limited_by(ASKED, a_needle_set(), missed)[-1]
    (only,) = limited_by(ASKED, replace(a_needle_set(), reachable_percent=99.0), missed[:1])
    assert "stronger" in only
