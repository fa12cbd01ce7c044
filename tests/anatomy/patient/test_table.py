"""Tables: one that is not below the patient was segmented in another pose, and a note says so."""

import numpy as np
import pytest
from box_scenes import box_mask, grid_of

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import MaskLayers, mask_from_bool
from anatomy.patient.pose import Position, gravity_P
from anatomy.patient.table import lies_below, row_ends_P
from anatomy.scene import PoseInput, Scene, scene
from anatomy.structures import Segmentation, Structure

SHAPE, GRID = (60, 60, 40), grid_of((60, 60, 40), (5.0, 5.0, 5.0))
PARTS = {
    "body": ((10, 15, 0), (50, 45, 40)),
    "heart": ((25, 20, 10), (35, 28, 18)),
    "node_4R": ((22, 26, 22), (26, 30, 26)),
}
POSTERIOR_TABLE, ANTERIOR_TABLE = ((5, 48, 0), (55, 52, 40)), ((5, 8, 0), (55, 12, 40))


def scene_with_table(table, position: Position, name: str = "ct_table", named: str = "derive") -> Scene:
    return scene_with_tables({name: [table]}, position, named)


def scene_with_tables(
    tables, position: Position = Position.SUPINE, named: str = "derive", roles=None, rotation_deg: float = 0.0
) -> Scene:
    """The patient with tables, each made of boxes."""
    layers = MaskLayers(SHAPE)
    boxes = {**{name: [box] for name, box in PARTS.items()}, **tables}
    parts = tuple(
        Structure(n, layers.add(n, box_mask(SHAPE, *structure_boxes))) for n, structure_boxes in boxes.items()
    )
    pose = PoseInput(position, rotation_deg, named)
    return scene(Segmentation(GRID, parts, ()), roles=roles, pose=pose)


def notes_on_table(full_scene: Scene) -> list[str]:
    return [note for note in full_scene.notes if "does not lie below" in note]


@pytest.mark.parametrize(
    ("table", "position", "below"),
    [
        (POSTERIOR_TABLE, Position.SUPINE, True),
        (ANTERIOR_TABLE, Position.PRONE, True),
        (ANTERIOR_TABLE, Position.SUPINE, False),
        (POSTERIOR_TABLE, Position.PRONE, False),
        (POSTERIOR_TABLE, Position.LEFT_LATERAL, False),
    ],
)
@pytest.mark.parametrize(
    ("name", "named"), [("ct_table", "derive"), ("ct_table", "ct_table"), ("mattress", "mattress")]
)
def test_a_table_that_is_not_below_is_reported_and_replaced_by_a_plane(
    name, named, table, position, below
) -> None:
    full_scene = scene_with_table(table, position, name, named)
    assert (full_scene.pose.table is None) is below
    assert notes_on_table(full_scene) == (
        []
        if below
        else [
            f"{name} does not lie below the patient, whose planned position is {position}; a plane below "
            "the skin replaces the table. Check the position."
        ]
    )


@pytest.mark.parametrize("name", ["arm", "bed_sheet", "overbed_table", "tumor_bed"])
def test_a_structure_that_is_no_table_by_name_is_ignored(name: str) -> None:
    for boxes in ([ANTERIOR_TABLE], [POSTERIOR_TABLE]):
        full_scene = scene_with_tables({name: boxes}, roles={name: "outside"})
        assert notes_on_table(full_scene) == []
        assert full_scene.pose.table is not None


@pytest.mark.parametrize(
    "name", ["table", "CT_Table", "couch", "CouchSurface", "Couch_Rail_L", "patient_bed"]
)
def test_tables_are_recognised_by_name(name: str) -> None:
    assert scene_with_tables({name: [POSTERIOR_TABLE]}).pose.table is None


SIDES = [((5, 20, 0), (9, 52, 40)), ((51, 20, 0), (55, 52, 40))]
"""Side walls of a cushion, or rails of a table, up to three quarters of the patient's height."""


@pytest.mark.parametrize(
    "boxes",
    [
        [POSTERIOR_TABLE, *SIDES],
        [((5, 46, 0), (55, 50, 40)), *SIDES],
        [POSTERIOR_TABLE, ((30, 0, 20), (32, 2, 22))],
        [POSTERIOR_TABLE, ((56, 16, 0), (58, 50, 40))],
    ],
    ids=["wrapped cushion", "thick cushion", "stray block above", "rail on one side"],
)
@pytest.mark.parametrize(("name", "named"), [("ct_table", "derive"), ("vacuum_cushion", "vacuum_cushion")])
def test_walls_rails_and_stray_blocks_do_not_change_a_table_below_the_patient(
    boxes, name: str, named: str
) -> None:
    full_scene = scene_with_tables({name: boxes}, named=named)
    assert full_scene.pose.table is None
    assert notes_on_table(full_scene) == []
    for position in (Position.PRONE, Position.LEFT_LATERAL, Position.RIGHT_LATERAL):
        other_pose = scene_with_tables({name: boxes}, position, named)
        assert other_pose.pose.table is not None
        assert len(notes_on_table(other_pose)) == 1


@pytest.mark.parametrize(("last", "below"), [(34, False), (35, True)])
def test_a_table_is_below_if_its_centroid_is_a_quarter_of_the_half_thickness_below_the_middle(
    last: int, below: bool
) -> None:
    """The centroid is 3.5 or 4 voxels below the patient's middle, at 29.5; half the thickness is 14.5."""
    posts = [((0, 33, 0), (8, last, 40)), ((52, 33, 0), (60, last, 40))]
    full_scene = scene_with_tables({"ct_table": posts})
    assert (full_scene.pose.table is None) is below
    assert (notes_on_table(full_scene) == []) is below


@pytest.mark.parametrize(("position", "below"), [(Position.SUPINE, True), (Position.LEFT_LATERAL, False)])
def test_half_a_table_behind_a_patient_is_not_below_in_a_lateral_position(position, below: bool) -> None:
    full_scene = scene_with_tables({"ct_table": [((30, 48, 0), (58, 52, 40))]}, position)
    assert (full_scene.pose.table is None) is below
    assert (notes_on_table(full_scene) == []) is below


@pytest.mark.parametrize(
    ("rotation_deg", "below"), [(0, True), (40, True), (50, False), (-40, True), (-50, False)]
)
def test_a_table_is_not_below_a_patient_rolled_by_more_than_45_degrees(rotation_deg, below) -> None:
    full_scene = scene_with_tables({"ct_table": [POSTERIOR_TABLE]}, rotation_deg=rotation_deg)
    assert (full_scene.pose.table is None) is below
    assert (notes_on_table(full_scene) == []) is below


def scene_lying_on_side(couch, first: int, position: Position) -> Scene:
    """The patient, 120 mm thick starting at voxel `first`, with a couch beside or behind."""
    boxes = {"body": ((10, 0, 0), (50, 24, 40)), "heart": ((25, 8, 10), (35, 14, 18))}
    boxes["node_4R"] = ((22, 16, 22), (26, 20, 26))
    moved_boxes = {n: [((a, b + first, c), (d, e + first, f))] for n, ((a, b, c), (d, e, f)) in boxes.items()}
    return scene_with_tables({**moved_boxes, "ct_table": [couch]}, position)


LEFT_SIDE, RIGHT_SIDE = ((51, 0, 0), (55, 60, 40)), ((5, 0, 0), (9, 60, 40))
"""A couch of 300 mm, like one of 530 mm for a patient 210 mm thick."""


@pytest.mark.parametrize("first", [0, 4, 12, 18, 24, 33, 36])
def test_a_couch_is_below_a_patient_lying_on_the_side_anywhere_on_it(first: int) -> None:
    for couch, position_on_couch, opposite_position in (
        (LEFT_SIDE, Position.LEFT_LATERAL, Position.RIGHT_LATERAL),
        (RIGHT_SIDE, Position.RIGHT_LATERAL, Position.LEFT_LATERAL),
    ):
        full_scene = scene_lying_on_side(couch, first, position_on_couch)
        assert full_scene.pose.table is None
        assert notes_on_table(full_scene) == []
        for position in (opposite_position, Position.SUPINE, Position.PRONE):
            other_pose = scene_lying_on_side(couch, first, position)
            assert other_pose.pose.table is not None
            assert len(notes_on_table(other_pose)) == 1


@pytest.mark.parametrize(("first", "below"), [(38, True), (40, False)])
def test_a_table_must_reach_under_the_patients_middle_half(first, below) -> None:
    """The patient's half width is 19.5 voxels around the middle, at 29.5."""
    full_scene = scene_with_tables({"ct_table": [((first, 48, 0), (60, 52, 40))]})
    assert (full_scene.pose.table is None) is below
    assert (notes_on_table(full_scene) == []) is below


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turn_deg", [25.0, 140.0])
@pytest.mark.parametrize(
    ("first", "roll_deg", "below"),
    [
        (38, 0.0, True),
        (40, 0.0, False),
        (0, 40.0, True),
        (0, -40.0, True),
        (0, 50.0, False),
        (0, 90.0, False),
    ],
)
def test_an_oblique_or_mirrored_grid_does_not_change_the_result(
    first, roll_deg, below, turn_deg, mirrored
) -> None:
    turn = np.deg2rad(turn_deg)
    X_PV = np.eye(4)
    X_PV[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    X_PV[:3, :3] *= [-5.0 if mirrored else 5.0, 5.0, 4.0]
    body, table = (
        mask_from_bool(box_mask(SHAPE, box)) for box in (PARTS["body"], ((first, 48, 0), (60, 52, 40)))
    )
    grid = Grid(SHAPE, X_PV)
    gravity = gravity_P(Position.SUPINE, roll_deg - turn_deg)
    assert lies_below(table, row_ends_P(body, grid), gravity, grid) is below


@pytest.mark.parametrize(("rotation_deg", "below"), [(30, True), (-30, True), (60, False), (-60, False)])
def test_a_roll_is_detected_near_the_edge_of_a_table_too(rotation_deg: float, below: bool) -> None:
    full_scene = scene_with_tables({"ct_table": [((18, 48, 0), (60, 52, 40))]}, rotation_deg=rotation_deg)
    assert (full_scene.pose.table is None) is below
    assert (notes_on_table(full_scene) == []) is below


RAIL = ((55, 44, 0), (58, 50, 40))
"""Its centre is 26.5 voxels beside the patient's middle (half width 19.5) and 17 below (half thickness
14.5)."""


def test_a_separate_rail_beside_the_patient_belongs_to_the_couch_below() -> None:
    full_scene = scene_with_tables({"couch_surface": [POSTERIOR_TABLE], "couch_rail_left": [RAIL]})
    assert full_scene.pose.table is None
    assert notes_on_table(full_scene) == []


def test_a_rail_alone_is_no_table_below() -> None:
    for position in (Position.SUPINE, Position.LEFT_LATERAL):
        full_scene = scene_with_tables({"couch_rail_left": [RAIL]}, position)
        assert full_scene.pose.table is not None
        assert notes_on_table(full_scene)[0].startswith("couch_rail_left does not lie below the patient")


def test_of_two_tables_the_one_above_is_reported_and_the_one_below_is_used() -> None:
    full_scene = scene_with_tables({"ct_table": [POSTERIOR_TABLE], "patient_bed": [ANTERIOR_TABLE]})
    assert full_scene.pose.table is None
    assert notes_on_table(full_scene) == [
        "patient_bed does not lie below the patient, whose planned position is supine. Check the position."
    ]
