"""Punctures and fissures in scenes: search, measuring and verification agree, and specks change nothing."""

from dataclasses import replace

import numpy as np
import pytest
from bare_plans import BARE_PLAN
from box_scenes import box_mask, grid_of, pose_P, scene_of_masks
from random_chests import random_chest
from small_chests import Chest, random_lines

from anatomy.patient.lung_voids import lung_voids
from anatomy.scene import Scene
from anatomy.structures import Role
from planner.appraise import Appraiser
from planner.measuring.measure import Measurer
from planner.measuring.measured import MeasuredPath, to_path
from planner.paths.no_path.nearest_miss import _leaving
from planner.records.paths import LUNG_ROUNDING_MM
from planner.records.request.request import Request
from planner.records.request.search import SearchRequest
from planner.records.search import Proof, SearchReport
from planner.records.wording.outcome_message import message_of
from planner.search.kernels.line import FISSURES, LUNG, PUNCTURES
from planner.search.scene_fields import search_fields
from planner.verify.claims import Claims
from planner.verify.needle.examined_axis import examined_axis
from planner.verify.needle.passage import check_passage

SHAPE = (24, 60, 24)
"""A body 60 mm deep; the node lies at 44 mm, between lung at 4 mm and the back."""

Boxes = dict[str, list]

LOBES: Boxes = {
    "lung_upper_lobe_left": [((2, 4, 2), (22, 22, 22))],
    "lung_lower_lobe_left": [((2, 22, 2), (22, 40, 22))],
}


def scene_with_lungs(lungs: Boxes, holes: list | None = None, motion: np.ndarray | None = None) -> Scene:
    """A chest with these lungs, with holes in all of them."""
    hole = box_mask(SHAPE, *(holes or []))
    masks = {name: (Role.LUNG, box_mask(SHAPE, *boxes) & ~hole) for name, boxes in lungs.items()}
    body = box_mask(SHAPE, ((1, 1, 1), (23, 58, 23)))
    node = box_mask(SHAPE, ((9, 44, 9), (15, 50, 15)))
    return scene_of_masks(
        grid_of(SHAPE, motion=motion), {"body": (Role.SKIN, body), **masks, "node": (Role.TARGET, node)}
    )


def measured_through(scene: Scene, slope: float = 0.0) -> MeasuredPath:
    """The path from the front through the node's middle, optionally a little oblique."""
    outward = np.array([slope, -1.0, 0.03])
    measured = Measurer(scene, Request().needle_assembly).measure(
        scene.grid.to_patient(np.array([11.8, 47.0, 11.7])), scene.grid.vectors_to_patient(outward)
    )
    assert measured is not None
    return measured


def punctures_and_fissures(scene: Scene, slope: float = 0.0) -> tuple[int, int]:
    """Punctures and fissures; asserts that measuring, appraisal and verification agree."""
    measured = measured_through(scene, slope)
    counts = measured.pleural_punctures, measured.fissures_crossed
    assert_agreed(scene, Request(), measured)
    [appraisal] = Appraiser(scene, COARSE).appraise(measured.entry_P[None], measured.tip_P[None])
    assert (appraisal.pleural_punctures, appraisal.fissures_crossed) == counts
    return counts


def assert_agreed(scene: Scene, request: Request, measured: MeasuredPath) -> None:
    """Asserts that verification accepts the measured path."""
    path = to_path(measured, id="P1", rank=1, window="", approach="", pareto=True, seeds=())
    claims = Claims()
    examined = examined_axis(claims, "path", path.entry_mm, path.tip_mm, scene, request)
    assert examined is not None
    check_passage(claims, examined, path)
    assert [c for c in claims.verification().checks if not c.passed] == []


COARSE = Request(search=SearchRequest(field_resolution_mm=3.0))
"""A coarse distance field changes no count, and is much faster without compiled kernels."""

MOTIONS = [None, pose_P((20.0, -35.0, 60.0), (10.0, -200.0, 31.0)) @ np.diag([1.0, 1.0, -1.0, 1.0])]


@pytest.mark.parametrize("motion", MOTIONS, ids=["still", "moved"])
@pytest.mark.parametrize("slope", [0.0, 0.11])
def test_two_lobes_are_one_puncture_and_one_fissure(motion, slope) -> None:
    assert punctures_and_fissures(scene_with_lungs(LOBES, motion=motion), slope) == (1, 1)
    reversed_lobes = dict(reversed(LOBES.items()))
    assert punctures_and_fissures(scene_with_lungs(reversed_lobes, motion=motion), slope) == (1, 1)


def scene_with_stripes(patch: tuple[int, int], stripes: int, outer: str, inner: str) -> Scene:
    """A part of one lobe, and beside it alternating stripes of two lobes, 1 mm each, with a common middle."""
    outers = [((2, patch[0], 2), (22, patch[1], 22))]
    outers += [((2, stripes + n, 2), (22, stripes + n + 1, 22)) for n in (0, 2, 4)]
    inners = [((2, stripes + n, 2), (22, stripes + n + 1, 22)) for n in (1, 3)]
    return scene_with_lungs({f"lung_{outer}_lobe_left": outers, f"lung_{inner}_lobe_left": inners})


@pytest.mark.interpreted
@pytest.mark.parametrize(("patch", "stripes"), [((4, 9), 12), ((12, 17), 4)])
@pytest.mark.parametrize(("outer", "inner"), [("lower", "upper"), ("upper", "lower")])
@pytest.mark.parametrize("slope", [0.0, 0.11])
def test_of_two_concentric_stretches_the_outer_counts_from_both_directions(
    patch, stripes, outer, inner, slope
) -> None:
    assert punctures_and_fissures(scene_with_stripes(patch, stripes, outer, inner), slope) == (1, 0)


SPECKS: dict[str, Boxes] = {
    "of one lobe in another": {"lung_lower_lobe_left": [((11, 10, 11), (13, 11, 13))]},
    "of both lobes at the fissure": {
        "lung_lower_lobe_left": [((11, 20, 11), (13, 21, 13))],
        "lung_upper_lobe_left": [((11, 23, 11), (13, 24, 13))],
    },
    "before the lung": {"lung_upper_lobe_left": [((11, 2, 11), (13, 3, 13))]},
    "in the mediastinum": {"lung_upper_lobe_left": [((11, 42, 11), (13, 43, 13))]},
    "of a lung far away": {"lung_middle_lobe_right": [((11, 30, 11), (13, 31, 13))]},
}


@pytest.mark.parametrize("specks", SPECKS)
@pytest.mark.parametrize("slope", [0.0, 0.11])
def test_a_speck_changes_no_count(specks, slope) -> None:
    added = SPECKS[specks]
    # Where lobes overlap, the last by name counts, so a speck is removed from the others.
    holed = {name: box_mask(SHAPE, *boxes) for name, boxes in LOBES.items()}
    for name, boxes in added.items():
        speck = box_mask(SHAPE, *boxes)
        for other in holed:
            holed[other] &= ~speck
        holed[name] = holed.get(name, np.zeros(SHAPE, bool)) | speck
    base = scene_with_lungs(LOBES)
    masks = {s.name: (s.role, s.mask.layer == s.mask.label) for s in base.structures}
    masks.update({name: (Role.LUNG, mask) for name, mask in holed.items()})
    assert punctures_and_fissures(scene_of_masks(base.grid, masks), slope) == (1, 1)


@pytest.mark.interpreted
def test_lung_on_both_sides_of_a_nodule_is_one_puncture() -> None:
    nodule = ((7, 10, 7), (17, 20, 17))
    assert punctures_and_fissures(scene_with_lungs(LOBES, [nodule])) == (1, 1)
    # With a channel from the hole to the side of the lung, the needle leaves the lung in between.
    channel = ((17, 14, 11), (22, 16, 13))
    assert punctures_and_fissures(scene_with_lungs(LOBES, [nodule, channel])) == (2, 1)


@pytest.mark.interpreted
@pytest.mark.parametrize(
    ("depths", "expected"),
    [
        ([3], (0, 0)),
        ([3, 13, 23], (1, 0)),
        ([3, 6, 9], (1, 0)),
        ([3, 20, 22, 40], (1, 0)),
        # Lung up to the skin.
        ([1, 2, 3, 5], (1, 0)),
    ],
)
def test_islands_are_a_puncture_if_they_are_long_enough_together(depths, expected) -> None:
    lung = {"lung_left": [((4, y, 4), (20, y + 1, 20)) for y in depths]}
    assert punctures_and_fissures(scene_with_lungs(lung)) == expected


def test_a_part_of_the_target_inside_lung_counts_as_a_nodule() -> None:
    base = scene_with_lungs(LOBES)
    masks = {s.name: (s.role, s.mask.layer == s.mask.label) for s in base.structures}
    masks["node"] = (Role.TARGET, masks["node"][1] | box_mask(SHAPE, ((7, 10, 7), (17, 20, 17))))
    assert punctures_and_fissures(scene_of_masks(base.grid, masks)) == (1, 1)


def path_across_lung_edge(length_mm: float) -> tuple[Scene, MeasuredPath]:
    """A path at 45 degrees across the edge of a block of lung, with `length_mm` inside the lung."""
    shape = (60, 60, 80)
    masks = {
        "body": (Role.SKIN, box_mask(shape, ((2, 2, 2), (58, 58, 78)))),
        "lung_left": (Role.LUNG, box_mask(shape, ((5, 15, 46), (55, 30, 55)))),
        "node": (Role.TARGET, box_mask(shape, ((26, 26, 26), (34, 34, 34)))),
    }
    scene = scene_of_masks(grid_of(shape), masks)
    # The lung's edge is at y = 14.5, z = 45.5; the path has y + z = 60 + offset_mm.
    offset_mm = length_mm / np.sqrt(2.0)
    point = np.array([30.2, 30.0 + offset_mm / 2.0, 30.0 + offset_mm / 2.0])
    measured = Measurer(scene, Request().needle_assembly).measure(point, np.array([0.0, -1.0, 1.0]))
    assert measured is not None
    return scene, measured


@pytest.mark.parametrize(
    ("length", "punctures", "sentence_part"),
    [
        (0.0, 0, "without crossing lung"),
        (1e-7, 0, "without crossing lung"),
        (2e-5, 0, "through less than 0.1 mm of lung"),
        (0.04, 0, "through less than 0.1 mm of lung"),
        (0.06, 0, "through 0.1 mm of lung"),
        (1.9, 0, "through 1.9 mm of lung"),
        (2.0, 1, "through 2.0 mm of lung"),
        (7.0, 1, "through 7.0 mm of lung"),
    ],
)
def test_a_short_lung_crossing_is_stated_and_is_a_puncture_only_if_long_enough(
    length, punctures, sentence_part
) -> None:
    scene, measured = path_across_lung_edge(length)
    stated = length if length >= LUNG_ROUNDING_MM else 0.0
    assert measured.lung_length_mm == pytest.approx(stated, abs=1e-9)
    assert (measured.lung_length_mm == 0.0) == (stated == 0.0)
    assert measured.pleural_punctures == punctures
    assert_agreed(scene, Request(), measured)
    path = to_path(measured, id="P1", rank=1, window="", approach="", pareto=True, seeds=())
    search = SearchReport(1, 0, 1, 2.0, True, 0.0, 0.0, 0.0, Proof.SAFE_LINE_NEAR_EACH, ())
    assert sentence_part in message_of(replace(BARE_PLAN, search=search, paths=(path,), skin_structures=()))


def test_a_scene_without_voids_has_none() -> None:
    base = scene_with_lungs(LOBES)
    assert base.lung_voids is None
    assert lung_voids([], base.target) is None


@pytest.mark.parametrize("number", [0, 2, 3, 4, 5, 7])
def test_search_and_verification_agree_with_measuring_in_random_chests(number) -> None:
    chest = random_chest(number)
    request = replace(chest.request, needle=replace(chest.request.needle, max_length_mm=150.0))
    lines = random_lines(Chest(chest.scene, request), 60, number)
    safe_lines = _leaving(search_fields(chest.scene, request), lines.point, lines.outward)
    measurer = Measurer(chest.scene, request.needle_assembly)
    grid = chest.scene.grid
    compared_count = 0
    for n in range(len(safe_lines)):
        measured = measurer.measure(
            grid.to_patient(safe_lines.point_B[n]), grid.vectors_to_patient(safe_lines.outward_B[n])
        )
        if measured is None:
            continue
        from_search = safe_lines.quantities[n, [LUNG, PUNCTURES, FISSURES]].tolist()
        from_measuring = [measured.lung_length_mm, measured.pleural_punctures, measured.fissures_crossed]
        assert from_search == pytest.approx(from_measuring, abs=1e-5)
        assert_agreed(chest.scene, request, measured)
        compared_count += measured.lung_length_mm > 0.0
    assert compared_count > 0
