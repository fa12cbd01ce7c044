"""Tables: one that does not lie below the patient was segmented in another pose, and that is told."""

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
BEHIND, BEFORE = ((5, 48, 0), (55, 52, 40)), ((5, 8, 0), (55, 12, 40))


def made(table, position: Position, name: str = "ct_table", named: str = "derive") -> Scene:
    return lying_on({name: [table]}, position, named)


def lying_on(
    tables, position: Position = Position.SUPINE, named: str = "derive", roles=None, rotation_deg: float = 0.0
) -> Scene:
    """The patient with tables, each of some boxes."""
    layers = MaskLayers(SHAPE)
    boxes = {**{name: [box] for name, box in PARTS.items()}, **tables}
    parts = tuple(Structure(n, layers.add(n, box_mask(SHAPE, *own))) for n, own in boxes.items())
    asked = PoseInput(position, rotation_deg, named)
    return scene(Segmentation(GRID, parts, ()), roles=roles, pose=asked)


def told(here: Scene) -> list[str]:
    return [note for note in here.notes if "does not lie below" in note]


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
    assert (here.pose.table is None) is below
    assert told(here) == (
        []
        if below
        else [
            f"{name} does not lie below the patient, whose planned position is {position}; a plane below "
            "the skin replaces the table. Check the position."
        ]
    )


@pytest.mark.parametrize("name", ["arm", "bed_sheet", "overbed_table", "tumor_bed"])
def test_what_is_no_table_by_its_family_is_not_looked_at_and_carries_nobody(name: str) -> None:
    for boxes in ([BEFORE], [BEHIND]):
        here = lying_on({name: boxes}, roles={name: "outside"})
        assert told(here) == []
        assert here.pose.table is not None


@pytest.mark.parametrize(
    "name", ["table", "CT_Table", "couch", "CouchSurface", "Couch_Rail_L", "patient_bed"]
)
def test_a_table_is_known_by_its_family(name: str) -> None:
    assert lying_on({name: [BEHIND]}).pose.table is None


SIDES = [((5, 20, 0), (9, 52, 40)), ((51, 20, 0), (55, 52, 40))]
"""Side walls of a cushion up to three quarters of the patient's height, and rails of a table."""


@pytest.mark.parametrize(
    "boxes",
    [
        [BEHIND, *SIDES],
        [((5, 46, 0), (55, 50, 40)), *SIDES],
        [BEHIND, ((30, 0, 20), (32, 2, 22))],
        [BEHIND, ((56, 16, 0), (58, 50, 40))],
    ],
    ids=["wrapped cushion", "thick cushion", "stray block above", "rail on one side"],
)
@pytest.mark.parametrize(("name", "named"), [("ct_table", "derive"), ("vacuum_cushion", "vacuum_cushion")])
def test_walls_rails_and_strays_take_no_table_from_below_the_patient(boxes, name: str, named: str) -> None:
    here = lying_on({name: boxes}, named=named)
    assert here.pose.table is None
    assert told(here) == []
    for position in (Position.PRONE, Position.LEFT_LATERAL, Position.RIGHT_LATERAL):
        turned = lying_on({name: boxes}, position, named)
        assert turned.pose.table is not None
        assert len(told(turned)) == 1


@pytest.mark.parametrize(("last", "below"), [(34, False), (35, True)])
def test_a_table_lies_below_from_a_quarter_of_half_the_patient_on(last: int, below: bool) -> None:
    """Its centroid lies 3.5 or 4 voxels beneath his middle, at 29.5; half of him is 14.5."""
    posts = [((0, 33, 0), (8, last, 40)), ((52, 33, 0), (60, last, 40))]
    here = lying_on({"ct_table": posts})
    assert (here.pose.table is None) is below
    assert (told(here) == []) is below


@pytest.mark.parametrize(("position", "below"), [(Position.SUPINE, True), (Position.LEFT_LATERAL, False)])
def test_half_a_table_behind_the_patient_is_not_below_him_when_he_is_turned(position, below: bool) -> None:
    here = lying_on({"ct_table": [((30, 48, 0), (58, 52, 40))]}, position)
    assert (here.pose.table is None) is below
    assert (told(here) == []) is below


@pytest.mark.parametrize(
    ("rotation_deg", "below"), [(0, True), (40, True), (50, False), (-40, True), (-50, False)]
)
def test_a_patient_who_is_rolled_by_more_than_half_a_right_angle_left_his_table(rotation_deg, below) -> None:
    here = lying_on({"ct_table": [BEHIND]}, rotation_deg=rotation_deg)
    assert (here.pose.table is None) is below
    assert (told(here) == []) is below


def on_his_side(couch, first: int, position: Position) -> Scene:
    """The patient, 120 mm thick from voxel `first` on, with a couch on one side of him or behind him."""
    own = {"body": ((10, 0, 0), (50, 24, 40)), "heart": ((25, 8, 10), (35, 14, 18))}
    own["node_4R"] = ((22, 16, 22), (26, 20, 26))
    moved = {n: [((a, b + first, c), (d, e + first, f))] for n, ((a, b, c), (d, e, f)) in own.items()}
    return lying_on({**moved, "ct_table": [couch]}, position)


LEFT_SIDE, RIGHT_SIDE = ((51, 0, 0), (55, 60, 40)), ((5, 0, 0), (9, 60, 40))
"""A couch of 300 mm, as one of 530 mm is to a patient who is 210 mm thick."""


@pytest.mark.parametrize("first", [0, 4, 12, 18, 24, 33, 36])
def test_a_couch_carries_who_lies_on_his_side_anywhere_on_it(first: int) -> None:
    for couch, down, up in (
        (LEFT_SIDE, Position.LEFT_LATERAL, Position.RIGHT_LATERAL),
        (RIGHT_SIDE, Position.RIGHT_LATERAL, Position.LEFT_LATERAL),
    ):
        here = on_his_side(couch, first, down)
        assert here.pose.table is None
        assert told(here) == []
        for position in (up, Position.SUPINE, Position.PRONE):
            turned = on_his_side(couch, first, position)
            assert turned.pose.table is not None
            assert len(told(turned)) == 1


@pytest.mark.parametrize(("first", "below"), [(38, True), (40, False)])
def test_a_table_that_does_not_reach_under_the_patients_middle_half_carries_nobody(first, below) -> None:
    """Of 19.5 voxels beside his middle, at 29.5."""
    here = lying_on({"ct_table": [((first, 48, 0), (60, 52, 40))]})
    assert (here.pose.table is None) is below
    assert (told(here) == []) is below


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
def test_an_oblique_or_mirrored_grid_changes_no_answer(first, roll_deg, below, turn_deg, mirrored) -> None:
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
def test_a_roll_is_told_of_who_lies_near_an_edge_of_his_table_too(rotation_deg: float, below: bool) -> None:
    here = lying_on({"ct_table": [((18, 48, 0), (60, 52, 40))]}, rotation_deg=rotation_deg)
    assert (here.pose.table is None) is below
    assert (told(here) == []) is below


RAIL = ((55, 44, 0), (58, 50, 40))
"""It stands 26.5 voxels beside the patient's middle, of 19.5, and 17 below it, of 14.5."""


def test_a_rail_of_its_own_beside_the_patient_belongs_to_the_couch_below_him() -> None:
    here = lying_on({"couch_surface": [BEHIND], "couch_rail_left": [RAIL]})
    assert here.pose.table is None
    assert told(here) == []


def test_a_rail_alone_carries_nobody() -> None:
    for position in (Position.SUPINE, Position.LEFT_LATERAL):
        here = lying_on({"couch_rail_left": [RAIL]}, position)
        assert here.pose.table is not None
        assert told(here)[0].startswith("couch_rail_left does not lie below the patient")


def test_of_two_tables_the_one_above_is_told_and_the_other_carries_him() -> None:
    here = lying_on({"ct_table": [BEHIND], "patient_bed": [BEFORE]})
    assert here.pose.table is None
    assert told(here) == [
        "patient_bed does not lie below the patient, whose planned position is supine. Check the position."
    ]
