"""Frames: axes, boxes, and independence of storage orders."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anatomy.errors import GridError
from anatomy.geometry.frames import (
    MAX_FIELD_MM,
    Grid,
    canonical,
    canonical_axes,
    canonical_zeros,
    grid_of_file,
    lps_from_ras,
    stored_view,
)

ANGLES = st.floats(-0.6, 0.6)
SPACINGS = st.tuples(*[st.floats(0.3, 5.0)] * 3)


def rotation(a: float, b: float, c: float) -> np.ndarray:
    """Rotations about x, y and z. [rad]"""
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
    with pytest.raises(GridError, match="grid: its shape is"):
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
def test_an_invalid_matrix_is_refused(change: object, message: str) -> None:
    X = np.eye(4)
    assert callable(change)
    change(X)
    with pytest.raises(GridError, match=message):
        Grid((4, 4, 4), X)


def test_float32_rounding_of_an_oblique_affine_does_not_count_as_shear() -> None:
    X = matrix((0.7, 0.7, 5.0), rotation(0.1, 0.2, 0.3), (-200.0, 150.0, 900.0))
    assert Grid((4, 4, 4), X.astype(np.float32).astype(float)).spacing_mm == pytest.approx([0.7, 0.7, 5.0])


def test_ras_differs_from_lps_in_the_sign_of_x_and_y() -> None:
    X = lps_from_ras(matrix((1, 2, 3), np.eye(3), (10, 20, 30)))
    assert (X @ [1, 1, 1, 1]).tolist() == [-11, -22, 33, 1]


@given(SPACINGS, ANGLES, ANGLES, ANGLES, st.tuples(*[st.floats(-500, 500)] * 3))
def test_the_box_frame_is_a_rotation_of_the_patient_frame(
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


@given(SPACINGS, ANGLES, ANGLES, ANGLES, st.floats(-9e-4, 9e-4))
def test_distances_in_the_box_frame_agree_with_the_patients_for_slightly_sheared_axes(
    spacing: tuple[float, float, float], a: float, b: float, c: float, shear: float
) -> None:
    X = matrix(spacing, rotation(a, b, c), (0.0, 0.0, 0.0))
    X[:3, 1] += shear * X[:3, 0] * spacing[1] / spacing[0]
    grid = Grid((5, 6, 7), X)
    assert pytest.approx(np.eye(3), abs=1e-12) == grid.R_PB.T @ grid.R_PB
    p_P = np.array([[30.0, -40.0, 50.0], [3.0, 4.0, -5.0]])
    assert np.linalg.norm(np.subtract(*grid.to_box(p_P))) == pytest.approx(np.linalg.norm(np.subtract(*p_P)))
    assert pytest.approx(rotation(a, b, c), abs=1e-3) == grid.R_PB


def test_a_left_handed_grid_has_a_mirroring_frame_along_its_axes() -> None:
    X = matrix((2.0, 3.0, 4.0), rotation(0.1, 0.2, 0.3) @ np.diag([1.0, -1.0, 1.0]), (1.0, 2.0, 3.0))
    grid = Grid((4, 4, 4), X)
    assert np.linalg.det(grid.R_PB) == pytest.approx(-1.0)
    for axis in range(3):
        assert grid.to_box(X[:3, axis] + X[:3, 3]) == pytest.approx(np.eye(3)[axis] * grid.spacing_mm)


@pytest.mark.parametrize(("spacing", "fits"), [(0.049, False), (0.05, True), (20.0, True), (20.1, False)])
def test_only_spacings_of_a_scanner_in_mm_are_accepted(spacing: float, fits: bool) -> None:
    X = np.diag([1.0, spacing, 1.0, 1.0])
    if fits:
        assert Grid((4, 4, 4), X).spacing_mm[1] == spacing
    else:
        with pytest.raises(GridError, match="spacing"):
            Grid((4, 4, 4), X)


def test_a_grid_reaches_half_a_voxel_beyond_its_centres() -> None:
    grid = Grid((10, 20, 30), np.diag([1.0, 2.0, 3.0, 1.0]))
    assert grid.lower_B.tolist() == [-0.5, -1.0, -1.5]
    assert grid.upper_B.tolist() == [9.5, 39.0, 88.5]
    assert grid.voxel_volume_mm3 == pytest.approx(6.0)


def test_grids_are_equal_only_if_shape_and_every_corner_agree() -> None:
    grid = Grid((100, 100, 100), np.eye(4))
    within_tolerance, beyond_tolerance, scaled = np.eye(4), np.eye(4), np.eye(4)
    within_tolerance[0, 3], beyond_tolerance[0, 3] = 0.009, 0.011
    # More than a hundredth of a millimetre away only at the far corner
    scaled[0, 0] = 1.0 + 0.02 / 99
    assert grid.same_as(Grid((100, 100, 100), within_tolerance))
    assert not grid.same_as(Grid((100, 100, 100), beyond_tolerance))
    assert not grid.same_as(Grid((100, 100, 100), scaled))
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


@given(SPACINGS, st.sampled_from(ORDERS), st.sampled_from(FLIPS), ANGLES, ANGLES, ANGLES)
def test_every_value_keeps_its_position_in_the_patient(
    spacing: tuple[float, float, float],
    order: tuple[int, int, int],
    flip: tuple[bool, bool, bool],
    a: float,
    b: float,
    c: float,
) -> None:
    signs = np.where(flip, -1.0, 1.0)
    X = matrix(spacing, rotation(a, b, c)[:, order] * signs, (-20.0, 30.0, 40.0))
    stored = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    array, grid = canonical(stored, X)

    def positions(values: np.ndarray, X_PV: np.ndarray) -> np.ndarray:
        """The position of each value, in order of the values. [mm]"""
        index = np.argwhere(np.ones(values.shape, bool))[np.argsort(values.ravel())]
        return np.asarray(index @ X_PV[:3, :3].T + X_PV[:3, 3])

    assert positions(array, grid.X_PV) == pytest.approx(positions(stored, X), abs=1e-9)
    assert (np.diag(grid.X_PV)[:3] > 0).all()


@given(ANGLES, ANGLES, ANGLES)
def test_each_patient_axis_has_a_different_stored_axis(a: float, b: float, c: float) -> None:
    order, _ = canonical_axes(matrix((1, 1, 1), rotation(3 * a, 3 * b, 3 * c), (0, 0, 0)))
    assert sorted(order) == [0, 1, 2]


@given(
    st.permutations([0, 1, 2]),
    st.tuples(*(st.sampled_from([1.0, -1.0]),) * 3),
    st.tuples(*(st.integers(1, 4),) * 3),
)
def test_values_written_in_stored_order_appear_in_canonical_order(
    order: list[int], signs: tuple[float, float, float], shape: tuple[int, int, int]
) -> None:
    """For all 48 orientations."""
    X = np.eye(4)
    X[:3, :3] = np.eye(3)[:, order] * np.array(signs) * [1.0, 2.0, 3.0]
    stored = np.random.default_rng(0).random(shape) < 0.5
    mask, grid = canonical_zeros(shape, X)
    stored_view(mask, X)[:] = stored
    expected, expected_grid = canonical(stored, X)
    assert np.array_equal(mask, expected) and mask.flags.c_contiguous
    assert grid.shape == expected_grid.shape and np.array_equal(grid.X_PV, expected_grid.X_PV)
    assert np.array_equal(canonical(stored_view(mask, X), X)[0], mask)


def test_a_volume_longer_than_any_scan_is_refused() -> None:
    grid_of_file("a.nii", (int(MAX_FIELD_MM), 1, 1), np.eye(4))
    for axis in range(3):
        shape = [1, 1, 1]
        shape[axis] = int(MAX_FIELD_MM) + 1
        with pytest.raises(GridError, match="extend over 3001 mm") as error:
            grid_of_file("a.nii", (shape[0], shape[1], shape[2]), np.eye(4))
        assert error.value.field == "a.nii"
