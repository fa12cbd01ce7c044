"""The thorax's building blocks: what their formulas promise, for any place and pose."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from anatomy.geometry.frames import Grid
from anatomy.thorax.solids.band import band
from anatomy.thorax.solids.curves import STEP_MM, smooth
from anatomy.thorax.solids.loft import Loft
from anatomy.thorax.solids.primitives import Block, Capsule, Ellipsoid, HalfSpace, Plate, Tube
from anatomy.thorax.solids.solid import Difference, Intersection, Solid, Union
from anatomy.thorax.solids.voxel_centres import VoxelCentres

seeds = st.integers(0, 2**32 - 1)


def any_primitive(rng: np.random.Generator, kind: str) -> Solid:
    a, b, c = rng.uniform(-20.0, 20.0, size=(3, 3))
    match kind:
        case "capsule":
            return Capsule(a, b, float(rng.uniform(2.0, 8.0)))
        case "tube":
            return Tube(np.stack([a, b, c]), float(rng.uniform(2.0, 6.0)))
        case "plate":
            return Plate(np.stack([a, b, c]), float(rng.uniform(1.0, 5.0)))
        case "block":
            return Block(np.minimum(a, b), np.maximum(a, b) + 1.0)
        case "half space":
            return HalfSpace(c / np.linalg.norm(c), float(rng.uniform(-5.0, 5.0)))
        case "ellipsoid":
            return Ellipsoid(a, rng.uniform(3.0, 15.0, size=3), Rotation.random(random_state=rng).as_matrix())
        case "band":
            return band(np.stack([a, b, c]), 5.0, 11.0)
        case "loft":
            z = np.sort(rng.uniform(-20.0, 20.0, size=4)) + np.arange(4)
            rows = np.column_stack([z, rng.uniform(-3.0, 3.0, (4, 2)), rng.uniform(5.0, 20.0, (4, 2))])
            return Loft(rows, float(rng.uniform(1.5, 4.0)), (float(z[0]), float(z[-1])))
        case _:
            raise AssertionError(kind)


MEASURED = ("capsule", "tube", "plate", "block", "half space")
BOUNDED = ("capsule", "tube", "plate", "block", "ellipsoid", "band", "loft")
ALL = (*BOUNDED, "half space")


@pytest.mark.parametrize("kind", MEASURED)
@given(seed=seeds)
@settings(max_examples=15)
def test_distance_has_the_sign_of_inside_and_never_outruns_the_way(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    solid = any_primitive(rng, kind)
    p_P = rng.uniform(-35.0, 35.0, size=(300, 3))
    step = rng.normal(size=(300, 3))
    distance = solid.distance_mm(p_P)
    assert np.array_equal(distance <= 0.0, solid.contains(p_P))
    moved = solid.distance_mm(p_P + step)
    assert (np.abs(moved - distance) <= np.linalg.norm(step, axis=1) + 1e-9).all()


@pytest.mark.parametrize("kind", ["capsule", "tube", "plate"])
@given(seed=seeds)
@settings(max_examples=10)
def test_distance_is_to_the_nearest_point_of_the_core(kind: str, seed: int) -> None:
    """Against a dense sampling of the segment, polyline or triangle."""
    rng = np.random.default_rng(seed)
    solid = any_primitive(rng, kind)
    share = np.linspace(0.0, 1.0, 161)
    if isinstance(solid, Plate):
        u, v = np.meshgrid(share, share)
        keep = u + v <= 1.0
        a, b, c = solid.corners_P
        core = a + u[keep][:, None] * (b - a) + v[keep][:, None] * (c - a)
        spacing = max(np.linalg.norm(b - a), np.linalg.norm(c - a)) / 160
    else:
        ends = [(solid.start_P, solid.end_P)] if isinstance(solid, Capsule) else [
            (s.start_P, s.end_P) for s in solid.capsules
        ]  # fmt: skip
        core = np.concatenate([a + share[:, None] * (b - a) for a, b in ends])
        spacing = max(np.linalg.norm(b - a) for a, b in ends) / 160
    p_P = rng.uniform(-35.0, 35.0, size=(20, 3))
    nearest = np.linalg.norm(p_P[:, None] - core[None], axis=2).min(axis=1) - solid.radius_mm
    assert (solid.distance_mm(p_P) <= nearest + 1e-9).all()
    assert (solid.distance_mm(p_P) >= nearest - spacing).all()


@pytest.mark.parametrize("kind", BOUNDED)
@given(seed=seeds)
@settings(max_examples=15)
def test_bounds_hold_the_solid(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    solid = any_primitive(rng, kind)
    p_P = rng.uniform(-40.0, 40.0, size=(3000, 3))
    inside = p_P[solid.contains(p_P)]
    low, high = solid.bounds_P
    assert (inside >= low - 1e-9).all()
    assert (inside <= high + 1e-9).all()


@pytest.mark.parametrize("kind", ALL)
@given(seed=seeds)
@settings(max_examples=10)
def test_a_grown_solid_holds_the_solid_and_a_rind(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    solid = any_primitive(rng, kind)
    more = solid.grown(2.0)
    p_P = rng.uniform(-35.0, 35.0, size=(1000, 3))
    assert not (solid.contains(p_P) & ~more.contains(p_P)).any()
    if kind in ("capsule", "tube", "plate", "half space"):
        assert np.allclose(more.distance_mm(p_P), solid.distance_mm(p_P) - 2.0)


@given(seed=seeds)
@settings(max_examples=25)
def test_a_mask_is_the_formula_at_every_voxel_centre(seed: int) -> None:
    """For compositions of all primitives, on grids along the axes and oblique."""
    rng = np.random.default_rng(seed)
    parts = [any_primitive(rng, kind) for kind in ALL]
    solid = Difference(
        Union([parts[0], parts[1], Intersection([parts[4], parts[7].grown(5.0)]), parts[6]]),
        [parts[2], Union([parts[3], parts[5]])],
    )
    axes = np.eye(3) if seed % 2 else Rotation.random(random_state=rng).as_matrix()
    X_PV = np.eye(4)
    X_PV[:3, :3] = axes * rng.uniform(2.0, 4.0, size=3)
    X_PV[:3, 3] = axes @ np.array([-25.0, -25.0, -25.0])
    grid = Grid((14, 15, 16), X_PV)
    centres = VoxelCentres(grid)
    mask = solid.mask(centres, centres.whole)
    p_V = np.indices(grid.shape).reshape(3, -1).T
    assert np.array_equal(mask.ravel(), solid.contains(grid.to_patient(p_V * grid.spacing_mm)))


def test_a_box_off_the_grid_holds_no_voxel() -> None:
    centres = VoxelCentres(Grid((4, 4, 4), np.eye(4)))
    far = Union([Capsule(np.full(3, 50.0), np.full(3, 60.0), 1.0)])
    for solid in (far, far.parts[0], Intersection([far]), Difference(far, [far])):
        assert not solid.mask(centres, centres.whole).any()


def test_a_capsule_of_no_length_is_a_ball() -> None:
    ball = Capsule(np.zeros(3), np.zeros(3), 2.0)
    assert ball.distance_mm(np.array([[3.0, 0.0, 0.0], [0.0, 0.0, 0.0]])) == pytest.approx([1.0, -2.0])


def test_the_two_sides_of_a_plane_share_no_point_and_miss_none() -> None:
    plane = HalfSpace(np.array([0.6, 0.0, 0.8]), 1.0)
    p_P = np.vstack([np.random.default_rng(0).normal(size=(500, 3)), [[0.0, 7.0, 1.25]]])
    assert np.array_equal(plane.contains(p_P), ~plane.other_side().contains(p_P))
    assert np.array_equal(plane.other_side().other_side().contains(p_P), plane.contains(p_P))


def test_a_plane_along_an_axis_bounds_that_axis() -> None:
    below = HalfSpace(np.array([0.0, 0.0, 1.0]), 3.0)
    assert below.bounds_P[1, 2] == 3.0
    assert below.other_side().bounds_P[0, 2] == 3.0
    assert np.isinf(below.bounds_P[:, :2]).all()


def test_a_lofts_rim_lies_on_its_outline() -> None:
    knots = np.array([[-10.0, 1.0, -2.0, 8.0, 5.0], [0.0, 0.0, 0.0, 12.0, 9.0], [10.0, 0.0, 3.0, 15.0, 10.0]])
    loft = Loft(knots, 2.3)
    angle = np.linspace(0.0, 2.0 * np.pi, 60)
    z = np.linspace(-12.0, 12.0, 60)
    assert not loft.contains(loft.rim(angle, z, 1e-3)).any()
    assert loft.contains(loft.rim(angle, z, -1e-3)).all()
    left, behind = loft.rim(np.array([np.pi / 2, 0.0]), np.zeros(2), 0.0)
    assert left == pytest.approx([12.0, 0.0, 0.0], abs=1e-6)
    assert behind == pytest.approx([0.0, 9.0, 0.0], abs=1e-6)


def test_an_ellipsoids_volume_is_what_random_points_find() -> None:
    solid = Ellipsoid(
        np.ones(3), np.array([3.0, 5.0, 8.0]), Rotation.from_euler("x", 30, degrees=True).as_matrix()
    )
    low, high = solid.bounds_P
    p_P = np.random.default_rng(2).uniform(low, high, size=(200_000, 3))
    found = solid.contains(p_P).mean() * np.prod(high - low)
    assert found == pytest.approx(solid.volume_mm3, rel=0.01)


def test_a_smooth_curve_runs_through_its_points_in_short_pieces() -> None:
    points = np.array([[0.0, 0.0, 0.0], [10.0, 5.0, 0.0], [20.0, 0.0, 8.0], [22.0, -9.0, 30.0]])
    curve = smooth(points)
    assert np.allclose(curve[[0, -1]], points[[0, -1]])
    gaps = np.linalg.norm(curve[:, None] - points[None], axis=2).min(axis=0)
    assert gaps.max() <= STEP_MM / 2
    assert np.linalg.norm(np.diff(curve, axis=0), axis=1).max() < 1.5 * STEP_MM


def test_a_band_is_taller_than_thick() -> None:
    solid = band(np.array([[0.0, 0.0, 0.0], [40.0, 0.0, 0.0]]), 6.0, 10.0)
    p_P = np.array([[20.0, 0.0, 4.9], [20.0, 0.0, 5.1], [20.0, 2.9, 0.0], [20.0, 3.1, 0.0]])
    assert solid.contains(p_P).tolist() == [True, False, True, False]
