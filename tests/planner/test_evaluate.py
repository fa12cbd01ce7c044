from dataclasses import replace
from itertools import combinations
from types import MappingProxyType

import numpy as np
import pytest
from ball_plans import ball_plan, ball_scene

from anatomy.scene import Scene
from planner.dose.ptv import ptv_of
from planner.dose.tg43.seed_dose import seed_dose
from planner.errors import RequestError
from planner.evaluate import evaluate_implant
from planner.records.dose import GoalResult
from planner.records.followup import EVALUATION_SCHEMA, MIN_SPOT_CC, Evaluation
from planner.records.plan import Status
from planner.records.request.given import GivenSeed
from planner.records.request.point import Point
from planner.records.request.prescription import Goals, OrganGoal
from planner.records.request.seeds import SeedRequest
from planner.records.wording.followup import NOT_COMPARED, implant_outcome


def planned_seeds() -> tuple[GivenSeed, ...]:
    return tuple(GivenSeed(s.position_mm, s.axis) for s in ball_plan().needle_set.seeds)


def evaluated(seeds: tuple[GivenSeed, ...]) -> Evaluation:
    return evaluate_implant(ball_scene(), ball_plan(), "ab" * 32, seeds)


def two_thirds() -> tuple[GivenSeed, ...]:
    return tuple(s for n, s in enumerate(planned_seeds()) if n % 3)


@pytest.fixture(scope="module")
def as_planned() -> Evaluation:
    return evaluated(planned_seeds())


@pytest.fixture(scope="module")
def lacking() -> Evaluation:
    return evaluated(two_thirds())


def cold_voxels(scene: Scene, seeds: tuple[GivenSeed, ...], prescribed_gy: float) -> dict:
    """Dose of every voxel of the PTV whose centre gets less than prescribed, by its index."""
    ptv = ptv_of(scene, ball_plan().request.target)
    index = np.argwhere(ptv.layer == ptv.label)
    doses = seed_dose(SeedRequest()).total(scene.grid.to_patient(index * scene.grid.spacing_mm), seeds)
    return {tuple(i.tolist()): float(d) for i, d in zip(index, doses, strict=True) if d < prescribed_gy}


def regions(voxels: dict) -> list[dict]:
    """Parts that hang together by faces, filled one by one."""
    left, found = dict(voxels), []
    while left:
        first = next(iter(left))
        part, edge = {first: left.pop(first)}, [first]
        while edge:
            i, j, k = edge.pop()
            for near in (
                (i - 1, j, k),
                (i + 1, j, k),
                (i, j - 1, k),
                (i, j + 1, k),
                (i, j, k - 1),
                (i, j, k + 1),
            ):
                if near in left:
                    part[near] = left.pop(near)
                    edge.append(near)
        found.append(part)
    return found


def test_the_planned_seeds_as_found_give_the_planned_dose_and_need_no_supplement(as_planned):
    planned = ball_plan().dose.target
    assert as_planned.achieved.target.d90_gy == pytest.approx(planned.d90_gy, abs=0.1)
    assert as_planned.achieved.target.v100_percent == pytest.approx(planned.v100_percent, abs=0.1)
    assert as_planned.planned == planned
    assert as_planned.supplement is None
    assert as_planned.outcome.status is Status.PLANNED
    assert as_planned.achieved.seeds_found == len(planned_seeds())
    assert as_planned.achieved.seeds_outside_ptv == 0
    assert (as_planned.schema, as_planned.plan_sha256) == (EVALUATION_SCHEMA, "ab" * 32)


def test_the_order_in_which_seeds_are_found_never_matters(as_planned):
    assert evaluated(planned_seeds()[::-1]) == as_planned


def test_fewer_seeds_give_less_everywhere(as_planned, lacking):
    less, more = lacking.achieved.target, as_planned.achieved.target
    assert less.d90_gy < 120.0 <= more.d90_gy
    assert less.d100_gy <= more.d100_gy
    assert less.v100_percent < more.v100_percent
    assert lacking.achieved.gtv.d90_gy < as_planned.achieved.gtv.d90_gy


@pytest.mark.parametrize("which", ["as_planned", "lacking"])
def test_cold_spots_are_the_cold_voxels_that_hang_together_the_largest_first(which, request):
    seeds = planned_seeds() if which == "as_planned" else two_thirds()
    spots = request.getfixturevalue(which).achieved.cold_spots
    grid = ball_scene().grid
    expected = [r for r in regions(cold_voxels(ball_scene(), seeds, 120.0)) if len(r) * 0.008 >= MIN_SPOT_CC]
    assert sum(s.volume_cc for s in spots) == pytest.approx(sum(map(len, expected)) * 0.008)
    assert sorted(s.volume_cc for s in spots) == pytest.approx(sorted(len(r) * 0.008 for r in expected))
    assert [s.volume_cc for s in spots] == sorted((s.volume_cc for s in spots), reverse=True)
    for spot in spots:
        (region,) = [r for r in expected if min(r.values()) == pytest.approx(spot.least_dose_gy)]
        coldest = np.array(min(region, key=region.__getitem__))
        assert spot.least_at_mm == pytest.approx(grid.to_patient(coldest * grid.spacing_mm))
        middle = np.mean(list(region), axis=0)
        assert spot.centre_mm == pytest.approx(grid.to_patient(middle * grid.spacing_mm))


def test_the_supplement_keeps_the_seeds_found_and_brings_d90_back(lacking):
    supplement = lacking.supplement
    assert supplement.dose.target.d90_gy >= 120.0
    assert lacking.outcome.status is Status.PLANNED
    found = [s.position_mm for s in supplement.needle_set.seeds if s.path_id is None]
    assert found == sorted(s.position_mm for s in two_thirds())
    assert f"D90 of PTV {lacking.achieved.target.d90_gy:.2f} Gy" in lacking.outcome.message
    assert f"bring D90 to {supplement.dose.target.d90_gy:.1f} Gy" in lacking.outcome.message
    assert supplement.verification.passed


def test_the_message_says_when_the_supplement_is_not_enough_or_there_is_none(lacking):
    missed = [GoalResult("PTV", "d90_gy", True, 500.0, lacking.achieved.target.d90_gy, False)]
    achieved = replace(lacking.achieved, goals=tuple(missed))
    still = replace(lacking.supplement, dose=replace(lacking.supplement.dose, goals=tuple(missed)))
    short = implant_outcome(achieved, still)
    assert (short.status, "still not met: D90 of PTV" in short.message) == (Status.GOALS_NOT_MET, True)
    nothing = replace(lacking.supplement, needle_set=None, dose=None)
    none = implant_outcome(achieved, nothing)
    assert none.status is Status.GOALS_NOT_MET
    assert NOT_COMPARED in none.message and NOT_COMPARED not in short.message


def test_what_was_found_is_said_before_what_would_be_added_and_its_harm(lacking):
    over = next(n for n in lacking.supplement.dose.bed.limits if n.limit_bed_gy is not None)
    over = replace(over, met=False, structure="aorta", achieved_bed_gy=500.0, achieved_cc=3.0, doubts=())
    bed = replace(lacking.supplement.dose.bed, limits=(over,))
    harmful = replace(lacking.supplement, dose=replace(lacking.supplement.dose, bed=bed))
    message = implant_outcome(lacking.achieved, harmful).message
    told = ["Goals not met: D90 of PTV ", "bring D90 to ", "With these added: Organ limits exceeded: "]
    places = [message.find(words) for words in told]
    assert places[0] == 0 and -1 not in places and places == sorted(places)


def test_of_one_it_is_spoken_as_of_one(lacking):
    needles = lacking.supplement.needle_set
    added = [s for s in needles.seeds if s.path_id is not None]
    fewer = replace(needles, path_ids=needles.path_ids[:1], seeds=tuple(added[:1]))
    one = replace(lacking.achieved, cold_spots=lacking.achieved.cold_spots[:1], seed_pairs_near=1)
    message = implant_outcome(one, replace(lacking.supplement, needle_set=fewer)).message
    # A seed counted twice makes all that follows too good.
    assert message.startswith("1 pair of seeds lies nearer ")
    for said in (" 1 cold spot. ", " 1 seed on 1 needle brings "):
        assert said in message
    none = implant_outcome(replace(one, cold_spots=()), lacking.supplement).message
    assert " No cold spot of 0.02 cc or more. " in none


def test_where_no_seed_is_added_none_is_said_to_help(lacking):
    given = tuple(s for s in lacking.supplement.needle_set.seeds if s.path_id is None)
    bare = replace(lacking.supplement.needle_set, path_ids=(), seeds=given)
    message = implant_outcome(lacking.achieved, replace(lacking.supplement, needle_set=bare)).message
    words = "No seed was found along the tracks there are that brings the goals nearer."
    assert words in message and "bring D90" not in message
    # The dose of nothing added is that of what was found.
    assert NOT_COMPARED not in message
    over = replace(lacking.supplement.dose.bed.limits[0], met=False, structure="aorta", limit_bed_gy=9.0)
    over = replace(over, achieved_bed_gy=500.0, achieved_cc=3.0, doubts=())
    dose = replace(lacking.supplement.dose, bed=replace(lacking.supplement.dose.bed, limits=(over,)))
    harmful = replace(lacking.supplement, needle_set=bare, dose=dose)
    assert implant_outcome(lacking.achieved, harmful).message.startswith("Organ limits exceeded: ")


@pytest.mark.long
def test_what_lacks_coverage_alone_is_brought_back_too():
    """D90 is reached and V100 is not: what is missing is cold, so seeds help."""
    plain = ball_plan()
    reached = evaluated(planned_seeds()).achieved.target
    goals = Goals(d90_gy=50.0, v100_percent=min(100.0, reached.v100_percent + 1.0))
    asked = replace(plain.request, prescription=replace(plain.request.prescription, goals=goals))
    evaluation = evaluate_implant(ball_scene(), replace(plain, request=asked), "ab" * 32, planned_seeds())
    assert evaluation.achieved.target.d90_gy >= 50.0 and evaluation.supplement is not None
    assert evaluation.supplement.dose.target.v100_percent > reached.v100_percent


def test_an_organ_that_gets_more_than_its_goal_is_told():
    plain = ball_plan()
    goal = MappingProxyType({"aorta": OrganGoal(d0_1cc_gy=0.5)})
    asked = replace(plain.request, prescription=replace(plain.request.prescription, organ_goals=goal))
    evaluation = evaluate_implant(ball_scene(), replace(plain, request=asked), "ab" * 32, planned_seeds())
    assert (
        evaluation.outcome.status is Status.GOALS_NOT_MET and "D0.1cc of aorta" in evaluation.outcome.message
    )


def test_too_many_seeds_are_told_and_none_are_proposed():
    aside = tuple(GivenSeed(tuple((np.array(s.position_mm) + 1.5).tolist()), None) for s in planned_seeds())
    hot = evaluated((*planned_seeds(), *aside))
    assert hot.supplement is None
    assert hot.outcome.status is Status.GOALS_NOT_MET
    assert "V150 of PTV" in hot.outcome.message
    every = [np.array(s.position_mm) for s in (*planned_seeds(), *aside)]
    near = sum(np.linalg.norm(a - b) < 4.5 for a, b in combinations(every, 2))
    assert near >= len(aside) and f"{near} pairs of seeds lie nearer" in hot.outcome.message
    assert "Seeds cannot be taken out" in hot.outcome.message


def test_seeds_outside_the_ptv_are_counted():
    far = GivenSeed(at(41.0, 8.0, 37.0))
    assert evaluated((*planned_seeds(), far)).achieved.seeds_outside_ptv == 1


def at(*p_B: float) -> Point:
    x, y, z = ball_scene().grid.to_patient(np.array(p_B)).tolist()
    return (x, y, z)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (GivenSeed(at(1.0, 1.0, 1.0)), "outside the body"),
        (GivenSeed(at(41.0, -200.0, 37.0)), "outside the body"),
        (GivenSeed(at(41.0, -900.0, 37.0)), "300 mm from the target"),
    ],
)
def test_a_seed_that_cannot_be_where_it_is_said_to_be_is_refused(more, words):
    with pytest.raises(RequestError) as caught:
        evaluated((*planned_seeds(), more))
    assert f"seeds/{len(planned_seeds())}/position_mm" in str(caught.value)
    assert words in str(caught.value)


def test_two_seeds_at_one_place_are_refused():
    first = planned_seeds()[2]
    with pytest.raises(RequestError, match=r"0\.00 mm from seed 2, nearer than a seed is thick"):
        evaluated((*planned_seeds(), replace(first, axis=None)))


def test_no_seeds_at_all_and_a_plan_without_prescription_are_refused():
    with pytest.raises(RequestError, match="no seed is given"):
        evaluated(())
    bare = replace(ball_plan(), request=replace(ball_plan().request, prescription=None))
    with pytest.raises(RequestError, match="the plan has none"):
        evaluate_implant(ball_scene(), bare, "ab" * 32, planned_seeds())
