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


def evaluation_of(seeds: tuple[GivenSeed, ...]) -> Evaluation:
    return evaluate_implant(ball_scene(), ball_plan(), "ab" * 32, seeds)


def two_thirds() -> tuple[GivenSeed, ...]:
    return tuple(s for n, s in enumerate(planned_seeds()) if n % 3)


@pytest.fixture(scope="module")
def planned_evaluation() -> Evaluation:
    return evaluation_of(planned_seeds())


@pytest.fixture(scope="module")
def evaluation_with_loss() -> Evaluation:
    return evaluation_of(two_thirds())


def cold_voxels(scene: Scene, seeds: tuple[GivenSeed, ...], prescribed_gy: float) -> dict:
    """Dose at the centre of every PTV voxel that gets less than prescribed, by voxel index."""
    ptv = ptv_of(scene, ball_plan().request.target)
    index = np.argwhere(ptv.layer == ptv.label)
    doses = seed_dose(SeedRequest()).total(scene.grid.to_patient(index * scene.grid.spacing_mm), seeds)
    return {tuple(i.tolist()): float(d) for i, d in zip(index, doses, strict=True) if d < prescribed_gy}


def face_connected_regions(voxels: dict) -> list[dict]:
    """The face-connected parts of the voxels, by flood fill."""
    remaining, parts = dict(voxels), []
    while remaining:
        first = next(iter(remaining))
        part, frontier = {first: remaining.pop(first)}, [first]
        while frontier:
            i, j, k = frontier.pop()
            for neighbour in (
                (i - 1, j, k),
                (i + 1, j, k),
                (i, j - 1, k),
                (i, j + 1, k),
                (i, j, k - 1),
                (i, j, k + 1),
            ):
                if neighbour in remaining:
                    part[neighbour] = remaining.pop(neighbour)
                    frontier.append(neighbour)
        parts.append(part)
    return parts


def test_seeds_at_their_planned_positions_give_the_planned_dose_without_supplement(planned_evaluation):
    planned_dose = ball_plan().dose.target
    assert planned_evaluation.achieved.target.d90_gy == pytest.approx(planned_dose.d90_gy, abs=0.1)
    assert planned_evaluation.achieved.target.v100_percent == pytest.approx(
        planned_dose.v100_percent, abs=0.1
    )
    assert planned_evaluation.planned == planned_dose
    assert planned_evaluation.supplement is None
    assert planned_evaluation.outcome.status is Status.PLANNED
    assert planned_evaluation.achieved.seeds_found == len(planned_seeds())
    assert planned_evaluation.achieved.seeds_outside_ptv == 0
    assert (planned_evaluation.schema, planned_evaluation.plan_sha256) == (EVALUATION_SCHEMA, "ab" * 32)


def test_the_order_of_found_seeds_does_not_matter(planned_evaluation):
    assert evaluation_of(planned_seeds()[::-1]) == planned_evaluation


def test_fewer_seeds_give_lower_doses(planned_evaluation, evaluation_with_loss):
    reduced, full = evaluation_with_loss.achieved.target, planned_evaluation.achieved.target
    assert reduced.d90_gy < 120.0 <= full.d90_gy
    assert reduced.d100_gy <= full.d100_gy
    assert reduced.v100_percent < full.v100_percent
    assert evaluation_with_loss.achieved.gtv.d90_gy < planned_evaluation.achieved.gtv.d90_gy


@pytest.mark.parametrize("name", ["planned_evaluation", "evaluation_with_loss"])
def test_cold_spots_are_connected_cold_voxels_with_the_largest_first(name, request):
    seeds = planned_seeds() if name == "planned_evaluation" else two_thirds()
    spots = request.getfixturevalue(name).achieved.cold_spots
    grid = ball_scene().grid
    expected = [
        r
        for r in face_connected_regions(cold_voxels(ball_scene(), seeds, 120.0))
        if len(r) * 0.008 >= MIN_SPOT_CC
    ]
    assert sum(s.volume_cc for s in spots) == pytest.approx(sum(map(len, expected)) * 0.008)
    assert sorted(s.volume_cc for s in spots) == pytest.approx(sorted(len(r) * 0.008 for r in expected))
    assert [s.volume_cc for s in spots] == sorted((s.volume_cc for s in spots), reverse=True)
    for spot in spots:
        (region,) = [r for r in expected if min(r.values()) == pytest.approx(spot.least_dose_gy)]
        coldest = np.array(min(region, key=region.__getitem__))
        assert spot.least_at_mm == pytest.approx(grid.to_patient(coldest * grid.spacing_mm))
        middle = np.mean(list(region), axis=0)
        assert spot.centre_mm == pytest.approx(grid.to_patient(middle * grid.spacing_mm))


def test_the_supplement_keeps_the_found_seeds_and_restores_d90(evaluation_with_loss):
    supplement = evaluation_with_loss.supplement
    assert supplement.dose.target.d90_gy >= 120.0
    assert evaluation_with_loss.outcome.status is Status.PLANNED
    positions = [s.position_mm for s in supplement.needle_set.seeds if s.path_id is None]
    assert positions == sorted(s.position_mm for s in two_thirds())
    assert (
        f"D90 of PTV {evaluation_with_loss.achieved.target.d90_gy:.2f} Gy"
        in evaluation_with_loss.outcome.message
    )
    assert f"bring D90 to {supplement.dose.target.d90_gy:.1f} Gy" in evaluation_with_loss.outcome.message
    assert supplement.verification.passed


def test_the_message_states_an_insufficient_or_missing_supplement(evaluation_with_loss):
    missed = [GoalResult("PTV", "d90_gy", True, 500.0, evaluation_with_loss.achieved.target.d90_gy, False)]
    achieved = replace(evaluation_with_loss.achieved, goals=tuple(missed))
    insufficient = replace(
        evaluation_with_loss.supplement,
        dose=replace(evaluation_with_loss.supplement.dose, goals=tuple(missed)),
    )
    outcome = implant_outcome(achieved, insufficient)
    assert (outcome.status, "still not met: D90 of PTV" in outcome.message) == (Status.GOALS_NOT_MET, True)
    empty = replace(evaluation_with_loss.supplement, needle_set=None, dose=None)
    empty_outcome = implant_outcome(achieved, empty)
    assert empty_outcome.status is Status.GOALS_NOT_MET
    assert NOT_COMPARED in empty_outcome.message and NOT_COMPARED not in outcome.message


def test_the_message_states_found_goals_then_the_supplement_then_its_harm(evaluation_with_loss):
    exceeded = next(n for n in evaluation_with_loss.supplement.dose.bed.limits if n.limit_bed_gy is not None)
    exceeded = replace(
        exceeded, met=False, structure="aorta", achieved_bed_gy=500.0, achieved_cc=3.0, doubts=()
    )
    bed = replace(evaluation_with_loss.supplement.dose.bed, limits=(exceeded,))
    harmful = replace(
        evaluation_with_loss.supplement, dose=replace(evaluation_with_loss.supplement.dose, bed=bed)
    )
    message = implant_outcome(evaluation_with_loss.achieved, harmful).message
    parts = ["Goals not met: D90 of PTV ", "bring D90 to ", "With these added: Organ limits exceeded: "]
    positions = [message.find(part) for part in parts]
    assert positions[0] == 0 and -1 not in positions and positions == sorted(positions)


def test_a_single_cold_spot_or_seed_has_the_singular(evaluation_with_loss):
    needles = evaluation_with_loss.supplement.needle_set
    added = [s for s in needles.seeds if s.path_id is not None]
    one_needle = replace(needles, path_ids=needles.path_ids[:1], seeds=tuple(added[:1]))
    achieved = replace(
        evaluation_with_loss.achieved,
        cold_spots=evaluation_with_loss.achieved.cold_spots[:1],
        seed_pairs_near=1,
    )
    message = implant_outcome(
        achieved, replace(evaluation_with_loss.supplement, needle_set=one_needle)
    ).message
    # A seed counted twice makes all following values too good, so it comes first.
    assert message.startswith("1 pair of seeds lies nearer ")
    for phrase in (" 1 cold spot. ", " 1 seed on 1 needle brings "):
        assert phrase in message
    message_without_spots = implant_outcome(
        replace(achieved, cold_spots=()), evaluation_with_loss.supplement
    ).message
    assert " No cold spot of 0.02 cc or more. " in message_without_spots


def test_without_an_added_seed_the_message_claims_no_improvement(evaluation_with_loss):
    given_seeds = tuple(s for s in evaluation_with_loss.supplement.needle_set.seeds if s.path_id is None)
    given_only = replace(evaluation_with_loss.supplement.needle_set, path_ids=(), seeds=given_seeds)
    message = implant_outcome(
        evaluation_with_loss.achieved, replace(evaluation_with_loss.supplement, needle_set=given_only)
    ).message
    sentence = "No seed was found along the tracks there are that brings the goals nearer."
    assert sentence in message and "bring D90" not in message
    # Without added seeds, the dose is that of the found seeds.
    assert NOT_COMPARED not in message
    exceeded = replace(
        evaluation_with_loss.supplement.dose.bed.limits[0], met=False, structure="aorta", limit_bed_gy=9.0
    )
    exceeded = replace(exceeded, achieved_bed_gy=500.0, achieved_cc=3.0, doubts=())
    dose = replace(
        evaluation_with_loss.supplement.dose,
        bed=replace(evaluation_with_loss.supplement.dose.bed, limits=(exceeded,)),
    )
    harmful = replace(evaluation_with_loss.supplement, needle_set=given_only, dose=dose)
    assert implant_outcome(evaluation_with_loss.achieved, harmful).message.startswith(
        "Organ limits exceeded: "
    )


@pytest.mark.long
def test_missing_coverage_alone_is_restored_too():
    """D90 is reached and V100 is not, so more seeds help."""
    plan = ball_plan()
    reached = evaluation_of(planned_seeds()).achieved.target
    goals = Goals(d90_gy=50.0, v100_percent=min(100.0, reached.v100_percent + 1.0))
    request = replace(plan.request, prescription=replace(plan.request.prescription, goals=goals))
    evaluation = evaluate_implant(ball_scene(), replace(plan, request=request), "ab" * 32, planned_seeds())
    assert evaluation.achieved.target.d90_gy >= 50.0 and evaluation.supplement is not None
    assert evaluation.supplement.dose.target.v100_percent > reached.v100_percent


def test_an_organ_above_its_goal_is_reported():
    plan = ball_plan()
    goal = MappingProxyType({"aorta": OrganGoal(d0_1cc_gy=0.5)})
    request = replace(plan.request, prescription=replace(plan.request.prescription, organ_goals=goal))
    evaluation = evaluate_implant(ball_scene(), replace(plan, request=request), "ab" * 32, planned_seeds())
    assert (
        evaluation.outcome.status is Status.GOALS_NOT_MET and "D0.1cc of aorta" in evaluation.outcome.message
    )


def test_too_many_seeds_are_reported_and_none_are_proposed():
    shifted_seeds = tuple(
        GivenSeed(tuple((np.array(s.position_mm) + 1.5).tolist()), None) for s in planned_seeds()
    )
    evaluation = evaluation_of((*planned_seeds(), *shifted_seeds))
    assert evaluation.supplement is None
    assert evaluation.outcome.status is Status.GOALS_NOT_MET
    assert "V150 of PTV" in evaluation.outcome.message
    positions = [np.array(s.position_mm) for s in (*planned_seeds(), *shifted_seeds)]
    close_count = sum(np.linalg.norm(a - b) < 4.5 for a, b in combinations(positions, 2))
    assert (
        close_count >= len(shifted_seeds)
        and f"{close_count} pairs of seeds lie nearer" in evaluation.outcome.message
    )
    assert "Seeds cannot be taken out" in evaluation.outcome.message


def test_seeds_outside_the_ptv_are_counted():
    far = GivenSeed(point_P(41.0, 8.0, 37.0))
    assert evaluation_of((*planned_seeds(), far)).achieved.seeds_outside_ptv == 1


def point_P(*p_B: float) -> Point:
    x, y, z = ball_scene().grid.to_patient(np.array(p_B)).tolist()
    return (x, y, z)


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        (GivenSeed(point_P(1.0, 1.0, 1.0)), "outside the body"),
        (GivenSeed(point_P(41.0, -200.0, 37.0)), "outside the body"),
        (GivenSeed(point_P(41.0, -900.0, 37.0)), "300 mm from the target"),
    ],
)
def test_a_seed_at_an_impossible_position_is_refused(seed, message):
    with pytest.raises(RequestError) as error:
        evaluation_of((*planned_seeds(), seed))
    assert f"seeds/{len(planned_seeds())}/position_mm" in str(error.value)
    assert message in str(error.value)


def test_two_seeds_at_one_position_are_refused():
    first = planned_seeds()[2]
    with pytest.raises(RequestError, match=r"0\.00 mm from seed 2, nearer than a seed is thick"):
        evaluation_of((*planned_seeds(), replace(first, axis=None)))


def test_no_seeds_at_all_and_a_plan_without_prescription_are_refused():
    with pytest.raises(RequestError, match="no seed is given"):
        evaluation_of(())
    without_prescription = replace(ball_plan(), request=replace(ball_plan().request, prescription=None))
    with pytest.raises(RequestError, match="the plan has none"):
        evaluate_implant(ball_scene(), without_prescription, "ab" * 32, planned_seeds())
