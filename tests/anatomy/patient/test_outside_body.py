"""Organs outside the drawn body are reported with their share, or refused."""

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


def scene_with_body(body: np.ndarray, **organs: np.ndarray) -> Scene:
    layers = MaskLayers(SHAPE)
    masks = {"body": body, "heart": box_mask(SHAPE, HEART), "node_4R": box_mask(SHAPE, NODE), **organs}
    parts = tuple(Structure(n, layers.add(n, m)) for n, m in masks.items())
    return scene(Segmentation(grid_of(SHAPE, (3.0, 3.0, 3.0)), parts, ()))


def notes(full_scene: Scene) -> list[str]:
    return [note for note in full_scene.notes if "as it was drawn" in note]


@pytest.mark.parametrize(
    ("outside_voxels", "reported"), [(0, False), (1, False), (2, False), (3, True), (9, True)]
)
def test_an_organ_partly_outside_the_body_is_reported_with_its_share(
    outside_voxels: int, reported: bool
) -> None:
    liver = box_mask(SHAPE, ((30 + outside_voxels, 10, 3), (40 + outside_voxels, 16, 9)))
    note_texts = notes(scene_with_body(BODY, liver=liver))
    assert bool(note_texts) is reported
    if reported:
        assert note_texts[0].startswith(
            f"{10 * outside_voxels} % of liver lies outside the body as it was drawn"
        )


def test_organs_mostly_outside_the_body_are_refused() -> None:
    lungs = {
        f"lung_{side}": box_mask(SHAPE, ((38, 10, k), (58, 40, k + 13)))
        for side, k in (("left", 2), ("right", 15))
    }
    with pytest.raises(FrameMismatch, match="structures lies outside the body as it was"):
        scene_with_body(BODY, **lungs)


def test_one_large_stray_organ_is_reported() -> None:
    liver = box_mask(SHAPE, ((38, 10, 2), (58, 40, 28)))
    assert notes(scene_with_body(BODY, liver=liver))[0].startswith("90 % of liver lies")


def test_an_organ_enclosed_by_the_body_of_a_label_map_is_inside() -> None:
    heart = box_mask(SHAPE, HEART)
    assert notes(scene_with_body(BODY & ~heart)) == []


def test_an_organ_cut_by_the_edge_of_the_field_of_view_is_inside() -> None:
    """A small field of view: body at its sides, and a lung that is not part of the label map's body."""
    lung = box_mask(SHAPE, ((48, 12, 0), (60, 38, 30)))
    body = box_mask(SHAPE, ((0, 8, 0), (60, 42, 30))) & ~lung
    assert notes(scene_with_body(body, lung_left=lung)) == []
