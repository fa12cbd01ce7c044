"""Frames: axes, boxes, and storage orders that do not matter."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anatomy.errors import GridError
from anatomy.frames import Grid, canonical, canonical_axes, lps_from_ras

ANGLES = st.floats(-0.6, 0.6)
SPACINGS = st.tuples(*[st.floats(0.3, 5.0)] * 3)


def rotation(a: float, b: float, c: float) -> np.ndarray:
    """Turns about x, y and z. [rad]"""
    rx = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    rz = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(rz @ ry @ rx)


def matrix(
    spacing: tuple[float, float, float], turn: np.ndarray, origin: tuple[float, float, float]
) -> np.ndarray:
    X = np.eye(4)
    X[:3, :3] = turn * np.array(spacing)
    X[:3, 3] = origin
    return X


def test_a_grid_needs_voxels_on_every_axis() -> None:
    with pytest.raises(GridError, match=r"grid\.shape"):
        Grid((0, 4, 4), np.eye(4))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.__setitem__((0, 0), np.nan), "NaN"),
        (lambda X: X.__setitem__((1, 3), np.inf), "NaN or infinity"),
        (lambda X: X.__setitem__((0, 0), 0.0), "spacing"),
        (lambda X: X.__setitem__((2, 2), 25.0), "spacing"),
        (lambda X: X.__setitem__((2, 3), 2e5), "100 m"),
        (lambda X: X.__setitem__((0, 1), 0.05), "orthogonal"),
    ],
)
def test_a_matrix_that_is_no_frame_is_refused(change: object, message: str) -> None:
    X = np.eye(4)
    assert callable(change)
    change(X)
    with pytest.raises(GridError, match=message):
        Grid((4, 4, 4), X)


def test_float32_rounding_of_an_oblique_affine_is_no_shear() -> None:
    X = matrix((0.7, 0.7, 5.0), rotation(0.1, 0.2, 0.3), (-200.0, 150.0, 900.0))
    assert Grid((4, 4, 4), X.astype(np.float32).astype(float)).spacing_mm == pytest.approx([0.7, 0.7, 5.0])


def test_ras_differs_from_lps_in_the_sign_of_x_and_y() -> None:
    X = lps_from_ras(matrix((1, 2, 3), np.eye(3), (10, 20, 30)))
    assert (X @ [1, 1, 1, 1]).tolist() == [-11, -22, 33, 1]


@given(SPACINGS, ANGLES, ANGLES, ANGLES, st.tuples(*[st.floats(-500, 500)] * 3))
def test_box_frame_is_the_patient_frame_turned(
    spacing: tuple[float, float, float],
    a: float,
    b: float,
    c: float,
    origin: tuple[float, float, float],
) -> None:
    grid = Grid((5, 6, 7), matrix(spacing, rotation(a, b, c), origin))
    p_V = np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [-4.0, 2.5, 9.0]])
    p_P = p_V @ grid.X_PV[:3, :3].T + grid.X_PV[:3, 3]
    assert grid.to_box(p_P) == pytest.approx(p_V * grid.spacing_mm, abs=1e-9)
    assert grid.to_patient(grid.to_box(p_P)) == pytest.approx(p_P, abs=1e-9)
    assert grid.vectors_to_box(p_P[1] - p_P[0]) == pytest.approx(p_V[1] * grid.spacing_mm, abs=1e-9)
    assert grid.vectors_to_patient(grid.vectors_to_box(p_P)) == pytest.approx(p_P, abs=1e-9)
    assert np.linalg.norm(grid.vectors_to_box(p_P), axis=1) == pytest.approx(np.linalg.norm(p_P, axis=1))


def test_a_grid_reaches_half_a_voxel_beyond_its_centres() -> None:
    grid = Grid((10, 20, 30), np.diag([1.0, 2.0, 3.0, 1.0]))
    assert grid.lower_B.tolist() == [-0.5, -1.0, -1.5]
    assert grid.upper_B.tolist() == [9.5, 39.0, 88.5]
    assert grid.voxel_volume_mm3 == pytest.approx(6.0)


def test_grids_are_the_same_only_where_shape_and_every_corner_agree() -> None:
    grid = Grid((100, 100, 100), np.eye(4))
    near, far, turned = np.eye(4), np.eye(4), np.eye(4)
    near[0, 3], far[0, 3] = 0.009, 0.011
    # A hundredth of a millimetre off only at the far corner.
    turned[0, 0] = 1.0 + 0.02 / 99
    assert grid.same_as(Grid((100, 100, 100), near))
    assert not grid.same_as(Grid((100, 100, 100), far))
    assert not grid.same_as(Grid((100, 100, 100), turned))
    assert not grid.same_as(Grid((100, 100, 99), np.eye(4)))


ORDERS = list(itertools.permutations(range(3)))
FLIPS = list(itertools.product((False, True), repeat=3))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("flip", FLIPS)
def test_all_48_storage_orders_become_the_same_arrays(
    order: tuple[int, int, int], flip: tuple[bool, bool, bool]
) -> None:
    truth = np.arange(4 * 5 * 6, dtype=np.uint8).reshape(4, 5, 6)
    X = matrix((0.7, 0.8, 5.0), rotation(0.1, -0.2, 0.15), (-20.0, 30.0, 40.0))
    stored, X_stored = truth, X.copy()
    for axis in range(3):
        if flip[axis]:
            stored = np.flip(stored, axis)
            X_stored[:3, 3] += X_stored[:3, axis] * (truth.shape[axis] - 1)
            X_stored[:3, axis] *= -1
    stored, X_stored = stored.transpose(order), X_stored[:, [*order, 3]]
    array, grid = canonical(stored, X_stored)
    assert array.flags.c_contiguous
    assert (array == truth).all()
    assert pytest.approx(X, abs=1e-9) == grid.X_PV


@given(ANGLES, ANGLES, ANGLES)
def test_each_patient_axis_gets_another_stored_axis(a: float, b: float, c: float) -> None:
    order, _ = canonical_axes(matrix((1, 1, 1), rotation(3 * a, 3 * b, 3 * c), (0, 0, 0)))
    assert sorted(order) == [0, 1, 2]
