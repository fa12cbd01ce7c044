"""Limits of organs that contain the target, or a voxel of it: only a solid skin's excess may be undecided."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from box_scenes import box_mask
from hypothesis import given, settings
from hypothesis import strategies as st
from true_implants import PRESCRIPTION, REQUEST_WITH_PRESCRIPTION, needle_paths
from true_plans import SHAPE, box_patient

from anatomy.geometry.masks import VoxelMask, mask_from_bool
from planner.dose.dosimetry import Dosimetry
from planner.dose.dvh import dose_to_hottest_cc, dose_volume
from planner.dose.holding_target import holds_most
from planner.dose.organ_limits.compare import OrganSamples, Radiobiology, compare_all
from planner.dose.tg43.seed_dose import seed_dose
from planner.published_limits.tables import protocol_named
from planner.records import dose as dose_records
from planner.records.dose import BedReport
from planner.records.needle_set import PlacedSeed
from planner.records.organ_limits import Doubt, LimitComparison, LimitKind
from planner.records.request.given import GivenSeed
from planner.records.wording.organ_limits import reason_of
from planner.verify.claims import Claims
from planner.verify.dose.organ_limits.bed_model import bed_model_of
from planner.verify.dose.organ_limits.organ_limits import check_limits
from planner.verify.dose.seed_doses import seed_doses
from planner.verify.dose.tiny_organ import hottest_sample

PROTOCOL = "RTOG_0236_3fx_Dmax"
PRESCRIPTION_WITH_LIMITS = replace(
    PRESCRIPTION, prior_external=None, bed=replace(PRESCRIPTION.bed, protocols=(PROTOCOL,))
)
PATIENT = box_patient(request=REQUEST_WITH_PRESCRIPTION)
SEEDS = [
    PlacedSeed(path.id, s.position_mm, s.axis, s.depth_mm, s.retraction_mm)
    for path in needle_paths(PATIENT.scene, REQUEST_WITH_PRESCRIPTION)
    for s in path.seeds
]
BESIDE_SEEDS = ((22, 26, 15), (34, 32, 27))
"""A box beside the seeds that contains a layer of the target."""
SHELL = ((22, 24, 15), (34, 29, 27))
"""A box beside the seeds, in front of the target."""
BODY = ((8, 10, 0), (52, 50, 40))


def planner_limits(
    name: str, mask: VoxelMask, protocol: str = PROTOCOL, too_small: bool = False
) -> list[LimitComparison]:
    """The planner's comparison with one organ."""
    dose = seed_dose(REQUEST_WITH_PRESCRIPTION.seeds)
    dosimetry = Dosimetry(PATIENT.scene, dose, [GivenSeed(s.position_mm, s.axis) for s in SEEDS])
    organ_dose = dosimetry.of(name, mask, 1.0)
    holds = holds_most(mask, PATIENT.scene.target)
    organ = OrganSamples(name, organ_dose.doses_gy, organ_dose.points.weights_mm3, holds, too_small)
    radiobiology = Radiobiology(REQUEST_WITH_PRESCRIPTION.seeds.source.half_life_d)
    return list(compare_all([organ], radiobiology, protocols=[protocol_named(protocol)]))


def failed(
    limits: list[LimitComparison],
    name: str,
    mask: VoxelMask,
    protocol: str = PROTOCOL,
    stated: Sequence[dose_records.OrganDose] = (),
    too_small: Sequence[str] = (),
) -> set[str]:
    """Names of the checks that the limits fail, with the stated organ doses and the organs that are too
    small."""
    claims, source = Claims(()), REQUEST_WITH_PRESCRIPTION.seeds.source
    seeds = seed_doses(source, seed_dose(REQUEST_WITH_PRESCRIPTION.seeds).strength_u, SEEDS)
    bed = BedReport(0.0, 0.0, 0.0, 0.0, tuple(limits))
    bed_model = bed_model_of(PRESCRIPTION_WITH_LIMITS.bed, source, 0.0)
    prescription = replace(
        PRESCRIPTION_WITH_LIMITS, bed=replace(PRESCRIPTION_WITH_LIMITS.bed, protocols=(protocol,))
    )
    grid, target = PATIENT.scene.grid, PATIENT.scene.target
    check_limits(claims, prescription, bed, bed_model, {name: mask}, grid, seeds, target, stated, too_small)
    return {check.name for check in claims.verification().checks if not check.passed}


def with_excess_undecided(limit: LimitComparison) -> LimitComparison:
    """An excess left undecided, as for a solid organ that contains the target."""
    if limit.met is not False:
        return limit
    doubts = [d for d in limit.doubts if d is not Doubt.HOLDS_MORE]
    undecided = replace(limit, met=None, doubts=(*doubts, Doubt.HOLDS_TARGET), reason="")
    return replace(undecided, reason=reason_of(undecided))


@pytest.mark.parametrize(
    ("name", "box", "met"),
    [
        ("heart", BESIDE_SEEDS, False),
        ("skin_shell", SHELL, False),
        ("skin", SHELL, False),
        ("skin", BESIDE_SEEDS, False),
        ("body", BODY, None),
    ],
)
def test_an_excess_may_be_undecided_only_for_a_solid_skin(name: str, box: tuple, met: bool | None) -> None:
    mask = mask_from_bool(box_mask(SHAPE, box))
    limits = planner_limits(name, mask)
    assert [n.met for n in limits if n.structure] == [met]
    assert failed(limits, name, mask) == set()
    if met is False:
        assert "what is in doubt" in failed([with_excess_undecided(n) for n in limits], name, mask)


@pytest.mark.parametrize("factor", [0.97, 1.0, 1.3])
def test_a_maximum_is_compared_with_the_stated_organ_dose(factor: float) -> None:
    mask = mask_from_bool(box_mask(SHAPE, BESIDE_SEEDS))
    dose = seed_dose(REQUEST_WITH_PRESCRIPTION.seeds)
    samples = Dosimetry(PATIENT.scene, dose, [GivenSeed(s.position_mm, s.axis) for s in SEEDS]).of(
        "heart", mask, 1.0
    )
    point_gy = dose_to_hottest_cc(dose_volume(samples.doses_gy, samples.points.weights_mm3), 0.1)
    organ_dose = dose_records.OrganDose("heart", 1.0, factor * point_gy, None, None)
    limits = planner_limits("heart", mask)
    assert any(n.volume_cc is None and n.achieved_bed_gy is not None for n in limits)
    refused = "the BED is that of the organ's dose" in failed(limits, "heart", mask, stated=[organ_dose])
    assert refused is (factor != 1.0)


def test_a_maximum_with_a_hotter_part_is_not_met() -> None:
    mask = mask_from_bool(box_mask(SHAPE, BESIDE_SEEDS))
    stated_met = [
        replace(n, achieved_bed_gy=0.9 * (n.limit_bed_gy or 0.0), achieved_cc=0.05, met=True, doubts=())
        if n.structure
        else n
        for n in planner_limits("heart", mask)
    ]
    assert "what is in doubt" in failed(stated_met, "heart", mask)


def test_whether_an_organ_holds_most_of_the_target_is_decided_in_voxels() -> None:
    target = mask_from_bool(box_mask((9, 9, 9), ((2, 2, 2), (6, 4, 4))))
    for last, expected in ((4, False), (5, True), (9, True)):
        assert holds_most(mask_from_bool(box_mask((9, 9, 9), ((0, 0, 0), (last, 9, 9)))), target) is expected
    assert not holds_most(mask_from_bool(box_mask((9, 9, 9), ((7, 7, 7), (9, 9, 9)))), target)
    assert not holds_most(mask_from_bool(np.zeros((9, 9, 9), bool)), target)


def test_spared_volumes_are_recomputed() -> None:
    """A lung of 1.7 l around the seeds, and one of a tenth of that."""
    results = set()
    for corner in ((60, 60, 40), (60, 60, 4)):
        mask = mask_from_bool(box_mask(SHAPE, ((0, 0, 0), corner)))
        limits = planner_limits("lung_left", mask, "TG101_like_5fx")
        assert failed(limits, "lung_left", mask, "TG101_like_5fx") == set()
        spared = [n for n in limits if n.kind is LimitKind.SPARED]
        assert len(spared) == 2 and all(n.achieved_cc is not None for n in spared)
        results |= {n.met for n in spared}
        overstated = [
            replace(n, achieved_cc=1.05 * n.achieved_cc + 1.0) if n in spared else n for n in limits
        ]
        assert "volume that is spared" in failed(overstated, "lung_left", mask, "TG101_like_5fx")
    assert len(results) > 1


TINY_BOXES = [
    ((27, 27, 18), (29, 29, 19)),
    ((26, 24, 20), (27, 28, 21)),
    ((30, 29, 24), (32, 30, 26)),
    ((50, 12, 34), (52, 14, 35)),
]
"""Organs of less than 0.1 cm3, from a few mm to about 60 mm from the seeds."""


@pytest.mark.parametrize("box", TINY_BOXES)
def test_the_hottest_sample_stands_for_the_hottest_part_of_a_tiny_organ(box: tuple) -> None:
    mask = mask_from_bool(box_mask(SHAPE, box))
    limits = planner_limits("heart", mask)
    assert [n.doubts for n in limits if n.structure and Doubt.TINY in n.doubts]
    assert failed(limits, "heart", mask) == set()
    for factor in (0.01, 0.4, 3.0, 1000.0):
        edited = [
            replace(n, achieved_bed_gy=factor * n.achieved_bed_gy) if n.achieved_bed_gy is not None else n
            for n in limits
        ]
        assert "BED of the hottest part" in failed(edited, "heart", mask)


@pytest.mark.parametrize("box", TINY_BOXES)
@pytest.mark.parametrize("step_mm", [0.5, 1.0])
def test_the_hottest_sample_of_a_plan_lies_within_its_bounds(box: tuple, step_mm: float) -> None:
    mask = mask_from_bool(box_mask(SHAPE, box))
    dose = seed_dose(REQUEST_WITH_PRESCRIPTION.seeds)
    dosimetry = Dosimetry(PATIENT.scene, dose, [GivenSeed(s.position_mm, s.axis) for s in SEEDS])
    hottest = float(dosimetry.of("heart", mask, step_mm).doses_gy.max())
    bounds = hottest_sample(
        [mask], PATIENT.scene.grid, seed_doses(REQUEST_WITH_PRESCRIPTION.seeds.source, dose.strength_u, SEEDS)
    )
    assert bounds.least <= hottest <= bounds.most and bounds.least <= bounds.value <= bounds.most


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, len(SEEDS) - 1),
    offset=st.tuples(*[st.integers(-2, 2)] * 3),
    size=st.tuples(*[st.integers(1, 2)] * 3),
)
def test_every_correct_limit_of_a_tiny_organ_passes(
    seed: int, offset: tuple[int, int, int], size: tuple[int, int, int]
) -> None:
    """Organs in seeds, across their surfaces, and beside them."""
    grid = PATIENT.scene.grid
    first = (
        np.round(grid.to_box(np.array([SEEDS[seed].position_mm]))[0] / grid.spacing_mm).astype(int) + offset
    )
    mask = mask_from_bool(box_mask(SHAPE, (tuple(first), tuple(first + np.array(size)))))
    if mask.count * grid.voxel_volume_mm3 < 99.0:
        assert failed(planner_limits("heart", mask), "heart", mask) == set()


def test_a_remnant_can_exceed_a_limit_and_not_meet_one() -> None:
    far, near = (mask_from_bool(box_mask(SHAPE, box)) for box in (TINY_BOXES[3], TINY_BOXES[2]))
    for mask, met in ((far, True), (near, False)):
        as_organ, as_remnant = (
            planner_limits("spinal_cord", mask, "RTOG_0813_5fx", is_remnant) for is_remnant in (False, True)
        )
        assert {n.met for n in as_organ if n.structure and n.limit_bed_gy} >= {met}
        assert {n.met for n in as_remnant if n.structure and n.limit_bed_gy} >= {None if met else False}
        assert not any(n.met for n in as_remnant) and any(
            "most of spinal_cord" in n.reason for n in as_remnant
        )
        assert failed(as_remnant, "spinal_cord", mask, "RTOG_0813_5fx", too_small=["spinal_cord"]) == set()
        assert "what is in doubt" in failed(
            as_organ, "spinal_cord", mask, "RTOG_0813_5fx", too_small=["spinal_cord"]
        )


def test_whether_the_hottest_part_lies_in_seeds_is_checked_with_samples() -> None:
    mask = mask_from_bool(box_mask(SHAPE, BESIDE_SEEDS))
    limits = planner_limits("heart", mask)
    assert not any(Doubt.IN_SEED in n.doubts for n in limits)
    edited = [replace(n, doubts=(*n.doubts, Doubt.IN_SEED)) if n.structure else n for n in limits]
    assert "where the hottest part lies" in failed(edited, "heart", mask)
