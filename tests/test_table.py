"""Tables: one that does not lie below the patient was segmented in another pose, and that is told."""

import pytest
from made_scenes import box_mask, grid_of

from anatomy.pose import Position
from anatomy.scene import PoseInput, Scene, scene
from anatomy.structures import Layers, Segmentation, Structure

SHAPE, GRID = (60, 60, 40), grid_of((60, 60, 40), (5.0, 5.0, 5.0))
PARTS = {
    "body": ((10, 15, 0), (50, 45, 40)),
    "heart": ((25, 20, 10), (35, 28, 18)),
    "node_4R": ((22, 26, 22), (26, 30, 26)),
}
BEHIND, BEFORE = ((5, 48, 0), (55, 52, 40)), ((5, 8, 0), (55, 12, 40))


def made(table, position: Position, name: str = "ct_table", named: str = "derive") -> Scene:
    layers = Layers(SHAPE)
    boxes = {**PARTS, name: table}
    parts = tuple(Structure(n, layers.add(n, box_mask(SHAPE, box))) for n, box in boxes.items())
    return scene(Segmentation(GRID, parts, ()), pose=PoseInput(position, table=named))


@pytest.mark.parametrize(
    ("table", "position", "below"),
    [
        (BEHIND, Position.SUPINE, True),
        (BEFORE, Position.PRONE, True),
        (BEFORE, Position.SUPINE, False),
        (BEHIND, Position.PRONE, False),
        (BEHIND, Position.LEFT_LATERAL, False),
    ],
)
@pytest.mark.parametrize(
    ("name", "named"), [("ct_table", "derive"), ("ct_table", "ct_table"), ("mattress", "mattress")]
)
def test_a_table_that_is_not_below_is_told_and_a_plane_stands_in_for_it(
    name, named, table, position, below
) -> None:
    here = made(table, position, name, named)
    told = [note for note in here.notes if "does not lie below" in note]
    assert (here.pose.table is None) is below
    assert told == (
        []
        if below
        else [
            f"{name} does not lie below the patient, who is planned {position}; a plane below his skin "
            "stands in for the table. Check the position."
        ]
    )


def test_what_is_no_table_by_its_name_is_not_looked_at() -> None:
    here = made(BEFORE, Position.SUPINE, "arm")
    assert not any("below" in note for note in here.notes)
