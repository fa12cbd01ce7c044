"""Organs that lie beside the body as it was drawn are told of by their share, or refused."""

import numpy as np
import pytest
from box_scenes import box_mask, grid_of

from anatomy.errors import FrameMismatch
from anatomy.geometry.masks import MaskLayers
from anatomy.scene import Scene, scene
from anatomy.structures import Segmentation, Structure

SHAPE = (60, 50, 30)
BODY = box_mask(SHAPE, ((10, 8, 0), (40, 42, 30)))
HEART = ((15, 15, 5), (25, 35, 20))
NODE = ((28, 20, 12), (33, 25, 17))


def made(body: np.ndarray, **organs: np.ndarray) -> Scene:
    layers = MaskLayers(SHAPE)
    masks = {"body": body, "heart": box_mask(SHAPE, HEART), "node_4R": box_mask(SHAPE, NODE), **organs}
    parts = tuple(Structure(n, layers.add(n, m)) for n, m in masks.items())
    return scene(Segmentation(grid_of(SHAPE, (3.0, 3.0, 3.0)), parts, ()))


def notes(of: Scene) -> list[str]:
    return [note for note in of.notes if "as it was drawn" in note]


@pytest.mark.parametrize(("beyond", "told"), [(0, False), (1, False), (2, False), (3, True), (9, True)])
def test_an_organ_that_leaves_the_body_is_told_of_by_its_share(beyond: int, told: bool) -> None:
    liver = box_mask(SHAPE, ((30 + beyond, 10, 3), (40 + beyond, 16, 9)))
    note_texts = notes(made(BODY, liver=liver))
    assert bool(note_texts) is told
    if told:
        assert note_texts[0].startswith(f"{10 * beyond} % of liver lies outside the body as it was drawn")


def test_organs_that_mostly_lie_outside_are_refused() -> None:
    lungs = {
        f"lung_{side}": box_mask(SHAPE, ((38, 10, k), (58, 40, k + 13)))
        for side, k in (("left", 2), ("right", 15))
    }
    with pytest.raises(FrameMismatch, match="structures lies outside the body as it was"):
        made(BODY, **lungs)


def test_one_large_stray_organ_is_told_of() -> None:
    liver = box_mask(SHAPE, ((38, 10, 2), (58, 40, 28)))
    assert notes(made(BODY, liver=liver))[0].startswith("90 % of liver lies")


def test_what_the_body_of_a_label_map_encloses_lies_inside() -> None:
    heart = box_mask(SHAPE, HEART)
    assert notes(made(BODY & ~heart)) == []


def test_an_organ_that_the_edge_of_the_field_of_view_cuts_lies_inside() -> None:
    """A small field of view: body at its sides, and a lung that the body of a label map leaves out."""
    lung = box_mask(SHAPE, ((48, 12, 0), (60, 38, 30)))
    body = box_mask(SHAPE, ((0, 8, 0), (60, 42, 30))) & ~lung
    assert notes(made(body, lung_left=lung)) == []
