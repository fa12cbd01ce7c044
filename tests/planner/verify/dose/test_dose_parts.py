"""What verification reckons doses and volumes with, part by part, each against another way to the number."""

import itertools
from dataclasses import replace
from math import inf

import numpy as np
import pytest
from box_scenes import box_mask, grid_of, pose_P, scene_of_masks
from hypothesis import example, given
from hypothesis import strategies as st
from sample_implants import a_dose
from small_chests import CHESTS, small_chest
from true_implants import measured

from anatomy.geometry.masks import VoxelMask, mask_from_bool
from anatomy.scene import Scene
from anatomy.structures import Role
from planner.dose.dvh import dose_to_hottest_cc, dose_volume
from planner.dose.ptv import ptv_of as planners_ptv
from planner.dose.sampling import FineRegion, sampled
from planner.dose.tg43.in_seed import in_seed
from planner.records.dose import OrganDose, PointDose, PointKind
from planner.records.needle_set import PlacedSeed
from planner.records.request.request import Request
from planner.records.request.target import TargetRequest
from planner.sources import SOURCES
from planner.sources.amersham_6711 import AMERSHAM_6711
from planner.sources.source import Source
from planner.verify.claims import Claims
from planner.verify.dose import volume_dose
from planner.verify.dose.coldest import coldest
from planner.verify.dose.conformity import outside_mm3
from planner.verify.dose.dose import check_hottest
from planner.verify.dose.dvh import Recomputed, SampledDoses, sampled_doses
from planner.verify.dose.hottest import ROUGH, STEP_MM, DoseField, dose_field_of, hottest_part
from planner.verify.dose.seed_doses import SeedDoses, seed_doses
from planner.verify.dose.tiny_organ import hottest_sample
from planner.verify.needle_set.ptv import holds, ptv_of, squared_distances

# --- the PTV


def as_bool(mask: VoxelMask, shape: tuple[int, int, int]) -> np.ndarray:
    array = np.zeros(shape, bool)
    mask.paint(array, True)
    return array


@pytest.mark.parametrize("name", CHESTS)
@pytest.mark.parametrize("margin", [0.0, 0.7, 2.0, 5.0, 6.5])
@pytest.mark.parametrize("cut_back", [(), ("heart", "aorta")])
def test_the_planners_ptv_lies_between_the_least_and_the_most(
    name: str, margin: float, cut_back: tuple[str, ...]
) -> None:
    scene = small_chest(name).scene
    request = Request(target=TargetRequest(margin_mm=margin, cut_back=cut_back))
    claims, shape = Claims(), scene.grid.shape
    ptv = ptv_of(claims, scene, request.target)
    least, planned, most = (
        as_bool(m, shape) for m in (ptv.least, planners_ptv(scene, request.target), ptv.most)
    )
    assert not (least & ~planned).any() and not (planned & ~most).any()
    assert claims.verification().passed
    assert ptv.nearer_to(float(planned.sum())).count in (least.sum(), most.sum())


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 6.0))
@example(0, 1.2)
@example(1, 2.75)
def test_distances_are_those_to_the_nearest_box(seed: int, reach: float) -> None:
    rng = np.random.default_rng(seed)
    target = rng.random((6, 5, 4)) < 0.05
    target[tuple(rng.integers((6, 5, 4)))] = True
    spacing = np.array([0.8, 1.1, 2.0])
    distances2 = squared_distances(target, spacing, reach)
    centres, boxes = np.argwhere(np.ones(target.shape)) * spacing, np.argwhere(target) * spacing
    gaps = np.maximum(np.abs(centres[:, None] - boxes) - spacing / 2, 0.0)
    exact = (gaps**2).sum(axis=2).min(axis=1).reshape(target.shape)
    within_reach = exact <= reach**2
    np.testing.assert_allclose(distances2[within_reach], exact[within_reach], atol=1e-12)
    assert (distances2[~within_reach] > reach**2 - 1e-12).all()


def test_points_belong_to_their_voxels() -> None:
    mask = mask_from_bool(box_mask((6, 6, 6), ((1, 2, 3), (3, 4, 5))))
    points = np.array([[0.6, 2.0, 4.0], [2.4, 3.4, 4.4], [2.6, 3.0, 4.0], [9.0, 0.0, -7.0]])
    assert holds(mask, np.ones(3), points).tolist() == [True, True, False, False]


# --- doses of many seeds


def random_seeds(seed: int, count: int, axis_share: float = 1.0, within_mm: float = 15.0) -> list[PlacedSeed]:
    rng = np.random.default_rng(seed)
    seeds = []
    for _ in range(count):
        x, y, z = rng.uniform(-within_mm, within_mm, 3)
        u, v, w = rng.normal(size=3)
        axis = (float(u), float(v), float(w)) if rng.random() < axis_share else None
        seeds.append(PlacedSeed("N1", (float(x), float(y), float(z)), axis, 1.0, 0.0))
    return seeds


@pytest.mark.interpreted
@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.name)
def test_doses_at_many_points_are_those_of_the_formula(source) -> None:
    seeds = seed_doses(source, 0.8, random_seeds(1, 6))
    rng = np.random.default_rng(2)
    on_axes = seeds.centres_P[:, None] + seeds.axes_P[:, None] * np.array([2.3, 4.0, 30.0, 200.0])[:, None]
    points = np.concatenate(
        [rng.uniform(-25, 25, (40, 3)), rng.normal(size=(20, 3)) * 300.0, *on_axes, seeds.centres_P]
    )
    doses = seeds.doses(points)
    outside = np.isfinite(doses)
    assert outside.sum() > 60 and not outside[-6:].any()
    np.testing.assert_allclose(doses[outside], [seeds.at(tuple(p)) for p in points[outside]], rtol=1e-6)


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.name)
def test_doses_of_seeds_without_an_axis_are_those_of_the_formula(source) -> None:
    seeds = seed_doses(source, 0.8, random_seeds(3, 8, axis_share=0.5))
    points = np.random.default_rng(4).uniform(-40, 40, (60, 3))
    doses = seeds.doses(points)
    outside = np.isfinite(doses)
    np.testing.assert_allclose(doses[outside], [seeds.at(tuple(p)) for p in points[outside]], rtol=2e-4)


def test_points_inside_seeds_have_an_infinite_dose() -> None:
    placed = random_seeds(5, 20, axis_share=0.6)
    seeds = seed_doses(AMERSHAM_6711, 0.8, placed)
    centres = np.repeat(seeds.centres_P, 50, axis=0)
    points = centres + np.random.default_rng(6).uniform(-2.5, 2.5, centres.shape) * (1.0, 0.4, 1.0)
    assert (np.isinf(seeds.doses(points)) == in_seed(points, seeds.centres_P, seeds.axes_P, 4.5, 0.8)).all()


def test_an_axis_of_length_zero_counts_as_missing_and_no_seeds_give_no_dose() -> None:
    without_axis = PlacedSeed("N1", (0.0, 0.0, 0.0), None, 1.0, 0.0)
    point = np.array([[3.0, 4.0, 5.0]])
    equal_seeds = (
        seed_doses(AMERSHAM_6711, 1.0, [s])
        for s in (without_axis, replace(without_axis, axis=(0.0, 0.0, 0.0)))
    )
    assert len({float(s.doses(point)[0]) for s in equal_seeds}) == 1
    no_seeds = seed_doses(AMERSHAM_6711, 1.0, [])
    assert no_seeds.doses(point).tolist() == [0.0]
    assert no_seeds.at((3.0, 4.0, 5.0)) == 0.0 and no_seeds.nearest_mm(np.array([[3.0, 4.0, 5.0]])) == [inf]


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.name)
def test_no_point_outside_seeds_exceeds_the_highest_dose(source) -> None:
    """Points on the surfaces of three seeds and a little outside; one seed has no axis, two touch."""
    placed = [
        PlacedSeed("N1", (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), 1.0, 0.0),
        PlacedSeed("N1", (0.81, 0.0, 1.0), (0.0, 0.0, 1.0), 1.0, 0.0),
        PlacedSeed("N2", (3.0, 2.0, 0.0), None, 1.0, 0.0),
    ]
    seeds = seed_doses(source, 0.8, placed)
    rng = np.random.default_rng(7)
    centres = np.repeat(seeds.centres_P, 4000, axis=0)
    points = centres + rng.uniform(-1.0, 1.0, centres.shape) * (0.6, 0.6, 3.0)
    doses = seeds.doses(points)
    hottest = doses[np.isfinite(doses)].max()
    assert 0.5 * seeds.highest_outside_gy <= hottest <= seeds.highest_outside_gy


def test_without_seeds_nothing_is_hot() -> None:
    assert seed_doses(AMERSHAM_6711, 1.0, []).highest_outside_gy == 0.0


def test_whether_the_hottest_part_lies_in_seeds_is_open_within_the_sampling_error() -> None:
    doses = np.arange(10_000.0)
    doses[-100:] = inf
    sample_doses = SampledDoses(doses, 10_000.0)
    # 1 % of 10 cc: 0.1 cc, with three standard deviations of 0.014 cc.
    assert sample_doses.in_seeds(0.04) is True and sample_doses.in_seeds(0.16) is False
    assert sample_doses.in_seeds(0.1) is None


# --- the hottest of an organ

GRID = grid_of((70, 60, 30), (1.5, 1.5, 3.0), pose_P((10.0, 25.0, -15.0), (5.0, -8.0, 40.0)))
MIDDLE_B = np.array([52.0, 44.0, 45.0])


def seeds_in_grid(seed: int, count: int) -> SeedDoses:
    placed = random_seeds(seed, count)
    positions_P = [GRID.to_patient(MIDDLE_B + np.array(s.position_mm)) for s in placed]
    seeds = [replace(s, position_mm=(p[0], p[1], p[2])) for s, p in zip(placed, positions_P, strict=True)]
    return seed_doses(AMERSHAM_6711, 0.8, seeds)


ORGANS = {
    "all": ((0, 0, 0), (70, 60, 30)),
    "lateral": ((48, 10, 0), (70, 55, 30)),
    "behind": ((0, 42, 0), (70, 60, 30)),
    "corner": ((0, 0, 0), (14, 12, 9)),
    "tiny": ((2, 2, 2), (5, 5, 4)),
}


@pytest.mark.parametrize("name", ORGANS)
@pytest.mark.parametrize("seed", range(3))
def test_the_hottest_part_contains_the_hottest_voxels_of_the_organ(name: str, seed: int) -> None:
    mask = mask_from_bool(box_mask(GRID.shape, ORGANS[name]))
    seeds = seeds_in_grid(seed, 14)
    part = hottest_part(mask, GRID, seeds, dose_field_of(seeds, GRID))
    index = np.argwhere(as_bool(mask, GRID.shape))
    doses = seeds.doses(GRID.to_patient(index * GRID.spacing_mm))
    two_cc = min(len(index), int(np.ceil(2000.0 / GRID.voxel_volume_mm3)))
    hottest = index[np.argsort(-doses)[:two_cc]]
    assert as_bool(part, GRID.shape)[tuple(hottest.T)].all()


def test_the_hottest_part_of_an_organ_far_from_seeds_contains_its_hottest_voxels() -> None:
    grid = grid_of((60, 30, 60), (4.0, 4.0, 4.0))
    mask = mask_from_bool(box_mask(grid.shape, ((40, 0, 0), (60, 30, 60))))
    seeds = seed_doses(AMERSHAM_6711, 0.8, random_seeds(1, 5))
    part = hottest_part(mask, grid, seeds, dose_field_of(seeds, grid))
    index = np.argwhere(as_bool(mask, grid.shape))
    doses = seeds.doses(grid.to_patient(index * grid.spacing_mm))
    assert as_bool(part, grid.shape)[tuple(index[np.argsort(-doses)[:32]].T)].all()
    assert part.count < mask.count


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
@pytest.mark.parametrize("along", range(3))
def test_no_dose_beyond_the_lattice_exceeds_the_value_of_its_nearest_place(
    source: Source, along: int
) -> None:
    """Of one seed along the lattice, and of twenty: interpolation is worst where an axis meets a face."""
    grid, rng = grid_of((60, 60, 60), (2.0, 2.0, 2.0)), np.random.default_rng(along)
    middle_B = np.full(3, 60.0)
    for count, spread_mm in ((1, 0.5), (20, 20.0)):
        axis = tuple(grid.vectors_to_patient(np.eye(3)[along]).tolist())
        centres_B = middle_B + rng.uniform(-spread_mm, spread_mm, (count, 3))
        placed = [PlacedSeed("N1", tuple(p.tolist()), axis, 1.0, 0.0) for p in grid.to_patient(centres_B)]
        seeds = seed_doses(source, 0.8, placed)
        field = dose_field_of(seeds, grid)
        points_B = rng.uniform(field.first_B - 60.0, field.last_B + 60.0, (4000, 3))
        near_axis_B = centres_B[rng.integers(count, size=4000)] + rng.normal(size=(4000, 3))
        near_axis_B[:, along] = field.last_B[along] + rng.exponential(5.0, 4000)
        points_B = np.concatenate([points_B, near_axis_B])
        points_B = points_B[~field.holds(points_B)]
        nearest_B = np.clip(points_B, field.first_B, field.last_B)
        doses, doses_nearest = (seeds.doses(grid.to_patient(p)) for p in (points_B, nearest_B))
        assert (doses <= doses_nearest * (1.0 + 1e-9)).all()
        assert (np.log(doses) <= field.at(points_B) + ROUGH).all()
        assert field.highest_on_surface == pytest.approx(field.at(field_surface(field)).max())


def field_surface(field: DoseField) -> np.ndarray:
    """The nodes on the lattice's surface. [mm, B]"""
    index = np.indices(field.log_dose.shape).reshape(3, -1).T
    last = np.array(field.log_dose.shape) - 1
    return field.first_B + STEP_MM * index[((index == 0) | (index == last)).any(axis=1)]


@pytest.mark.parametrize("seed", range(3))
def test_the_hottest_part_may_lie_beyond_the_lattice_while_much_of_the_organ_lies_in_its_corners(
    seed: int,
) -> None:
    """A corner of the lattice's box is farther from the seeds than places beyond its faces."""
    grid = grid_of((60, 60, 60), (3.0, 3.0, 3.0))
    middle_P = grid.to_patient(np.full(3, 90.0))
    placed = [
        replace(s, position_mm=tuple((middle_P + np.array(s.position_mm)).tolist()))
        for s in random_seeds(seed, 5)
    ]
    seeds = seed_doses(AMERSHAM_6711, 0.8, placed)
    field = dose_field_of(seeds, grid)
    first, last = np.ceil(field.first_B / 3.0).astype(int), np.floor(field.last_B / 3.0).astype(int)
    beyond = int(last[0]) + 1
    starts = itertools.product(*zip(first, last - 4, strict=True))
    corners = [(start, tuple(n + 5 for n in start)) for start in starts]
    mask = mask_from_bool(box_mask(grid.shape, *corners, ((beyond, 25, 25), (60, 36, 36))))
    part = hottest_part(mask, grid, seeds, field)
    index = np.argwhere(as_bool(mask, grid.shape))
    doses = seeds.doses(grid.to_patient(index * grid.spacing_mm))
    hottest = index[np.argsort(-doses)[: int(np.ceil(2000.0 / grid.voxel_volume_mm3))]]
    assert (hottest[:, 0] >= beyond).all(), "the case is as its name says"
    assert as_bool(part, grid.shape)[tuple(hottest.T)].all()
    assert part.count < mask.count


@pytest.mark.parametrize("seed", range(3))
def test_the_hottest_part_of_a_long_organ_beyond_the_lattice_contains_its_hottest_voxels(seed: int) -> None:
    """A rod, like a clavicle: the dose along it does not follow the distance to the lattice's box."""
    grid = grid_of((80, 80, 40), (3.0, 3.0, 3.0))
    rod = np.zeros(grid.shape, bool)
    for n in range(70):
        rod[5 + n, 74 - n : 80 - n, 28:36] = True
    seeds = seed_doses(AMERSHAM_6711, 0.8, random_seeds(seed, 5))
    part = hottest_part(mask_from_bool(rod), grid, seeds, dose_field_of(seeds, grid))
    index = np.argwhere(rod)
    doses = seeds.doses(grid.to_patient(index * grid.spacing_mm))
    hottest = index[np.argsort(-doses)[: int(np.ceil(2000.0 / 27.0))]]
    assert as_bool(part, grid.shape)[tuple(hottest.T)].all()


@pytest.mark.parametrize("name", ORGANS)
@pytest.mark.parametrize("seed", range(4))
def test_organ_doses_from_another_sample_pass(name: str, seed: int) -> None:
    """Samples as in plans: fine near seeds, one for each voxel elsewhere."""
    mask = mask_from_bool(box_mask(GRID.shape, ORGANS[name]))
    seeds = seeds_in_grid(10 + seed, 14)
    points = sampled(mask, GRID, 1.0, FineRegion(seeds.centres_P))
    doses = dose_volume(seeds.doses(points.points_P), points.weights_mm3)
    highest = float(doses.doses_gy[np.isfinite(doses.doses_gy)].max())
    hottest = (dose_to_hottest_cc(doses, cc) for cc in (0.1, 1.0, 2.0))
    stated = OrganDose(
        name, points.volume_mm3 / 1000.0, *(d if d is None else min(d, highest) for d in hottest)
    )
    claims = Claims()
    part = hottest_part(mask, GRID, seeds, dose_field_of(seeds, GRID))
    recomputed = volume_dose.sampled(part, GRID, seeds, mask.count)
    volume_dose.check_organ(claims, stated, mask.count * GRID.voxel_volume_mm3 / 1000.0, recomputed)
    assert [c for c in claims.verification().checks if not c.passed] == []


def test_an_organ_of_exactly_the_volume_may_have_a_dose_or_none() -> None:
    """Rounding decides whether there is 1 cm3 of 1 cm3."""
    grid = grid_of((12, 12, 12), (1.0, 1.0, 1.0))
    mask = mask_from_bool(box_mask(grid.shape, ((1, 1, 1), (11, 11, 11))))
    seeds = seed_doses(AMERSHAM_6711, 0.8, random_seeds(1, 5))
    recomputed = volume_dose.sampled(mask, grid, seeds, mask.count)
    for d1cc in (None, float(recomputed.doses_gy.min())):
        claims = Claims()
        stated = OrganDose("node", 1.0, recomputed.hottest_cc(0.1).value, d1cc, None)  # type: ignore[union-attr]
        volume_dose.check_organ(claims, stated, 1.0, recomputed)
        assert claims.verification().passed


def test_without_seeds_an_organ_gets_no_dose() -> None:
    mask = mask_from_bool(box_mask(GRID.shape, ORGANS["lateral"]))
    no_seeds = seed_doses(AMERSHAM_6711, 0.8, [])
    assert hottest_part(mask, GRID, no_seeds, None) is mask
    assert not volume_dose.sampled(mask, GRID, no_seeds, mask.count).doses_gy.any()
    assert outside_mm3(no_seeds, mask, GRID, 120.0) == (0.0, 0.0)


def test_a_low_dose_far_outside_is_counted_completely() -> None:
    """The volume with at least a low dose is the ball in which one seed gives it."""
    seed = seed_doses(AMERSHAM_6711, 0.8, [PlacedSeed("N1", (50.0, 40.0, 45.0), None, 1.0, 0.0)])
    corner = mask_from_bool(box_mask(GRID.shape, ((0, 0, 0), (1, 1, 1))))
    radii = np.linspace(20.0, 400.0, 40_000)
    doses = seed.doses(np.array([50.0, 40.0, 45.0]) + radii[:, None] * np.array([1.0, 0.0, 0.0]))
    for level in (1.0, 0.05, 1e-6):
        radius = float(radii[np.searchsorted(-doses, -level)])
        volume_mm3, error_mm3 = outside_mm3(seed, corner, GRID, level)
        ball = 4.0 / 3.0 * np.pi * radius**3
        assert abs(volume_mm3 - ball) <= error_mm3 < 0.05 * ball


@given(st.integers(201, 400))
def test_a_hottest_dose_inside_seeds_is_compared_with_samples_beside_them(inside_count: int) -> None:
    """The hottest 100 mm3 are 200 of these samples, all in seeds. The hottest sample outside is used instead;
    another sample of the same organ may lie a little farther from the seeds' sides."""
    doses = np.linspace(4000.0, 10.0, 20_000 - inside_count)
    sample_doses = SampledDoses(np.concatenate([np.full(inside_count, inf), doses]), 10_000.0)
    for stated, accepted in ((3980.0, True), (1900.0, False)):
        claims = Claims()
        volume_dose.check_organ(claims, OrganDose("lung", 10.0, stated, 10.0, 10.0), 10.0, sample_doses)
        (check,) = [c for c in claims.verification().checks if c.name == "D0.1cc"]
        assert check.passed is accepted


def test_a_claim_is_checked_on_the_bounded_side_only() -> None:
    claims = Claims()
    volume_dose.check_within(claims, "D0.1cc", "heart", 500.0, Recomputed(400.0, 300.0, inf))
    volume_dose.check_within(claims, "D0.1cc", "heart", 200.0, Recomputed(400.0, 300.0, inf))
    first, second = claims.verification().checks
    assert first.passed and not second.passed


def test_a_correct_coldest_sample_passes_with_fewer_points_than_voxels() -> None:
    """A ball and one distant voxel without a point in it; the voxel's dose is D100."""
    grid = grid_of((40, 40, 40), (1.0, 1.0, 1.0))
    index = np.indices(grid.shape).reshape(3, -1).T
    ball = (np.linalg.norm(index - 16.0, axis=1) <= 10.0).reshape(grid.shape)
    seeds = seed_doses(
        AMERSHAM_6711,
        0.8,
        [
            replace(s, position_mm=(16.0 + s.position_mm[0], 16.0, 16.0))
            for s in random_seeds(2, 5, within_mm=8.0)
        ],
    )
    ball[16, 36, 16] = True
    mask = mask_from_bool(ball)
    d100 = float(seeds.doses(grid.to_patient(np.array([[16.0, 36.2, 16.0]])))[0])
    refused = []
    for count in (200, 8 * mask.count):
        samples = sampled_doses(mask, grid, seeds.doses, count)
        bounds = coldest(mask, grid, seeds, samples)
        assert d100 <= bounds.most * 1.001
        refused.append(d100 < bounds.least * 0.999)
    assert refused == [False, False]
    few_samples = sampled_doses(mask, grid, seeds.doses, 200)
    assert few_samples.doses_gy.min() > 2.0 * d100


# --- the helper


def test_a_measured_needle_agrees_with_numbers_worked_out_by_hand() -> None:
    """A check of the oracle itself."""
    scene: Scene = scene_of_masks(
        grid_of((20, 20, 20), (2.0, 2.0, 2.0)),
        {
            "body": (Role.SKIN, box_mask((20, 20, 20), ((3, 3, 0), (17, 17, 20)))),
            "node": (Role.TARGET, box_mask((20, 20, 20), ((8, 8, 8), (12, 12, 12)))),
        },
    )
    needle = measured(scene, Request(), (20.0, 25.0, 20.0), np.array([0.0, -1.0, 0.0]))
    assert needle.length_mm == pytest.approx(25.0 - 5.0)
    assert needle.target_chord_mm == pytest.approx(23.0 - 15.0)


ORGAN_DOSES = [
    ("oesophagus", 0.05, None),
    ("a", 9.0, 50.0),
    ("b", 9.0, 40.0),
    ("c", 9.0, 30.0),
    ("d", 9.0, 20.0),
]
ORGAN_DOSES += [("e", 9.0, 10.0)]
"""Name, volume [cc] and D0.1cc [Gy] of organs; the first organ is too small for a D0.1cc."""


def test_a_hot_tiny_organ_must_have_a_named_point() -> None:
    organs = tuple(OrganDose(name, volume, dose, None, None) for name, volume, dose in ORGAN_DOSES)
    points = tuple(
        PointDose(PointKind.HOTTEST, name, f"hottest sample of {name}", (0.0, 0.0, 0.0), dose)
        for name, _, dose in ORGAN_DOSES[1:]
    )
    for tiny_gy, fails in ((9.0, False), (400.0, True)):
        claims = Claims(())
        check_hottest(claims, replace(a_dose(), organs=organs, points=points), {"oesophagus": tiny_gy})
        assert any(not check.passed for check in claims.verification().checks) is fails


def test_the_hottest_sample_of_a_tiny_organ_in_a_seed_is_bounded_by_doses_outside() -> None:
    """A capsule of 0.8 by 4.5 mm along z, on voxels of 0.25 mm."""
    grid = grid_of((33, 33, 33), (0.25, 0.25, 0.25))
    seed = seed_doses(AMERSHAM_6711, 0.7, [PlacedSeed("N1", (4.0, 4.0, 4.0), (0.0, 0.0, 1.0), 10.0, 0.0)])
    inside, beside = ((16, 16, 12), (17, 17, 20)), ((22, 15, 12), (25, 18, 20))
    hottest = hottest_sample([mask_from_bool(box_mask(grid.shape, inside))], grid, seed)
    assert (hottest.least, hottest.most) == (0.0, seed.highest_outside_gy)
    partly = hottest_sample([mask_from_bool(box_mask(grid.shape, inside, beside))], grid, seed)
    clear = hottest_sample([mask_from_bool(box_mask(grid.shape, beside))], grid, seed)
    assert partly.most == seed.highest_outside_gy and partly.least < clear.least
    assert 0.0 < clear.least < clear.value < clear.most < seed.highest_outside_gy
    crossing = hottest_sample(
        [mask_from_bool(box_mask(grid.shape, ((15, 15, 12), (18, 18, 20))))], grid, seed
    )
    assert crossing.least == 0.0 < crossing.value <= crossing.most == seed.highest_outside_gy
    # Its nearest voxels begin 1.375 mm from the axis, on the transverse plane.
    assert clear.value == pytest.approx(seed.at((5.375, 4.0, 4.0)), rel=0.1)


def test_without_seeds_a_tiny_organ_gets_no_dose() -> None:
    grid = grid_of((9, 9, 9), (1.0, 1.0, 1.0))
    hottest = hottest_sample(
        [mask_from_bool(box_mask(grid.shape, ((2, 2, 2), (4, 4, 4))))],
        grid,
        seed_doses(AMERSHAM_6711, 0.7, []),
    )
    assert hottest == Recomputed(0.0, 0.0, 0.0)
