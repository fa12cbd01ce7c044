"""Punctures and fissures in scenes: search, measuring and verification count alike; specks change nothing."""

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


def breathing(lungs: Boxes, holes: list | None = None, motion: np.ndarray | None = None) -> Scene:
    """A chest of those lungs, with holes in all of them."""
    hole = box_mask(SHAPE, *(holes or []))
    masks = {name: (Role.LUNG, box_mask(SHAPE, *boxes) & ~hole) for name, boxes in lungs.items()}
    body = box_mask(SHAPE, ((1, 1, 1), (23, 58, 23)))
    node = box_mask(SHAPE, ((9, 44, 9), (15, 50, 15)))
    return scene_of_masks(
        grid_of(SHAPE, motion=motion), {"body": (Role.SKIN, body), **masks, "node": (Role.TARGET, node)}
    )


def through(made: Scene, slope: float = 0.0) -> MeasuredPath:
    """The path from the front through the node's middle, a little oblique or not."""
    outward = np.array([slope, -1.0, 0.03])
    measured = Measurer(made, Request().needle_assembly).measure(
        made.grid.to_patient(np.array([11.8, 47.0, 11.7])), made.grid.vectors_to_patient(outward)
    )
    assert measured is not None
    return measured


def counts(made: Scene, slope: float = 0.0) -> tuple[int, int]:
    """Punctures and fissures, as search, measuring, appraisal and verification all have them."""
    measured = through(made, slope)
    found = measured.pleural_punctures, measured.fissures_crossed
    assert_agreed(made, Request(), measured)
    [held] = Appraiser(made, COARSE).appraise(measured.entry_P[None], measured.tip_P[None])
    assert (held.pleural_punctures, held.fissures_crossed) == found
    return found


def assert_agreed(made: Scene, request: Request, measured: MeasuredPath) -> None:
    """Verification finds nothing wrong with what was measured."""
    path = to_path(measured, id="P1", rank=1, window="", approach="", pareto=True, seeds=())
    claims = Claims()
    examined = examined_axis(claims, "path", path.entry_mm, path.tip_mm, made, request)
    assert examined is not None
    check_passage(claims, examined, path)
    assert [c for c in claims.verification().checks if not c.passed] == []


COARSE = Request(search=SearchRequest(field_resolution_mm=3.0))
"""A coarse distance field changes no count, and takes a fraction of the time where no kernel is compiled."""

MOTIONS = [None, pose_P((20.0, -35.0, 60.0), (10.0, -200.0, 31.0)) @ np.diag([1.0, 1.0, -1.0, 1.0])]


@pytest.mark.parametrize("motion", MOTIONS, ids=["still", "moved"])
@pytest.mark.parametrize("slope", [0.0, 0.11])
def test_lobes_count_as_anybody_would_count_them(motion, slope) -> None:
    assert counts(breathing(LOBES, motion=motion), slope) == (1, 1)
    swapped = dict(reversed(LOBES.items()))
    assert counts(breathing(swapped, motion=motion), slope) == (1, 1)


def striped(apart: tuple[int, int], stripes: int, outer: str, inner: str) -> Scene:
    """A part of one lobe, and beside it stripes of two, 1 mm each, whose stretches have one middle."""
    outers = [((2, apart[0], 2), (22, apart[1], 22))]
    outers += [((2, stripes + n, 2), (22, stripes + n + 1, 22)) for n in (0, 2, 4)]
    inners = [((2, stripes + n, 2), (22, stripes + n + 1, 22)) for n in (1, 3)]
    return breathing({f"lung_{outer}_lobe_left": outers, f"lung_{inner}_lobe_left": inners})


@pytest.mark.interpreted
@pytest.mark.parametrize(("apart", "stripes"), [((4, 9), 12), ((12, 17), 4)])
@pytest.mark.parametrize(("outer", "inner"), [("lower", "upper"), ("upper", "lower")])
@pytest.mark.parametrize("slope", [0.0, 0.11])
def test_of_two_stretches_with_one_middle_the_outer_counts_whichever_way_one_goes(
    apart, stripes, outer, inner, slope
) -> None:
    assert counts(striped(apart, stripes, outer, inner), slope) == (1, 0)


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
    # Where lobes overlap the last by name counts, so a speck is taken out of the others.
    holed = {name: box_mask(SHAPE, *boxes) for name, boxes in LOBES.items()}
    for name, boxes in added.items():
        speck = box_mask(SHAPE, *boxes)
        for other in holed:
            holed[other] &= ~speck
        holed[name] = holed.get(name, np.zeros(SHAPE, bool)) | speck
    plain = breathing(LOBES)
    masks = {s.name: (s.role, s.mask.layer == s.mask.label) for s in plain.structures}
    masks.update({name: (Role.LUNG, mask) for name, mask in holed.items()})
    assert counts(scene_of_masks(plain.grid, masks), slope) == (1, 1)


@pytest.mark.interpreted
def test_lung_on_both_sides_of_a_nodules_hole_is_one_puncture() -> None:
    nodule = ((7, 10, 7), (17, 20, 17))
    assert counts(breathing(LOBES, [nodule])) == (1, 1)
    # A channel from the hole to the side of the lung, and it is a way out.
    channel = ((17, 14, 11), (22, 16, 13))
    assert counts(breathing(LOBES, [nodule, channel])) == (2, 1)


@pytest.mark.interpreted
@pytest.mark.parametrize(
    ("depths", "wanted"),
    [
        ([3], (0, 0)),
        ([3, 13, 23], (1, 0)),
        ([3, 6, 9], (1, 0)),
        ([3, 20, 22, 40], (1, 0)),
        # Lung up to the skin.
        ([1, 2, 3, 5], (1, 0)),
    ],
)
def test_islands_are_a_puncture_where_they_come_to_one(depths, wanted) -> None:
    lung = {"lung_left": [((4, y, 4), (20, y + 1, 20)) for y in depths]}
    assert counts(breathing(lung)) == wanted


def test_a_part_of_the_target_within_lung_is_such_a_hole() -> None:
    plain = breathing(LOBES)
    masks = {s.name: (s.role, s.mask.layer == s.mask.label) for s in plain.structures}
    masks["node"] = (Role.TARGET, masks["node"][1] | box_mask(SHAPE, ((7, 10, 7), (17, 20, 17))))
    assert counts(scene_of_masks(plain.grid, masks)) == (1, 1)


def clipping(length_mm: float) -> tuple[Scene, MeasuredPath]:
    """A path at 45 degrees across the edge of a block of lung, which cuts off so much of it."""
    shape = (60, 60, 80)
    masks = {
        "body": (Role.SKIN, box_mask(shape, ((2, 2, 2), (58, 58, 78)))),
        "lung_left": (Role.LUNG, box_mask(shape, ((5, 15, 46), (55, 30, 55)))),
        "node": (Role.TARGET, box_mask(shape, ((26, 26, 26), (34, 34, 34)))),
    }
    dose_scene = scene_of_masks(grid_of(shape), masks)
    # The lung's edge is where y = 14.5 and z = 45.5; the path has y + z = 60 + beyond.
    beyond = length_mm / np.sqrt(2.0)
    point = np.array([30.2, 30.0 + beyond / 2.0, 30.0 + beyond / 2.0])
    measured = Measurer(dose_scene, Request().needle_assembly).measure(point, np.array([0.0, -1.0, 1.0]))
    assert measured is not None
    return dose_scene, measured


@pytest.mark.parametrize(
    ("length", "punctures", "words"),
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
def test_a_clip_of_lung_is_told_as_it_is_and_a_puncture_only_where_it_can_be(
    length, punctures, words
) -> None:
    made, measured = clipping(length)
    stated = length if length >= LUNG_ROUNDING_MM else 0.0
    assert measured.lung_length_mm == pytest.approx(stated, abs=1e-9)
    assert (measured.lung_length_mm == 0.0) == (stated == 0.0)
    assert measured.pleural_punctures == punctures
    assert_agreed(made, Request(), measured)
    path = to_path(measured, id="P1", rank=1, window="", approach="", pareto=True, seeds=())
    search = SearchReport(1, 0, 1, 2.0, True, 0.0, 0.0, 0.0, Proof.SAFE_LINE_NEAR_EACH, ())
    assert words in message_of(replace(BARE_PLAN, search=search, paths=(path,), skin_structures=()))


def test_no_void_is_found_where_there_is_none() -> None:
    plain = breathing(LOBES)
    assert plain.lung_voids is None
    assert lung_voids([], plain.target) is None


@pytest.mark.parametrize("number", [0, 2, 3, 4, 5, 7])
def test_search_and_verification_count_as_measuring_does_in_random_chests(number) -> None:
    chest = random_chest(number)
    asked = replace(chest.request, needle=replace(chest.request.needle, max_length_mm=150.0))
    lines = random_lines(Chest(chest.scene, asked), 60, number)
    found = _leaving(search_fields(chest.scene, asked), lines.point, lines.outward)
    measurer = Measurer(chest.scene, asked.needle_assembly)
    grid = chest.scene.grid
    compared = 0
    for n in range(len(found)):
        measured = measurer.measure(
            grid.to_patient(found.point_B[n]), grid.vectors_to_patient(found.outward_B[n])
        )
        if measured is None:
            continue
        said = found.quantities[n, [LUNG, PUNCTURES, FISSURES]].tolist()
        counted = [measured.lung_length_mm, measured.pleural_punctures, measured.fissures_crossed]
        assert said == pytest.approx(counted, abs=1e-5)
        assert_agreed(chest.scene, asked, measured)
        compared += measured.lung_length_mm > 0.0
    assert compared > 0
