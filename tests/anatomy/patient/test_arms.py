"""Arms that touch the trunk are one body with it: their bones show it, and a note says so."""

import numpy as np
import pytest
from box_scenes import box_mask, grid_of

from anatomy.geometry.masks import MaskLayers
from anatomy.scene import scene
from anatomy.structures import Segmentation, Structure

SHAPE, GRID = (60, 40, 60), grid_of((60, 40, 60), (5.0, 5.0, 5.0))
TRUNK, ARM, APART = ((5, 5, 0), (40, 35, 60)), ((40, 12, 2), (50, 24, 58)), ((44, 12, 2), (54, 24, 58))
ORGANS = {"heart": ((18, 12, 20), (26, 20, 28)), "node_4R": ((18, 22, 30), (22, 26, 34))}


def notes(arm, humerus) -> list[str]:
    return notes_on_arms({"body": box_mask(SHAPE, TRUNK, arm), "humerus_left": box_mask(SHAPE, humerus)})


def notes_on_arms(masks) -> list[str]:
    layers = MaskLayers(SHAPE)
    masks = masks | {name: box_mask(SHAPE, box) for name, box in ORGANS.items()}
    parts = tuple(Structure(name, layers.add(name, mask)) for name, mask in masks.items())
    return [note for note in scene(Segmentation(GRID, parts, ())).notes if "arm" in note]


def test_an_arm_that_touches_the_trunk_is_reported() -> None:
    note_texts = notes(ARM, ((44, 16, 6), (47, 19, 56)))
    assert len(note_texts) == 1
    assert note_texts[0].startswith(
        "humerus_left lies deep inside the body: an arm that touches the trunk counts"
    )


@pytest.mark.parametrize(("slices", "reported"), [(23, False), (25, True)])
def test_a_shoulder_belongs_to_the_trunk(slices: int, reported: bool) -> None:
    """23 and 25 slices of 5 mm: 110 and 120 mm between the outermost centres, plus a little obliquely."""
    assert bool(notes(ARM, ((44, 16, 6), (46, 18, 6 + slices)))) is reported


def test_a_separate_arm_is_an_obstacle_and_no_part_of_the_body() -> None:
    assert notes(APART, ((47, 16, 6), (50, 19, 56))) == []


def test_an_arm_in_a_structure_outside_the_body_is_no_part_of_it() -> None:
    """Its bone is a separate structure that reaches the body at the shoulder."""
    bone = box_mask(SHAPE, ((36, 16, 6), (47, 19, 9)), ((44, 16, 6), (47, 19, 56)))
    masks = {"body": box_mask(SHAPE, TRUNK), "humerus_left": bone}
    masks["body_extremities"] = box_mask(SHAPE, ARM) & ~bone
    assert notes_on_arms(masks) == []


WIDE, WIDE_GRID = (60, 60, 60), grid_of((60, 60, 60), (5.0, 5.0, 5.0))
AT_A_SIDE = ((40, 12, 2), (60, 24, 58)), (((36, 16, 6), (60, 19, 9)), ((52, 16, 6), (60, 19, 56)))
IN_A_CORNER = ((40, 36, 2), (60, 60, 58)), (((38, 50, 6), (60, 53, 9)), ((54, 50, 6), (60, 60, 56)))


def notes_after_rotation(masks, quarter_turns: int) -> list[str]:
    """Notes on masks and organs rotated about the patient's length, to test each side of the slice."""
    layers = MaskLayers(WIDE)
    masks = masks | {name: box_mask(WIDE, box) for name, box in ORGANS.items()}
    rotated = {name: np.rot90(mask, quarter_turns).copy() for name, mask in masks.items()}
    parts = tuple(Structure(name, layers.add(name, mask)) for name, mask in rotated.items())
    return [note for note in scene(Segmentation(WIDE_GRID, parts, ())).notes if "arm" in note]


@pytest.mark.parametrize("quarter_turns", range(4))
@pytest.mark.parametrize(("arm", "bone"), [AT_A_SIDE, IN_A_CORNER], ids=["side", "corner"])
def test_the_view_may_cut_an_arm_outside_the_body_and_its_bone(arm, bone, quarter_turns: int) -> None:
    """In a label map, the bone's section is a hole in the arm's section, open at the border."""
    humerus = box_mask(WIDE, *bone)
    masks = {
        "body": box_mask(WIDE, ((5, 5, 0), (40, 55, 60))),
        "humerus": humerus,
        "body_extremities": box_mask(WIDE, arm) & ~humerus,
    }
    assert notes_after_rotation(masks, quarter_turns) == []


@pytest.mark.parametrize("quarter_turns", range(4))
def test_arms_around_a_cut_trunk_do_not_enclose_it(quarter_turns: int) -> None:
    """The arms meet in front of the trunk and end at the border behind it."""
    masks = {
        "body": box_mask(WIDE, ((5, 10, 0), (55, 60, 60))),
        "humerus": box_mask(WIDE, ((44, 16, 6), (47, 19, 56))),
        "arms": box_mask(
            WIDE, ((1, 6, 2), (59, 10, 58)), ((1, 6, 2), (5, 60, 58)), ((55, 6, 2), (59, 60, 58))
        ),
    }
    notes = notes_after_rotation(masks, quarter_turns)
    assert len(notes) == 1 and notes[0].startswith("humerus lies deep inside the body")


@pytest.mark.parametrize("band", [((0, 0, 2), (60, 3, 58)), ((57, 0, 2), (60, 40, 58))])
def test_an_arm_from_border_to_border_encloses_nothing(band) -> None:
    masks = {
        "body": box_mask(SHAPE, TRUNK, ARM),
        "humerus_left": box_mask(SHAPE, ((44, 16, 6), (47, 19, 56))),
    }
    assert len(notes_on_arms(masks | {"body_extremities": box_mask(SHAPE, band)})) == 1


@pytest.mark.parametrize("name", ["radius_left", "ulna_left", "carpal_left", "metacarpal_left"])
@pytest.mark.parametrize(("slices", "reported"), [(4, False), (6, True)])
def test_no_part_of_a_forearm_belongs_to_the_trunk(name: str, slices: int, reported: bool) -> None:
    masks = {"body": box_mask(SHAPE, TRUNK, ARM), name: box_mask(SHAPE, ((46, 16, 6), (47, 17, 6 + slices)))}
    assert bool(notes_on_arms(masks)) is reported


def test_two_shoulders_in_one_structure_are_no_arm() -> None:
    heads = box_mask(SHAPE, ((6, 16, 40), (9, 19, 50)), ((36, 16, 40), (39, 19, 50)))
    assert notes_on_arms({"body": box_mask(SHAPE, TRUNK), "humerus": heads}) == []


def test_a_bone_outside_the_body_is_not_reported() -> None:
    assert np.all(notes(APART, ((55, 2, 2), (58, 4, 58))) == [])
