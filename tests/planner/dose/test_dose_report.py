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


def report(ptv: VoxelMask, *, mci: float = 0.6, seeds: object = None, **asked: object) -> DoseReport:
    prescription = Prescription(**asked)
    given = seeds_of_plan() if seeds is None else seeds
    dose = seed_dose(SeedRequest(activity_mci=mci))
    return dose_report(ball_scene(), prescription, ptv, dose, given)


@pytest.fixture(scope="module")
def plain(ptv) -> DoseReport:
    return report(ptv)


def at_random(mask: VoxelMask, count: int) -> np.ndarray:
    """The dose of the plan's seeds at places all over a mask, each voxel as often as any other."""
    rng = np.random.default_rng(9)
    grid = ball_scene().grid
    index = np.argwhere(mask.cropped()) + np.array(mask.lower)
    place = index[rng.integers(len(index), size=count)] + rng.uniform(-0.5, 0.5, (count, 3))
    return seed_dose(SeedRequest()).total(grid.to_patient(place * grid.spacing_mm), seeds_of_plan())


def test_dose_and_volumes_are_those_of_places_at_random(plain, ptv):
    for stated, mask in ((plain.target, ptv), (plain.gtv, ball_scene().target)):
        dose = at_random(mask, 100_000)
        assert stated.d90_gy == pytest.approx(np.percentile(dose, 10), rel=0.01)
        for percent, times in (
            (stated.v100_percent, 1.0),
            (stated.v150_percent, 1.5),
            (stated.v200_percent, 2),
        ):
            assert percent == pytest.approx(100 * np.mean(dose >= 120.0 * times), abs=0.7)
        assert stated.volume_cc == pytest.approx(mask.count * 0.008)
        assert 0.0 < stated.d100_gy < stated.d90_gy


def test_the_plan_states_this_very_report(plain):
    stated = ball_plan().dose
    assert stated.target == plain.target
    assert stated.organs == plain.organs
    assert stated.dvh == plain.dvh


def test_the_report_says_what_its_dose_is(plain):
    assert plain.medium == MEDIUM
    assert plain.source == "amersham_6711"
    assert plain.air_kerma_strength_u == pytest.approx(0.762)
    assert plain.prescribed_gy == 120.0


def test_twice_the_strength_is_twice_the_dose(plain, ptv):
    double = report(ptv, mci=1.2, dose_gy=240.0)
    assert double.target.d90_gy == pytest.approx(2.0 * plain.target.d90_gy)
    assert double.target.d100_gy == pytest.approx(2.0 * plain.target.d100_gy)
    assert double.target.v150_percent == pytest.approx(plain.target.v150_percent)
    assert double.target.ci == pytest.approx(plain.target.ci, abs=0.01)
    for one, two in zip(plain.organs, double.organs, strict=True):
        assert two.d0_1cc_gy == pytest.approx(2.0 * one.d0_1cc_gy)
    for one, two in zip(plain.points, double.points, strict=True):
        assert (one.name, one.position_mm) == (two.name, two.position_mm)
        assert two.dose_gy == pytest.approx(2.0 * one.dose_gy)


def test_histograms_fall_from_all_to_none_and_agree_with_what_is_stated(plain):
    assert [c.structure for c in plain.dvh][:2] == ["PTV", "GTV"]
    for curve in plain.dvh:
        assert (curve.dose_gy[0], curve.volume_percent[0]) == (0.0, pytest.approx(100.0))
        assert all(a >= b for a, b in zip(curve.volume_percent[:-1], curve.volume_percent[1:], strict=True))
    ptv = dict(zip(plain.dvh[0].dose_gy, plain.dvh[0].volume_percent, strict=True))
    assert ptv[120.0] == plain.target.v100_percent
    assert ptv[180.0] == plain.target.v150_percent
    shown = {c.structure for c in plain.dvh[2:]}
    assert shown == {o.structure for o in plain.organs if o.d0_1cc_gy >= SHOWN_PART * 120.0}


def test_the_hottest_part_of_an_organ_gets_more_the_smaller_it_is(plain):
    assert {o.structure for o in plain.organs} == {"aorta", "lung_upper_lobe_left"}
    for organ in plain.organs:
        assert organ.d0_1cc_gy > organ.d1cc_gy > organ.d2cc_gy > 0.0


def test_points_named_have_the_dose_that_is_there(plain):
    places = np.array([p.position_mm for p in plain.points])
    found = seed_dose(SeedRequest()).total(places, seeds_of_plan())
    assert [p.dose_gy for p in plain.points] == pytest.approx(found.tolist())
    coldest, _ = plain.points[:2]
    assert coldest.name == "coldest sample of the PTV"
    assert coldest.dose_gy == pytest.approx(plain.target.d100_gy)


def test_the_bed_of_d90_follows_from_its_dose_for_bed_rises_with_dose(plain, ptv):
    d = plain.target.d90_gy
    mu, decay = log(2) / 1.5 * 24, log(2) / 59.4
    expected = d * (1.0 + d * decay / ((mu + decay) * 10.0))
    assert plain.bed.target_d90_gy == pytest.approx(expected, rel=1e-4)
    assert plain.bed.target_d90_eqd2_gy == pytest.approx(expected / 1.2, rel=1e-4)
    assert plain.bed.external_target_gy == 0.0
    before = report(ptv, prior_external=PriorExternal(60.0, 30))
    assert before.bed.external_target_gy == pytest.approx(60.0 * 1.2)
    assert before.bed.external_organ_gy == pytest.approx(60.0 * (1.0 + 2.0 / 3.0))
    assert before.bed.target_d90_gy == pytest.approx(expected + 72.0, rel=1e-4)
    assert before.target == plain.target


def test_an_unknown_protocol_is_refused(ptv):
    with pytest.raises(RequestError, match="RTOG_9999"):
        report(ptv, bed=BedRequest(protocols=("RTOG_9999",)))


def test_without_seeds_there_is_no_dose(ptv):
    none = report(ptv, seeds=[])
    assert (none.target.d90_gy, none.target.v100_percent, none.target.ei) == (0.0, 0.0, 0.0)
    assert none.target.hi is None
    assert len(none.dvh) == 2
    assert not any(g.met for g in none.goals if g.at_least)


def test_a_seed_without_an_axis_counts_too(plain, ptv):
    without = report(ptv, seeds=[replace(s, axis=None) for s in seeds_of_plan()])
    assert without.target.d90_gy == pytest.approx(plain.target.d90_gy, rel=0.1)
    assert without.target != plain.target


def test_goals_are_met_from_what_is_asked_on():
    target = ball_plan().dose.target
    exact = Goals(target.d90_gy, target.v100_percent, target.v150_percent, target.v200_percent)
    # An organ smaller than 2 cc is held by its D1cc, which is no less.
    organs = (OrganDose("aorta", 1.5, 90.0, 60.0, None), OrganDose("spine", 0.5, 4.0, None, None))
    asked = MappingProxyType({"aorta": OrganGoal(90.0, 59.0, 60.0), "spine": OrganGoal(d1cc_gy=3.0)})
    results = goal_results(Prescription(120.0, exact, asked), target, organs)
    assert [r.met for r in results] == [True, True, True, True, True, False, True, False]
    assert [r.reached for r in results[4:]] == [90.0, 60.0, 60.0, 4.0]
    stricter = replace(exact, d90_gy=target.d90_gy + 1e-6, v150_percent=target.v150_percent - 1e-6)
    assert [r.met for r in goal_results(Prescription(120.0, stricter), target, ())] == [
        False, True, False, True,
    ]  # fmt: skip


def test_where_a_seed_is_counts_as_hot_and_no_dose_is_stated_from_inside_one(ptv):
    seeds = seeds_of_plan()
    samples, target = Dosimetry(ball_scene(), seed_dose(SeedRequest()), seeds).target(ptv, 120.0)
    assert np.isinf(samples.doses_gy).any()
    assert np.isfinite([target.d90_gy, target.d100_gy]).all()
    assert volume_dose(samples, 120.0).v100_percent == target.v100_percent


def test_the_hottest_part_of_an_organ_is_sampled_finely_however_far_it_lies() -> None:
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
