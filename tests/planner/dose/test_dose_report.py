from dataclasses import replace
from math import log
from types import MappingProxyType

import numpy as np
import pytest
from ball_plans import REQUEST, ball_plan, ball_scene
from box_scenes import grid_of

from anatomy.geometry.masks import VoxelMask, mask_from_bool
from planner.dose.dosimetry import ORGAN_STEP_MM, Dosimetry, organ_dose, volume_dose
from planner.dose.goals import goal_results
from planner.dose.ptv import ptv_of
from planner.dose.report import SHOWN_PART, dose_report
from planner.dose.tg43.seed_dose import seed_dose
from planner.errors import RequestError
from planner.records.dose import MEDIUM, DoseReport, OrganDose
from planner.records.request.given import GivenSeed
from planner.records.request.prescription import BedRequest, Goals, OrganGoal, Prescription, PriorExternal
from planner.records.request.seeds import SeedRequest


@pytest.fixture(scope="module")
def ptv() -> VoxelMask:
    return ptv_of(ball_scene(), REQUEST.target)


def seeds_of_plan() -> list[GivenSeed]:
    return [GivenSeed(s.position_mm, s.axis) for s in ball_plan().needle_set.seeds]


def report_of(
    ptv: VoxelMask, *, activity_mci: float = 0.6, seeds: object = None, **prescription_fields: object
) -> DoseReport:
    prescription = Prescription(**prescription_fields)
    placed = seeds_of_plan() if seeds is None else seeds
    dose = seed_dose(SeedRequest(activity_mci=activity_mci))
    return dose_report(ball_scene(), prescription, ptv, dose, placed)


@pytest.fixture(scope="module")
def plan_report(ptv) -> DoseReport:
    return report_of(ptv)


def doses_at_random(mask: VoxelMask, count: int) -> np.ndarray:
    """The dose of the plan's seeds at random points of a mask, uniform over its voxels."""
    rng = np.random.default_rng(9)
    grid = ball_scene().grid
    index = np.argwhere(mask.cropped()) + np.array(mask.lower)
    points_V = index[rng.integers(len(index), size=count)] + rng.uniform(-0.5, 0.5, (count, 3))
    return seed_dose(SeedRequest()).total(grid.to_patient(points_V * grid.spacing_mm), seeds_of_plan())


def test_doses_and_volumes_agree_with_random_points(plan_report, ptv):
    for stated, mask in ((plan_report.target, ptv), (plan_report.gtv, ball_scene().target)):
        dose = doses_at_random(mask, 100_000)
        assert stated.d90_gy == pytest.approx(np.percentile(dose, 10), rel=0.01)
        for percent, factor in (
            (stated.v100_percent, 1.0),
            (stated.v150_percent, 1.5),
            (stated.v200_percent, 2),
        ):
            assert percent == pytest.approx(100 * np.mean(dose >= 120.0 * factor), abs=0.7)
        assert stated.volume_cc == pytest.approx(mask.count * 0.008)
        assert 0.0 < stated.d100_gy < stated.d90_gy


def test_the_plan_contains_this_report(plan_report):
    stated = ball_plan().dose
    assert stated.target == plan_report.target
    assert stated.organs == plan_report.organs
    assert stated.dvh == plan_report.dvh


def test_the_report_states_medium_source_strength_and_prescription(plan_report):
    assert plan_report.medium == MEDIUM
    assert plan_report.source == "amersham_6711"
    assert plan_report.air_kerma_strength_u == pytest.approx(0.762)
    assert plan_report.prescribed_gy == 120.0


def test_twice_the_strength_is_twice_the_dose(plan_report, ptv):
    double = report_of(ptv, activity_mci=1.2, dose_gy=240.0)
    assert double.target.d90_gy == pytest.approx(2.0 * plan_report.target.d90_gy)
    assert double.target.d100_gy == pytest.approx(2.0 * plan_report.target.d100_gy)
    assert double.target.v150_percent == pytest.approx(plan_report.target.v150_percent)
    assert double.target.ci == pytest.approx(plan_report.target.ci, abs=0.01)
    for organ_or_point, doubled in zip(plan_report.organs, double.organs, strict=True):
        assert doubled.d0_1cc_gy == pytest.approx(2.0 * organ_or_point.d0_1cc_gy)
    for organ_or_point, doubled in zip(plan_report.points, double.points, strict=True):
        assert (organ_or_point.name, organ_or_point.position_mm) == (doubled.name, doubled.position_mm)
        assert doubled.dose_gy == pytest.approx(2.0 * organ_or_point.dose_gy)


def test_histograms_fall_and_agree_with_the_stated_volumes(plan_report):
    assert [c.structure for c in plan_report.dvh][:2] == ["PTV", "GTV"]
    for curve in plan_report.dvh:
        assert (curve.dose_gy[0], curve.volume_percent[0]) == (0.0, pytest.approx(100.0))
        assert all(a >= b for a, b in zip(curve.volume_percent[:-1], curve.volume_percent[1:], strict=True))
    ptv = dict(zip(plan_report.dvh[0].dose_gy, plan_report.dvh[0].volume_percent, strict=True))
    assert ptv[120.0] == plan_report.target.v100_percent
    assert ptv[180.0] == plan_report.target.v150_percent
    shown = {c.structure for c in plan_report.dvh[2:]}
    assert shown == {o.structure for o in plan_report.organs if o.d0_1cc_gy >= SHOWN_PART * 120.0}


def test_a_smaller_hottest_part_of_an_organ_has_a_higher_dose(plan_report):
    assert {o.structure for o in plan_report.organs} == {"aorta", "lung_upper_lobe_left"}
    for organ in plan_report.organs:
        assert organ.d0_1cc_gy > organ.d1cc_gy > organ.d2cc_gy > 0.0


def test_named_points_state_the_dose_at_their_position(plan_report):
    positions = np.array([p.position_mm for p in plan_report.points])
    doses = seed_dose(SeedRequest()).total(positions, seeds_of_plan())
    assert [p.dose_gy for p in plan_report.points] == pytest.approx(doses.tolist())
    coldest, _ = plan_report.points[:2]
    assert coldest.name == "coldest sample of the PTV"
    assert coldest.dose_gy == pytest.approx(plan_report.target.d100_gy)


def test_the_bed_of_d90_follows_from_its_dose(plan_report, ptv):
    d = plan_report.target.d90_gy
    mu, decay = log(2) / 1.5 * 24, log(2) / 59.4
    expected = d * (1.0 + d * decay / ((mu + decay) * 10.0))
    assert plan_report.bed.target_d90_gy == pytest.approx(expected, rel=1e-4)
    assert plan_report.bed.target_d90_eqd2_gy == pytest.approx(expected / 1.2, rel=1e-4)
    assert plan_report.bed.external_target_gy == 0.0
    with_beams = report_of(ptv, prior_external=PriorExternal(60.0, 30))
    assert with_beams.bed.external_target_gy == pytest.approx(60.0 * 1.2)
    assert with_beams.bed.external_organ_gy == pytest.approx(60.0 * (1.0 + 2.0 / 3.0))
    assert with_beams.bed.target_d90_gy == pytest.approx(expected + 72.0, rel=1e-4)
    assert with_beams.target == plan_report.target


def test_an_unknown_protocol_is_refused(ptv):
    with pytest.raises(RequestError, match="RTOG_9999"):
        report_of(ptv, bed=BedRequest(protocols=("RTOG_9999",)))


def test_without_seeds_there_is_no_dose(ptv):
    empty_report = report_of(ptv, seeds=[])
    assert (empty_report.target.d90_gy, empty_report.target.v100_percent, empty_report.target.ei) == (
        0.0,
        0.0,
        0.0,
    )
    assert empty_report.target.hi is None
    assert len(empty_report.dvh) == 2
    assert not any(g.met for g in empty_report.goals if g.at_least)


def test_a_seed_without_an_axis_counts_too(plan_report, ptv):
    without_axes = report_of(ptv, seeds=[replace(s, axis=None) for s in seeds_of_plan()])
    assert without_axes.target.d90_gy == pytest.approx(plan_report.target.d90_gy, rel=0.1)
    assert without_axes.target != plan_report.target


def test_a_goal_is_met_at_exactly_its_value():
    target = ball_plan().dose.target
    exact = Goals(target.d90_gy, target.v100_percent, target.v150_percent, target.v200_percent)
    # An organ smaller than 2 cc is judged by its D1cc, which is not lower.
    organs = (OrganDose("aorta", 1.5, 90.0, 60.0, None), OrganDose("spine", 0.5, 4.0, None, None))
    organ_goals = MappingProxyType({"aorta": OrganGoal(90.0, 59.0, 60.0), "spine": OrganGoal(d1cc_gy=3.0)})
    results = goal_results(Prescription(120.0, exact, organ_goals), target, organs)
    assert [r.met for r in results] == [True, True, True, True, True, False, True, False]
    assert [r.reached for r in results[4:]] == [90.0, 60.0, 60.0, 4.0]
    stricter = replace(exact, d90_gy=target.d90_gy + 1e-6, v150_percent=target.v150_percent - 1e-6)
    assert [r.met for r in goal_results(Prescription(120.0, stricter), target, ())] == [
        False, True, False, True,
    ]  # fmt: skip


def test_volume_inside_seeds_counts_as_hot_and_no_stated_dose_is_from_inside(ptv):
    seeds = seeds_of_plan()
    samples, target = Dosimetry(ball_scene(), seed_dose(SeedRequest()), seeds).target(ptv, 120.0)
    assert np.isinf(samples.doses_gy).any()
    assert np.isfinite([target.d90_gy, target.d100_gy]).all()
    assert volume_dose(samples, 120.0).v100_percent == target.v100_percent


def test_the_hottest_part_of_a_distant_organ_is_sampled_finely() -> None:
    """Voxels of 3 mm, far from the only seed: one sample for each would miss the corner next to it."""
    scene = replace(ball_scene(), grid=grid_of(ball_scene().grid.shape, (3.0, 3.0, 3.0)))
    inside = np.zeros(scene.grid.shape, bool)
    inside[20:34, 20:34, 20:34] = True
    seed = GivenSeed((18.0, 18.0, 18.0), (0.0, 0.0, 1.0))
    amersham = seed_dose(SeedRequest())
    sampled = Dosimetry(scene, amersham, [seed]).of("organ", mask_from_bool(inside), ORGAN_STEP_MM)
    stated = organ_dose(sampled)
    fine = 60.0 - 1.5 + (np.moveaxis(np.indices((60, 60, 60)), 0, -1).reshape(-1, 3) + 0.5) * 0.3
    doses = np.sort(amersham.total(scene.grid.to_patient(fine), [seed]))[::-1]
    for cc, dose in ((0.1, stated.d0_1cc_gy), (1.0, stated.d1cc_gy), (2.0, stated.d2cc_gy)):
        assert dose == pytest.approx(doses[int(cc * 1000.0 / 0.3**3)], rel=0.01)
    assert sampled.points.volume_mm3 == pytest.approx(inside.sum() * 27.0)
