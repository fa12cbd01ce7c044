"""Limits of organs that hold the target, or a voxel of it: only a solid skin's excess may be left unsaid."""

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
ASKED_FOR = replace(PRESCRIPTION, prior_external=None, bed=replace(PRESCRIPTION.bed, protocols=(PROTOCOL,)))
WHO = box_patient(request=REQUEST_WITH_PRESCRIPTION)
SEEDS = [
    PlacedSeed(path.id, s.position_mm, s.axis, s.depth_mm, s.retraction_mm)
    for path in needle_paths(WHO.scene, REQUEST_WITH_PRESCRIPTION)
    for s in path.seeds
]
NEAR = ((22, 26, 15), (34, 32, 27))
"""Beside the seeds, with a layer of the target in it."""
SHELL = ((22, 24, 15), (34, 29, 27))
"""Beside the seeds, in front of the target."""
BODY = ((8, 10, 0), (52, 50, 40))


def compared(
    name: str, mask: VoxelMask, protocol: str = PROTOCOL, too_small: bool = False
) -> list[LimitComparison]:
    """The planner's comparison with one organ."""
    dose = seed_dose(REQUEST_WITH_PRESCRIPTION.seeds)
    dosimetry = Dosimetry(WHO.scene, dose, [GivenSeed(s.position_mm, s.axis) for s in SEEDS])
    found = dosimetry.of(name, mask, 1.0)
    holds = holds_most(mask, WHO.scene.target)
    organ = OrganSamples(name, found.doses_gy, found.points.weights_mm3, holds, too_small)
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
    """Names of the checks that the limits fail, beside the doses stated of organs and what is too small."""
    claims, source = Claims(()), REQUEST_WITH_PRESCRIPTION.seeds.source
    seeds = seed_doses(source, seed_dose(REQUEST_WITH_PRESCRIPTION.seeds).strength_u, SEEDS)
    bed = BedReport(0.0, 0.0, 0.0, 0.0, tuple(limits))
    bed_model = bed_model_of(ASKED_FOR.bed, source, 0.0)
    asked = replace(ASKED_FOR, bed=replace(ASKED_FOR.bed, protocols=(protocol,)))
    grid, target = WHO.scene.grid, WHO.scene.target
    check_limits(claims, asked, bed, bed_model, {name: mask}, grid, seeds, target, stated, too_small)
    return {check.name for check in claims.verification().checks if not check.passed}


def undone(limit: LimitComparison) -> LimitComparison:
    """An excess as if of a solid that holds the target."""
    if limit.met is not False:
        return limit
    doubts = [d for d in limit.doubts if d is not Doubt.HOLDS_MORE]
    said = replace(limit, met=None, doubts=(*doubts, Doubt.HOLDS_TARGET), reason="")
    return replace(said, reason=reason_of(said))


@pytest.mark.parametrize(
    ("name", "box", "ends"),
    [
        ("heart", NEAR, False),
        ("skin_shell", SHELL, False),
        ("skin", SHELL, False),
        ("skin", NEAR, False),
        ("body", BODY, None),
    ],
)
def test_an_excess_is_left_unsaid_only_of_a_solid_skin(name: str, box: tuple, ends: bool | None) -> None:
    mask = mask_from_bool(box_mask(SHAPE, box))
    limits = compared(name, mask)
    assert [n.met for n in limits if n.structure] == [ends]
    assert failed(limits, name, mask) == set()
    if ends is False:
        assert "what is in doubt" in failed([undone(n) for n in limits], name, mask)


@pytest.mark.parametrize("factor", [0.97, 1.0, 1.3])
def test_a_maximum_is_held_against_the_organs_own_dose(factor: float) -> None:
    mask = mask_from_bool(box_mask(SHAPE, NEAR))
    dose = seed_dose(REQUEST_WITH_PRESCRIPTION.seeds)
    found = Dosimetry(WHO.scene, dose, [GivenSeed(s.position_mm, s.axis) for s in SEEDS]).of(
        "heart", mask, 1.0
    )
    point_gy = dose_to_hottest_cc(dose_volume(found.doses_gy, found.points.weights_mm3), 0.1)
    organ_dose = dose_records.OrganDose("heart", 1.0, factor * point_gy, None, None)
    limits = compared("heart", mask)
    assert any(n.volume_cc is None and n.achieved_bed_gy is not None for n in limits)
    wrong = "the BED is that of the organ's dose" in failed(limits, "heart", mask, stated=[organ_dose])
    assert wrong is (factor != 1.0)


def test_a_maximum_is_not_met_where_some_get_more() -> None:
    mask = mask_from_bool(box_mask(SHAPE, NEAR))
    met = [
        replace(n, achieved_bed_gy=0.9 * (n.limit_bed_gy or 0.0), achieved_cc=0.05, met=True, doubts=())
        if n.structure
        else n
        for n in compared("heart", mask)
    ]
    assert "what is in doubt" in failed(met, "heart", mask)


def test_most_of_the_target_is_counted_in_voxels() -> None:
    target = mask_from_bool(box_mask((9, 9, 9), ((2, 2, 2), (6, 4, 4))))
    for last, most in ((4, False), (5, True), (9, True)):
        assert holds_most(mask_from_bool(box_mask((9, 9, 9), ((0, 0, 0), (last, 9, 9)))), target) is most
    assert not holds_most(mask_from_bool(box_mask((9, 9, 9), ((7, 7, 7), (9, 9, 9)))), target)
    assert not holds_most(mask_from_bool(np.zeros((9, 9, 9), bool)), target)


def test_volumes_that_are_spared_are_counted_again() -> None:
    """A lung of 1.7 l all round the seeds, and one of a tenth of that."""
    ends = set()
    for corner in ((60, 60, 40), (60, 60, 4)):
        mask = mask_from_bool(box_mask(SHAPE, ((0, 0, 0), corner)))
        limits = compared("lung_left", mask, "TG101_like_5fx")
        assert failed(limits, "lung_left", mask, "TG101_like_5fx") == set()
        spared = [n for n in limits if n.kind is LimitKind.SPARED]
        assert len(spared) == 2 and all(n.achieved_cc is not None for n in spared)
        ends |= {n.met for n in spared}
        more = [replace(n, achieved_cc=1.05 * n.achieved_cc + 1.0) if n in spared else n for n in limits]
        assert "volume that is spared" in failed(more, "lung_left", mask, "TG101_like_5fx")
    assert len(ends) > 1


TINY_BOXES = [
    ((27, 27, 18), (29, 29, 19)),
    ((26, 24, 20), (27, 28, 21)),
    ((30, 29, 24), (32, 30, 26)),
    ((50, 12, 34), (52, 14, 35)),
]
"""Organs of less than 0.1 cm3, from some mm from the seeds to some 60."""


@pytest.mark.parametrize("box", TINY_BOXES)
def test_of_an_organ_smaller_than_a_point_a_sample_stands_for_its_hottest_part(box: tuple) -> None:
    mask = mask_from_bool(box_mask(SHAPE, box))
    limits = compared("heart", mask)
    assert [n.doubts for n in limits if n.structure and Doubt.TINY in n.doubts]
    assert failed(limits, "heart", mask) == set()
    for factor in (0.01, 0.4, 3.0, 1000.0):
        other = [
            replace(n, achieved_bed_gy=factor * n.achieved_bed_gy) if n.achieved_bed_gy is not None else n
            for n in limits
        ]
        assert "BED of the hottest part" in failed(other, "heart", mask)


@pytest.mark.parametrize("box", TINY_BOXES)
@pytest.mark.parametrize("step_mm", [0.5, 1.0])
def test_no_sample_of_a_plan_is_hotter_than_it_may_be(box: tuple, step_mm: float) -> None:
    mask = mask_from_bool(box_mask(SHAPE, box))
    dose = seed_dose(REQUEST_WITH_PRESCRIPTION.seeds)
    dosimetry = Dosimetry(WHO.scene, dose, [GivenSeed(s.position_mm, s.axis) for s in SEEDS])
    hottest = float(dosimetry.of("heart", mask, step_mm).doses_gy.max())
    found = hottest_sample(
        [mask], WHO.scene.grid, seed_doses(REQUEST_WITH_PRESCRIPTION.seeds.source, dose.strength_u, SEEDS)
    )
    assert found.least <= hottest <= found.most and found.least <= found.value <= found.most


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, len(SEEDS) - 1),
    beside=st.tuples(*[st.integers(-2, 2)] * 3),
    size=st.tuples(*[st.integers(1, 2)] * 3),
)
def test_no_true_limit_of_a_tiny_organ_is_refused(
    seed: int, beside: tuple[int, int, int], size: tuple[int, int, int]
) -> None:
    """In seeds, across their surfaces, and beside them."""
    grid = WHO.scene.grid
    at = np.round(grid.to_box(np.array([SEEDS[seed].position_mm]))[0] / grid.spacing_mm).astype(int) + beside
    mask = mask_from_bool(box_mask(SHAPE, (tuple(at), tuple(at + np.array(size)))))
    if mask.count * grid.voxel_volume_mm3 < 99.0:
        assert failed(compared("heart", mask), "heart", mask) == set()


def test_a_remnant_meets_no_limit_for_its_organ_and_exceeds_one() -> None:
    far, near = (mask_from_bool(box_mask(SHAPE, box)) for box in (TINY_BOXES[3], TINY_BOXES[2]))
    for mask, ends in ((far, True), (near, False)):
        whole, some = (compared("spinal_cord", mask, "RTOG_0813_5fx", little) for little in (False, True))
        assert {n.met for n in whole if n.structure and n.limit_bed_gy} >= {ends}
        assert {n.met for n in some if n.structure and n.limit_bed_gy} >= {None if ends else False}
        assert not any(n.met for n in some) and any("most of spinal_cord" in n.reason for n in some)
        assert failed(some, "spinal_cord", mask, "RTOG_0813_5fx", too_small=["spinal_cord"]) == set()
        assert "what is in doubt" in failed(
            whole, "spinal_cord", mask, "RTOG_0813_5fx", too_small=["spinal_cord"]
        )


def test_a_hottest_part_in_seeds_is_told_as_the_samples_have_it() -> None:
    mask = mask_from_bool(box_mask(SHAPE, NEAR))
    limits = compared("heart", mask)
    assert not any(Doubt.IN_SEED in n.doubts for n in limits)
    doubted = [replace(n, doubts=(*n.doubts, Doubt.IN_SEED)) if n.structure else n for n in limits]
    assert "where the hottest part lies" in failed(doubted, "heart", mask)
