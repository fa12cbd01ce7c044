"""Names: a synthetic rib cage with known spaces, its mirror image, and the built-in thorax."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import MaskLayers
from anatomy.scene import Scene, scene
from anatomy.structures import Role, Segmentation, Structure
from anatomy.thorax import thorax
from planner.measuring.measure import Measurer
from planner.measuring.measured import MeasuredPath
from planner.paths.approach_names import approach_of, window_place
from planner.paths.chest_wall import is_rib, points_between, rib_space
from planner.records.paths import Crossing
from planner.records.request.request import Request
from planner.records.wording.windows import window_text

SHAPE, SPACING = (150, 120, 140), 2.0
ORIGIN_P = np.array([-149.0, -119.0, -139.0])
SLOPE = 0.4
"""Ribs slope downwards to the front by this much for each mm, like real ones."""


def window_named(scene, measured) -> str:
    """The name of the path's window."""
    return window_text(window_place(scene, measured))


def rib_z(number: int, y: float) -> float:
    """Height of a lateral rib's centre line at y. [mm]"""
    return 80.0 - 24.0 * number + SLOPE * y


def bones(grid: Grid) -> dict[str, np.ndarray]:
    """A symmetric cage: sternum, spine, clavicles, and ribs 1 to 6 on each side as sloping bars."""
    x, y, z = np.moveaxis(grid.to_patient(np.moveaxis(np.indices(grid.shape), 0, -1) * SPACING), -1, 0)
    parts = {
        "sternum": (np.abs(x) < 20) & (np.abs(y + 94) < 6) & (np.abs(z) < 70),
        "vertebrae_T5": (np.abs(x) < 20) & (np.abs(y - 70) < 25),
    }
    for side, sign in (("left", 1), ("right", -1)):
        lateral_x = sign * x
        parts[f"clavicula_{side}"] = (
            (lateral_x > 25) & (lateral_x < 110) & (np.abs(y + 80) < 5) & (np.abs(z - 85) < 5)
        )
        for number in range(1, 7):
            lateral = (np.abs(lateral_x - 128) < 4) & (np.abs(y) < 85)
            anterior = (lateral_x > 55) & (lateral_x < 132) & (np.abs(y + 88) < 4)
            posterior = (lateral_x > 25) & (lateral_x < 132) & (np.abs(y - 88) < 4)
            height = np.abs(z - (80.0 - 24.0 * number + SLOPE * y)) < 5
            parts[f"rib_{side}_{number}"] = (lateral | anterior | posterior) & height
    return parts


GRID = Grid(SHAPE, np.array([[2.0, 0, 0, -149], [0, 2, 0, -119], [0, 0, 2, -139], [0, 0, 0, 1]]))


def rib_cage_scene(keep=lambda name: True, merge_ribs: bool = False) -> Scene:
    layers = MaskLayers(SHAPE)
    parts = {name: mask for name, mask in bones(GRID).items() if keep(name)}
    if merge_ribs:
        for side in ("left", "right"):
            ribs = [parts.pop(name) for name in list(parts) if name.startswith(f"rib_{side}")]
            parts[f"ribs_{side}"] = np.logical_or.reduce(ribs)
    structures = [Structure(name, layers.add(name, mask), Role.FORBIDDEN) for name, mask in parts.items()]
    body = np.zeros(SHAPE, bool)
    body[4:-4, 4:-4] = True
    node = np.zeros(SHAPE, bool)
    node[70:80, 55:65, 65:75] = True
    structures.append(Structure("body", layers.add("body", body), Role.SKIN))
    structures.append(Structure("node", layers.add("node", node), Role.TARGET))
    return scene(Segmentation(GRID, tuple(structures), ()))


@pytest.fixture(scope="module")
def cage() -> Scene:
    """Each rib under its own name."""
    return rib_cage_scene()


@pytest.fixture(scope="module")
def cage_of_merged_ribs() -> Scene:
    return rib_cage_scene(merge_ribs=True)


@pytest.fixture(scope="module")
def no_bones() -> Scene:
    return rib_cage_scene(lambda name: False)


def line(entry, tip, *crossed: str) -> MeasuredPath:
    entry, tip = np.array(entry, dtype=float), np.array(tip, dtype=float)
    length = float(np.linalg.norm(tip - entry))
    return MeasuredPath(
        entry_mm=tuple(entry.tolist()),
        tip_mm=tuple(tip.tolist()),
        direction=tuple(((tip - entry) / length).tolist()),
        length_mm=length,
        lung_length_mm=0.0,
        pleural_punctures=0,
        fissures_crossed=0,
        clearance_mm=3.0,
        nearest_structure="",
        crosses=tuple(Crossing(name, 1.0, 2.0) for name in crossed),
        axial_angle_deg=0.0,
        craniocaudal_angle_deg=0.0,
        target_chord_mm=10.0,
    )


def lateral(number: int, y: float, side: int) -> MeasuredPath:
    """A straight path through the lateral wall, halfway between two ribs at y."""
    z = rib_z(number, y) - 12.0
    return line((side * 145, y, z), (0, y, z))


@pytest.mark.parametrize(
    ("path", "approach", "window"),
    [
        (line((0, -110, 0), (0, 0, 0), "sternum"), "transsternal", "transsternal"),
        (line((5, -105, 90), (0, 0, 0)), "suprasternal", "suprasternal"),
        (line((60, -80, 110), (20, 0, 0)), "supraclavicular", "supraclavicular left"),
        (line((-30, -110, 10), (0, 0, 0)), "parasternal", "parasternal right"),
        (line((42, -110, 10), (30, 0, 0)), "parasternal", "parasternal left"),
        (line((10, -105, -85), (0, 0, 0)), "subxiphoid", "subxiphoid"),
        (line((-40, 110, 10), (-25, 0, 10)), "paravertebral", "paravertebral right, between ribs 4 and 5"),
        (line((80, -110, -125), (30, 0, -90)), "subcostal", "subcostal left"),
        (lateral(3, 20, -1), "intercostal lateral", "intercostal right, between ribs 3 and 4, lateral"),
        (
            line((-60, -110, rib_z(2, -88) - 12), (-40, 0, rib_z(2, -88) - 12)),
            "intercostal anterior",
            "intercostal right, between ribs 2 and 3, anterior",
        ),
        (
            line((90, 110, rib_z(4, 88) - 12), (60, 0, rib_z(4, 88) - 12)),
            "intercostal posterior",
            "intercostal left, between ribs 4 and 5, posterior",
        ),
    ],
)
def test_paths_have_radiological_names(cage, path, approach, window):
    assert approach_of(cage, path) == approach
    assert window_named(cage, path) == window


@pytest.mark.parametrize("side", ["left", "right"])
def test_beside_the_spine_a_path_has_the_side_of_its_entry(side):
    """Only the ribs of one side exist, and the path approaches them from the other side."""
    scene = rib_cage_scene(lambda name: not name.startswith("rib") or side in name)
    sign, entry_side = (1, "right") if side == "left" else (-1, "left")
    path = line((-25 * sign, -110, 10), (70 * sign, -80, 10))
    assert rib_space(scene, path).side == side
    assert f" {entry_side}" in window_named(scene, path)


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("number", [1, 3, 5])
@pytest.mark.parametrize("y", [-50.0, 0.0, 50.0])
def test_sloping_ribs_are_counted_where_the_needle_passes_them(cage, side, number, y):
    space = rib_space(cage, lateral(number, y, side))
    assert (space.above.number, space.below.number) == (number, number + 1)
    assert space.side == ("left" if side > 0 else "right")
    assert space.numbers == (number, number + 1)
    # 12 mm from each centre line, perpendicular to the slope, minus half a rib
    expected = (12 - 5) / np.hypot(1, SLOPE)
    assert space.above.distance_mm == pytest.approx(expected, abs=SPACING)


@given(
    st.tuples(st.floats(-140, 140), st.floats(-110, 110), st.floats(-60, 60)),
    st.tuples(st.floats(-20, 20), st.floats(-20, 20), st.floats(-20, 20)),
)
def test_the_mirrored_path_has_the_other_side_and_the_same_name(cage, entry, tip):
    if abs(entry[0]) < 1e-3 or np.linalg.norm(np.subtract(entry, tip)) < 20:
        return
    name = window_named(cage, line(entry, tip))
    mirrored_name = window_named(cage, line((-entry[0], *entry[1:]), (-tip[0], *tip[1:])))
    expected = name.replace("left", "LEFT").replace("right", "left").replace("LEFT", "right")
    assert mirrored_name == expected


def test_unnumbered_ribs_give_the_side_and_the_sector(cage_of_merged_ribs):
    assert window_named(cage_of_merged_ribs, lateral(3, 20, -1)) == "intercostal right, lateral"
    assert window_named(cage_of_merged_ribs, line((-40, 110, 10), (-25, 0, 10))) == "paravertebral right"
    space = rib_space(cage_of_merged_ribs, lateral(3, 20, -1))
    assert space.above is not None
    assert space.below is not None


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ((-30, -110, 0), "anterior right"),
        ((30, -110, 0), "anterior left"),
        ((140, 0, 0), "lateral left"),
        ((-30, 110, 0), "posterior right"),
    ],
)
def test_without_bones_the_direction_gives_the_name(no_bones, entry, name):
    assert window_named(no_bones, line(entry, (0, 0, 0))) == name


def test_the_first_passage_of_the_rib_cage_counts_and_not_the_nearest_rib(cage):
    # The path enters between the right ribs 3 and 4 and ends near rib 3 of the left side.
    z = rib_z(3, 0) - 12
    space = rib_space(cage, line((-145, 0, z), (122, 0, rib_z(3, 0) - 6)))
    assert space.side == "right"
    assert (space.above.number, space.below.number) == (3, 4)


def test_a_path_below_the_last_or_above_the_first_rib_has_one_number(cage):
    below = line((145, 0, rib_z(6, 0) - 20), (0, 0, rib_z(6, 0) - 20))
    assert rib_space(cage, below).numbers == (6, None)
    above = line((145, 0, rib_z(1, 0) + 20), (0, 0, rib_z(1, 0) + 20))
    assert rib_space(cage, above).numbers == (None, 1)


def test_without_ribs_there_is_no_rib_space(no_bones):
    space = rib_space(no_bones, lateral(3, 20, -1))
    assert (space.above, space.below, space.side, space.numbers) == (None, None, None, (None, None))


def test_without_a_spine_the_sternum_gives_the_midline():
    scene = rib_cage_scene(lambda name: name == "sternum")
    assert window_named(scene, line((-60, -110, 0), (-50, 0, 0))) == "anterior right"
    assert window_named(scene, line((30, -110, 0), (30, 0, 0))) == "parasternal left"


def test_a_path_below_the_sternum_is_not_parasternal(cage):
    assert approach_of(cage, line((30, -118, -68), (30, -18, -68))) == "parasternal"
    assert approach_of(cage, line((30, -118, -68), (30, -60, -138))) != "parasternal"


@pytest.mark.parametrize(
    ("name", "rib"),
    [("rib_left_4", True), ("ribs_right", True), ("costal_cartilage_left", False), ("sternum", False)],
)
def test_names_of_ribs(name, rib):
    assert is_rib(name) == rib


def test_points_between_two_corners_are_the_voxels_in_the_box(cage):
    rng = np.random.default_rng(2)
    sternum = cage.structure("sternum")
    points_P = cage.grid.to_patient((np.argwhere(sternum.mask.cropped()) + sternum.mask.lower) * SPACING)
    for _ in range(20):
        a, b = np.sort(rng.uniform(-110, 110, (2, 3)), axis=0)
        expected = points_P[((points_P >= a) & (points_P <= b)).all(axis=1)]
        assert np.array_equal(points_between([sternum], cage.grid, a, b), expected)


def test_the_built_in_thorax_has_a_parasternal_path_to_its_prevascular_node():
    segmentation = thorax(3.0)
    full_scene = scene(segmentation, ("node_3A",))
    target = full_scene.target
    middle = full_scene.grid.to_patient(
        (np.argwhere(target.cropped()).mean(axis=0) + target.lower) * full_scene.grid.spacing_mm
    )
    measurer = Measurer(full_scene, Request().needle_assembly)
    outward = np.array([-0.58, -0.8, -0.14])
    path = measurer.measure(middle, outward)
    assert path is not None
    assert path.lung_length_mm == 0.0
    assert window_named(full_scene, path) == "parasternal right"
