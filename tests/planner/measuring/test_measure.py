"""Measuring: a chest of boxes with known numbers, rigid motion, and a real chest compared with point
samples."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from box_scenes import at_voxel, box_mask, chest, grid_of, pose_P, scene_of_masks
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from anatomy.geometry.frames import canonical, lps_from_ras
from anatomy.geometry.masks import mask_from_bool, masks_from_labels
from anatomy.scene import Scene, scene
from anatomy.structures import Role, Segmentation, Structure
from planner.measuring.angles import axial_angle_deg, craniocaudal_angle_deg
from planner.measuring.crossings import SHORTEST_MM
from planner.measuring.lung_passage import passage
from planner.measuring.measure import Measurer, measure
from planner.measuring.measured import MeasuredPath, to_path
from planner.records.paths import CLEARANCE_CAP_MM, LOBE_RUN_MM, PLEURAL_GAP_MM, PLEURAL_RUN_MM, SeedDrop
from planner.records.request.needle import Needle
from planner.records.request.pose import PoseRequest
from planner.records.request.request import Request

ANTERIOR = np.array([0.0, -1.0, 0.0])


def test_a_needle_from_the_front_has_the_numbers_of_the_boxes():
    small_scene = chest()
    path = measure(small_scene, Request().needle_assembly, at_voxel(small_scene.grid, 25, 25, 24), ANTERIOR)
    assert path is not None
    # Voxels of 2 x 2 x 3 mm. Skin at j = 8, lung from 14, node 22 to 28, heart from i = 32, seen from i = 25.
    assert path.entry_mm == pytest.approx((50.0, 15.0, 72.0))
    assert path.tip_mm == pytest.approx((50.0, 55.0, 72.0))
    assert path.direction == pytest.approx((0.0, 1.0, 0.0))
    assert path.length_mm == pytest.approx(40.0)
    assert path.lung_length_mm == pytest.approx(16.0)
    assert path.target_chord_mm == pytest.approx(12.0)
    assert (path.pleural_punctures, path.fissures_crossed) == (1, 0)
    assert [(c.structure, c.from_mm, c.to_mm) for c in path.crosses] == [
        ("lung_upper_lobe_right", pytest.approx(12.0), pytest.approx(40.0)),
        ("node", pytest.approx(28.0), pytest.approx(40.0)),
    ]
    # Vertebrae start at i = 28, j = 34; the tip is at j = 27.5: they are 5 mm to its left, 12 mm behind.
    heart = np.hypot(63 - 50, 72 - 58.5)
    assert path.nearest_structure == "vertebrae"
    assert np.hypot(5, 12) < heart
    assert path.clearance_mm == pytest.approx(np.hypot(5, 12) - 0.635)
    assert (path.axial_angle_deg, path.craniocaudal_angle_deg) == (0.0, 0.0)


def test_the_tip_is_at_the_far_edge_from_every_direction():
    small_scene = chest()
    point_P = at_voxel(small_scene.grid, 25, 25, 24)
    right = measure(small_scene, Request().needle_assembly, point_P, np.array([-1.0, 0.0, 0.0]))
    assert right is not None
    assert right.tip_mm[0] == pytest.approx(63.0)
    assert right.target_chord_mm == pytest.approx(16.0)
    assert right.axial_angle_deg == pytest.approx(90.0)
    front = measure(small_scene, Request().needle_assembly, point_P, ANTERIOR)
    assert front is not None
    assert front.tip_mm[1] == pytest.approx(55.0)


@given(st.floats(-60, 60), st.floats(0.1, 5))
def test_any_point_and_any_direction_length_define_the_same_line(offset_mm, scale):
    small_scene = chest()
    outward = np.array([-0.3, -1.0, 0.1])
    point_P = at_voxel(small_scene.grid, 25, 25, 24)
    path = measure(small_scene, Request().needle_assembly, point_P, outward)
    same_path = measure(
        small_scene, Request().needle_assembly, point_P + offset_mm * outward, scale * outward
    )
    assert path is not None
    assert same_path is not None
    assert same_path.entry_mm == pytest.approx(path.entry_mm, abs=1e-9)
    assert same_path.lung_length_mm == pytest.approx(path.lung_length_mm, abs=1e-9)


class TestNoPath:
    small_scene = chest()
    centre_P = at_voxel(small_scene.grid, 25, 25, 24)

    def test_a_line_beside_the_target(self):
        assert (
            measure(
                self.small_scene,
                Request().needle_assembly,
                at_voxel(self.small_scene.grid, 20, 25, 24),
                ANTERIOR,
            )
            is None
        )

    def test_a_line_through_the_targets_box_that_meets_no_voxel_of_it(self):
        grid = self.small_scene.grid
        corners = box_mask(grid.shape, ((20, 20, 20), (22, 22, 22)), ((29, 29, 29), (31, 31, 31)))
        body = box_mask(grid.shape, ((5, 5, 5), (45, 45, 35)))
        small_scene = scene_of_masks(grid, {"body": (Role.SKIN, body), "node": (Role.TARGET, corners)})
        assert measure(small_scene, Request().needle_assembly, at_voxel(grid, 25, 25, 25), ANTERIOR) is None
        assert (
            measure(small_scene, Request().needle_assembly, at_voxel(grid, 20, 25, 20), ANTERIOR) is not None
        )

    def test_a_needle_that_is_too_short(self):
        reaching = Request(needle=Needle(max_length_mm=40.1))
        assert measure(self.small_scene, reaching.needle_assembly, self.centre_P, ANTERIOR) is not None
        short = Request(needle=Needle(max_length_mm=39.9))
        assert measure(self.small_scene, short.needle_assembly, self.centre_P, ANTERIOR) is None

    @pytest.mark.parametrize("outward", [(0, 0, 1), (0, 0.2, -1), (0.1, 0, 1)])
    def test_an_entry_through_the_cut_edge(self, outward):
        assert (
            measure(
                self.small_scene, Request().needle_assembly, self.centre_P, np.array(outward, dtype=float)
            )
            is None
        )

    def test_a_needle_that_meets_the_body_again(self):
        grid = grid_of((60, 60, 20))
        # A U-shaped body: a needle that leaves one arm enters the other.
        u = box_mask(
            grid.shape, ((5, 5, 2), (15, 55, 18)), ((35, 5, 2), (45, 55, 18)), ((5, 45, 2), (45, 55, 18))
        )
        node = box_mask(grid.shape, ((8, 20, 8), (12, 24, 12)))
        small_scene = scene_of_masks(grid, {"body": (Role.PASSABLE, u), "node": (Role.TARGET, node)})
        # The hollow is open to the front, so it is not filled.
        small_scene = replace(small_scene, body=mask_from_bool(u))
        point_P = at_voxel(grid, 10, 22, 10)
        leftwards = np.array([1.0, 0.0, 0.0])
        assert measure(small_scene, Request().needle_assembly, point_P, leftwards) is None
        hub_inside = Request(needle=Needle(max_length_mm=20.0), pose=PoseRequest(hub_length_mm=30.0))
        assert measure(small_scene, hub_inside.needle_assembly, point_P, leftwards) is None
        short = replace(hub_inside, pose=PoseRequest(hub_length_mm=2.0))
        path = measure(small_scene, short.needle_assembly, point_P, leftwards)
        assert path is not None
        assert path.length_mm == pytest.approx(7.0)
        assert measure(small_scene, Request().needle_assembly, point_P, -leftwards) is not None

    def test_a_target_voxel_outside_the_body(self):
        grid = self.small_scene.grid
        body = self.small_scene.body.layer == self.small_scene.body.label
        small_scene = replace(
            self.small_scene, body=mask_from_bool(body & (np.arange(grid.shape[1]) < 24)[:, None])
        )
        assert measure(small_scene, Request().needle_assembly, self.centre_P, ANTERIOR) is None


def test_without_obstacles_clearance_is_the_cap_without_a_name():
    grid = grid_of((30, 30, 30))
    body = box_mask(grid.shape, ((3, 3, 3), (27, 27, 27)))
    node = box_mask(grid.shape, ((14, 14, 14), (17, 17, 17)))
    scene = scene_of_masks(grid, {"body": (Role.SKIN, body), "node": (Role.TARGET, node)})
    path = measure(scene, Request().needle_assembly, at_voxel(grid, 15, 15, 15), ANTERIOR)
    assert path is not None
    assert (path.clearance_mm, path.nearest_structure) == (CLEARANCE_CAP_MM, "")


def test_clearance_counts_the_needle_outside_the_body():
    arm = {"humerus": (Role.FORBIDDEN, ((20, 0, 20), (23, 2, 30)))}
    without_arm, with_arm = chest(), chest(**arm)
    with_arm = replace(with_arm, body=without_arm.body)
    path = measure(with_arm, Request().needle_assembly, at_voxel(without_arm.grid, 25, 25, 24), ANTERIOR)
    assert path is not None
    assert path.nearest_structure == "humerus"
    assert path.clearance_mm == pytest.approx(5.0 - 0.635)


directions = st.tuples(*[st.floats(-1, 1)] * 3).map(np.array).filter(lambda d: np.linalg.norm(d) > 0.1)


nods, turns = st.floats(-30, 30), st.floats(-180, 180)
"""Rotations that keep the patient's length nearest to z; otherwise, flat sides of the box would count as its
ends."""


@given(directions, st.tuples(nods, nods, turns), st.tuples(*[st.floats(-300, 300)] * 3))
def test_moving_the_whole_scene_moves_the_path_and_nothing_else(outward, turn, shift):
    small_scene = chest()
    motion = pose_P(turn, shift)
    moved = chest(motion)
    point_P = at_voxel(small_scene.grid, 27.3, 24.8, 24.6)
    path = measure(small_scene, Request().needle_assembly, point_P, outward)
    moved_path = measure(
        moved, Request().needle_assembly, motion[:3, :3] @ point_P + motion[:3, 3], motion[:3, :3] @ outward
    )
    if path is None or moved_path is None:
        assert path is moved_path
        return
    assert np.allclose(moved_path.entry_P, motion[:3, :3] @ path.entry_P + motion[:3, 3], atol=1e-7)
    assert np.allclose(moved_path.tip_P, motion[:3, :3] @ path.tip_P + motion[:3, 3], atol=1e-7)
    assert np.allclose(moved_path.direction_P, motion[:3, :3] @ path.direction_P, atol=1e-9)
    for name in ("length_mm", "lung_length_mm", "clearance_mm", "target_chord_mm"):
        assert getattr(moved_path, name) == pytest.approx(getattr(path, name), abs=1e-7)
    assert (moved_path.pleural_punctures, moved_path.fissures_crossed) == (
        path.pleural_punctures,
        path.fissures_crossed,
    )


@given(directions)
def test_quantities_of_a_path_are_consistent(outward):
    path = measure(chest(), Request().needle_assembly, at_voxel(chest().grid, 27.3, 24.8, 24.6), outward)
    if path is None:
        return
    assert np.allclose(path.entry_P + path.length_mm * path.direction_P, path.tip_P, atol=1e-9)
    assert np.linalg.norm(path.direction_P) == pytest.approx(1.0)
    assert 0 <= path.lung_length_mm <= path.length_mm - path.target_chord_mm + 1e-9
    assert (path.pleural_punctures == 0) == (path.lung_length_mm < PLEURAL_RUN_MM)
    assert all(0 <= c.from_mm < c.to_mm <= path.length_mm + 1e-9 for c in path.crosses)
    d = path.direction_P
    angles = np.deg2rad([path.axial_angle_deg, path.craniocaudal_angle_deg])
    rebuilt = [
        np.cos(angles[1]) * np.sin(angles[0]),
        np.cos(angles[1]) * np.cos(angles[0]),
        np.sin(angles[1]),
    ]
    assert np.allclose(d, rebuilt, atol=1e-9)


GAP, RUN, LOBE = PLEURAL_GAP_MM, PLEURAL_RUN_MM, LOBE_RUN_MM


@pytest.mark.parametrize(
    ("lung", "target", "voids", "expected"),
    [
        ([], [], [], (0.0, 0, 0)),
        ([("right", (10, 30))], [], [], (20.0, 1, 0)),
        ([("right", (10, 30))], [(25, 40)], [], (15.0, 1, 0)),
        ([("right", (10, 30))], [(18, 18 + GAP)], [], (20.0 - GAP, 2, 0)),
        ([("right", (10, 30))], [(18, 17.9 + GAP)], [], (20.1 - GAP, 1, 0)),
        ([("upper", (10, 20)), ("middle", (20, 30))], [], [], (20.0, 1, 1)),
        ([("upper", (10, 20)), ("middle", (22, 30))], [], [], (18.0, 1, 1)),
        ([("upper", (10, 20)), ("middle", (22, 30)), ("upper", (30, 32))], [], [], (20.0, 1, 2)),
        ([("upper", (10, 20)), ("middle", (20 + GAP, 30))], [], [], (20.0 - GAP, 2, 0)),
        ([("right", (10, 20)), ("right", (19.9 + GAP, 30))], [], [], (20.1 - GAP, 1, 0)),
        ([("whole", (10, 30)), ("lower", (20, 30))], [], [], (20.0, 1, 1)),
        ([("right", (10, 10 + SHORTEST_MM / 2))], [], [], (0.0, 0, 0)),
        ([("right", (10, 30))], [(5, 35)], [], (0.0, 0, 0)),
        # A stretch too short for a puncture still counts as lung.
        ([("right", (10, 10 + 2e-5))], [], [], (2e-5, 0, 0)),
        ([("right", (10, 9.9 + RUN))], [], [], (RUN - 0.1, 0, 0)),
        ([("right", (10, 10 + RUN))], [], [], (RUN, 1, 0)),
        # An island far from lung, beside it, and between two stretches
        ([("right", (10, 30)), ("right", (40, 41))], [], [], (21.0, 1, 0)),
        ([("right", (10, 30)), ("right", (32, 33))], [], [], (21.0, 1, 0)),
        ([("right", (10, 30)), ("right", (33, 34)), ("right", (37, 50))], [], [], (34.0, 2, 0)),
        # Islands that together are long enough for a puncture, close together and apart
        ([("right", (10, 11)), ("right", (12, 13)), ("right", (14, 15))], [], [], (3.0, 1, 0)),
        ([("right", (10, 11)), ("right", (20, 21)), ("right", (30, 31))], [], [], (3.0, 1, 0)),
        ([("right", (10, 30)), ("right", (40, 41)), ("right", (42, 43))], [], [], (22.0, 2, 0)),
        # A speck of one lobe in another, and specks along a fissure.
        ([("upper", (10, 30)), ("middle", (20, 19.9 + LOBE))], [], [], (20.0, 1, 0)),
        ([("upper", (10, 30)), ("middle", (20, 20 + LOBE))], [], [], (20.0, 1, 2)),
        (
            [("lower", (10, 12)), ("lower", (13, 14)), ("upper", (12, 13)), ("upper", (14, 20))],
            [],
            [],
            (10, 1, 1),
        ),
        (
            [("lower", (10, 11)), ("lower", (12, 13)), ("upper", (11, 12)), ("upper", (13, 14))],
            [],
            [],
            (4, 1, 1),
        ),
        # A nodule's hole: lung on both sides of it is one stretch, of one lobe or of two
        ([("right", (10, 20)), ("right", (32, 40))], [], [(20, 32)], (18.0, 1, 0)),
        ([("right", (10, 40))], [(20, 32)], [(20, 32)], (18.0, 1, 0)),
        ([("upper", (10, 20)), ("lower", (32, 40))], [], [(20, 32)], (18.0, 1, 1)),
        ([("right", (10, 20)), ("right", (32, 40))], [], [(20, 31)], (18.0, 2, 0)),
    ],
)
@pytest.mark.interpreted
def test_punctures_and_fissures(lung, target, voids, expected):
    lung, target, voids = ([*map(as_floats, spans)] for spans in (lung, target, voids))
    result = passage(lung, target, voids)
    assert (result.length_mm, result.punctures, result.fissures) == pytest.approx(expected)
    # The reversed path has the same result.
    reversed_result = passage(
        [(n, (-b, -a)) for n, (a, b) in lung], [(-b, -a) for a, b in target], [(-b, -a) for a, b in voids]
    )
    assert (reversed_result.length_mm, reversed_result.punctures, reversed_result.fissures) == pytest.approx(
        expected
    )


def as_floats(span):
    """The span, or the named span, in floats."""
    return (span[0], as_floats(span[1])) if isinstance(span[0], str) else (float(span[0]), float(span[1]))


lengths = st.floats(6.0, 30.0)
LOBES = ("upper", "middle", "lower")


@given(
    st.lists(st.tuples(st.sampled_from(LOBES), lengths), min_size=1, max_size=5),
    st.sampled_from([0.0, 1.0, 1.9, 6.5, 20.0]),
    st.floats(0.0, 1.0),
    st.floats(0.01, 1.0),
    st.sampled_from([*LOBES, "hole"]),
)
@example([("upper", 6.0), ("upper", 7.0)], 1.9, 0.5, 1.0, "hole")
def test_a_speck_anywhere_changes_no_count(pieces, gap, position, size, kind):
    """Lobes of 6 mm and more; a speck of lung or a hole of 1 mm at any position. Neither turns a gap from
    wide to narrow or back: a hole widens the gap beside it by its size and by the short run between them."""
    lung, depth = [], 0.0
    for name, length in pieces:
        lung.append((name, (depth, depth + length)))
        depth += length + gap
    speck = (position * depth, position * depth + size)
    counts = passage(lung, [], [])
    counts_with_speck = (
        passage(lung, [speck], []) if kind == "hole" else passage([*lung, (kind, speck)], [], [])
    )
    assert (counts_with_speck.punctures, counts_with_speck.fissures) == (counts.punctures, counts.fissures)


@pytest.mark.parametrize(
    ("direction", "axial", "craniocaudal"),
    [
        ((0, 1, 0), 0, 0),
        ((1, 0, 0), 90, 0),  # from the right side, driven to the left
        ((-1, 0, 0), -90, 0),
        ((0, -1, 0), 180, 0),  # from behind
        ((-0.0, -1, 0), 180, 0),
        ((1, 1, 0), 45, 0),
        ((0, 1, 1), 0, 45),  # the tip is cranial of the entry
        ((0, 0, -1), 0, -90),
    ],
)
def test_angles_have_the_clinical_convention(direction, axial, craniocaudal):
    d = np.array(direction, dtype=float) / np.linalg.norm(direction)
    assert axial_angle_deg(d) == pytest.approx(axial)
    assert craniocaudal_angle_deg(d) == pytest.approx(craniocaudal)


def test_a_plan_path_has_the_measured_quantities():
    small_scene = chest()
    measured = measure(
        small_scene, Request().needle_assembly, at_voxel(small_scene.grid, 25, 25, 24), ANTERIOR
    )
    assert measured is not None
    seed = SeedDrop((0.0, 0.0, 0.0), (0.0, 1.0, 0.0), 10.0, 0.0)
    path = to_path(measured, id="p1", rank=1, window="w", approach="a", pareto=True, seeds=(seed,))
    assert (path.id, path.rank, path.window, path.approach, path.pareto) == ("p1", 1, "w", "a", True)
    assert path.seeds == (seed,)
    for name in MeasuredPath.__dataclass_fields__:
        assert getattr(path, name) == getattr(measured, name)


@pytest.fixture(scope="module")
def real_scene(real_case: Path) -> Scene:
    image = nibabel.load(real_case / "labels.nii.gz")
    X = lps_from_ras(image.affine)
    labels, grid = canonical(np.asarray(image.dataobj).astype(np.uint8), X)
    names = json.loads((real_case / "labels.json").read_text(encoding="utf-8"))
    masks = masks_from_labels(labels, [int(label) for label in names if label != "0"])
    structures = [Structure(names[str(label)], mask) for label, mask in masks.items()]
    target = np.asarray(nibabel.load(real_case / "targets" / "station_4R.nii.gz").dataobj) > 0
    structures.append(Structure("node_4R", mask_from_bool(canonical(target, X)[0])))
    return scene(Segmentation(grid, tuple(structures), ()), ("node_4R",))


def test_measuring_a_real_chest_agrees_with_points_along_the_axis(real_scene: Scene):
    grid, target = real_scene.grid, real_scene.target
    middle = grid.to_patient((np.argwhere(target.cropped()).mean(axis=0) + target.lower) * grid.spacing_mm)
    measurer = Measurer(real_scene, Request().needle_assembly)
    step = 0.02
    paths = [measurer.measure(middle, d) for d in Rotation.random(60, rng=4).as_matrix()[:, 0]]
    measured = [p for p in paths if p is not None]
    assert len(measured) > 20
    inside = np.logical_or.reduce([s.mask.layer == s.mask.label for s in real_scene.of_role(Role.LUNG)])
    in_target = target.layer == target.label
    in_body = real_scene.body.layer == real_scene.body.label
    for path in measured:
        depths = np.arange(step / 2, path.length_mm, step)
        points_P = path.entry_P + depths[:, None] * path.direction_P
        i, j, k = np.floor(grid.to_box(points_P) / grid.spacing_mm + 0.5).astype(int).T
        lung = inside[i, j, k] & ~in_target[i, j, k]
        # Each end of each run of voxels has an error of at most a step.
        slack = step * (2 + np.count_nonzero(np.diff(lung)) + np.count_nonzero(np.diff(in_target[i, j, k])))
        assert path.lung_length_mm == pytest.approx(step * np.count_nonzero(lung), abs=slack)
        assert path.target_chord_mm == pytest.approx(step * np.count_nonzero(in_target[i, j, k]), abs=slack)
        assert in_body[i, j, k].all()
        assert in_target[i, j, k][-1]
