"""Frames: where a voxel lies in the patient.

Three frames, and one letter for each in names:

    P   patient, LPS, mm: +x left, +y posterior, +z superior. Everything that leaves a module.
    V   voxel index (i, j, k), 0.0 at the centre of the first voxel.
    B   box, mm: the grid's own axes, 0.0 at the centre of the first voxel, so p_B = p_V * spacing.
        A rotation away from P; distances in B are distances in P.

        k,z_B
         |   j,y_B        a voxel's box reaches half a spacing to each side of its centre
         |  /
         | /
         o------ i,x_B    o = centre of voxel (0, 0, 0) = the grid's origin in P
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from anatomy.errors import GridError

Points = Float[np.ndarray, "*batch 3"]

MM3_PER_CC = 1000.0
"""Cubic millimetres, the unit of a grid's volumes, in a cubic centimetre, the unit of reports."""

SHEAR_TOLERANCE = 1e-3
"""Largest |cosine| between two grid axes. NIfTI stores float32: 1e-3 leaves room for its rounding, and
rotates a 500 mm field of view by less than half a voxel."""

MIN_SPACING_MM, MAX_SPACING_MM = 0.05, 20.0
"""No clinical CT has a spacing outside this range. A spacing in cm or um is found this way."""

MAX_FIELD_MM = 3000.0
"""No scan is longer along any axis [U]: tables move by 2 m."""

MAX_OFFSET_MM = 1e5
"""No scanner's origin is 100 m away."""

_REWRITE = "Write it again with the scanner's affine."

_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def lps_from_ras(X_RAS: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
    """The same voxel-to-patient matrix, with patient axes LPS instead of RAS. [mm]"""
    return np.asarray(_LPS_FROM_RAS @ X_RAS)


def sheared(X: Float[np.ndarray, "4 4"]) -> bool:
    """Whether two axes of a voxel-to-patient matrix differ from a right angle by more than SHEAR_TOLERANCE.

    An axis of zero length has no angle.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        axes = X[:3, :3] / np.maximum(np.linalg.norm(X[:3, :3], axis=0), np.finfo(float).tiny)
        cosines = np.triu(axes.T @ axes, 1)
    return bool(np.abs(cosines).max() > SHEAR_TOLERANCE)


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular voxel grid in the patient: shape and pose, without voxel values.

    `X_PV` (4, 4) maps a voxel index (centre at integers) to patient LPS mm. Its columns are
    orthogonal: `Grid` raises GridError for sheared, singular, infinite or absurdly scaled matrices.
    """

    shape: tuple[int, int, int]
    X_PV: Float[np.ndarray, "4 4"]

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise GridError("grid", f"its shape is {self.shape}", "Give three sizes of at least one voxel.")
        if not np.isfinite(self.X_PV).all():
            raise GridError("grid", "its affine holds NaN or infinity", _REWRITE)
        with np.errstate(over="ignore"):  # a square that overflows is infinite, and is refused as too large
            spacing = np.linalg.norm(self.X_PV[:3, :3], axis=0)
        if (spacing < MIN_SPACING_MM).any() or (spacing > MAX_SPACING_MM).any():
            raise GridError(
                "grid",
                f"its affine gives a voxel spacing of {np.round(spacing, 4).tolist()} mm",
                f"Spacings lie between {MIN_SPACING_MM} and {MAX_SPACING_MM} mm: check its affine and unit.",
            )
        if np.abs(self.X_PV[:3, 3]).max() > MAX_OFFSET_MM:
            raise GridError("grid", "the origin in its affine is more than 100 m away", _REWRITE)
        axes = self.X_PV[:3, :3] / spacing
        if abs(np.linalg.det(axes)) < SHEAR_TOLERANCE:
            raise GridError("grid", "its affine is singular: two of its axes are parallel", _REWRITE)
        if sheared(self.X_PV):
            raise GridError(
                "grid",
                "the axes in its affine are not orthogonal",
                "Resample it first (gantry tilt?), or write it with the scanner's affine.",
            )

    @property
    def spacing_mm(self) -> Float[np.ndarray, "3"]:
        """Voxel spacing along i, j, k. [mm]"""
        return np.asarray(np.linalg.norm(self.X_PV[:3, :3], axis=0))

    @property
    def R_PB(self) -> Float[np.ndarray, "3 3"]:
        """Orthonormal grid axes as columns, in P. A left-handed grid has determinant -1."""
        axes = self.X_PV[:3, :3] / self.spacing_mm
        u, _, vt = np.linalg.svd(axes)
        return np.asarray(u @ vt)

    @property
    def origin_P(self) -> Float[np.ndarray, "3"]:
        """Centre of voxel (0, 0, 0). [mm]"""
        return np.asarray(self.X_PV[:3, 3])

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel's box. [mm3]"""
        return float(np.prod(self.spacing_mm))

    @property
    def lower_B(self) -> Float[np.ndarray, "3"]:
        """Lower corner of the first voxel's box: half a spacing below its centre. [mm]"""
        return -0.5 * self.spacing_mm

    @property
    def upper_B(self) -> Float[np.ndarray, "3"]:
        """Upper corner of the last voxel's box. [mm]"""
        return np.asarray((np.array(self.shape) - 0.5) * self.spacing_mm)

    def to_box(self, p_P: Points) -> Points:
        """Patient LPS mm (..., 3) to box mm (..., 3)."""
        return np.asarray((p_P - self.origin_P) @ self.R_PB)

    def to_patient(self, p_B: Points) -> Points:
        """Box mm (..., 3) to patient LPS mm (..., 3)."""
        return np.asarray(p_B @ self.R_PB.T + self.origin_P)

    def vectors_to_box(self, v_P: Points) -> Points:
        """Rotate free vectors (..., 3) from P to B; lengths stay the same."""
        return np.asarray(v_P @ self.R_PB)

    def vectors_to_patient(self, v_B: Points) -> Points:
        """Rotate free vectors (..., 3) from B to P; lengths stay the same."""
        return np.asarray(v_B @ self.R_PB.T)

    def same_as(self, other: "Grid", tolerance_mm: float = 1e-2) -> bool:
        """Whether both grids have the same shape, and each voxel's two positions differ by `tolerance_mm` at
        most.

        The default is a hundredth of a millimetre: above the float32 rounding of an affine, below any effect
        on a clearance.
        """
        return self.shape == other.shape and self.largest_offset_mm(other) <= tolerance_mm

    def largest_offset_mm(self, other: "Grid") -> float:
        """Largest distance, along an axis of P, between the two positions of a voxel. Shapes must be equal.
        [mm]"""
        corners_V = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=float)
        corners_V[:, :3] *= np.array(self.shape) - 1
        apart = corners_V @ (self.X_PV - other.X_PV).T
        return float(np.abs(apart[:, :3]).max())


def grid_of_file(file: str, shape: tuple[int, int, int], X_PV: Float[np.ndarray, "4 4"]) -> Grid:
    """The grid that a file's header states. Raises GridError, which names the file, for a matrix that is no
    grid, and for a grid longer than any scan."""
    try:
        grid = Grid(shape, X_PV)
    except GridError as error:
        raise GridError(file, error.value, error.remedy) from None
    size_mm = np.array(shape) * grid.spacing_mm
    if size_mm.max() > MAX_FIELD_MM:
        raise GridError(
            file,
            f"its {' x '.join(map(str, shape))} voxels extend over {size_mm.max():.0f} mm",
            f"No scan is longer than {MAX_FIELD_MM:.0f} mm: check its sizes, affine and unit.",
        )
    return grid


def canonical_axes(X_PV: Float[np.ndarray, "4 4"]) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Which stored axis is closest to left, to posterior and to superior, and which of them run backwards.

    Returns `order` (stored axis for each of x, y, z) and `flip` (whether that axis must be reversed).
    With these, a volume gives the same arrays in each of the 48 orientations in which it can be stored.
    """
    cosines = X_PV[:3, :3] / np.linalg.norm(X_PV[:3, :3], axis=0)
    order = [-1, -1, -1]
    left = np.abs(cosines)
    for _ in range(3):
        patient_axis, stored_axis = np.unravel_index(int(np.argmax(left)), (3, 3))
        order[int(patient_axis)] = int(stored_axis)
        left[patient_axis, :] = -1.0
        left[:, stored_axis] = -1.0
    flip = [bool(cosines[axis, stored] < 0) for axis, stored in enumerate(order)]
    return (order[0], order[1], order[2]), (flip[0], flip[1], flip[2])


def canonical(array: np.ndarray, X_PV: Float[np.ndarray, "4 4"]) -> tuple[np.ndarray, Grid]:
    """A 3D array and its matrix, reordered so that i runs left, j posterior, k superior.

    Axes are swapped and reversed; nothing is resampled. Returns a C-contiguous array and its Grid.
    """
    order, flip = canonical_axes(X_PV)
    stored = _flipped(np.transpose(array, order), flip)
    return np.ascontiguousarray(stored), _canonical_grid(array.shape, X_PV)


def canonical_zeros(
    shape: tuple[int, int, int], X_PV: Float[np.ndarray, "4 4"]
) -> tuple[Bool[np.ndarray, "nx ny nz"], Grid]:
    """An empty mask in the axis order that `canonical` gives to a stored array of this shape, and its
    grid."""
    grid = _canonical_grid(shape, X_PV)
    return np.zeros(grid.shape, bool), grid


def stored_view(array: np.ndarray, X_PV: Float[np.ndarray, "4 4"]) -> np.ndarray:
    """A view of a canonical array in the order of the file. Writing to the view writes to `array`.
    `canonical` of the view is `array` again."""
    order, flip = canonical_axes(X_PV)
    return np.transpose(_flipped(array, flip), np.argsort(order).tolist())


def _flipped(array: np.ndarray, flip: tuple[bool, bool, bool]) -> np.ndarray:
    i, j, k = (slice(None, None, -1 if backwards else 1) for backwards in flip)
    return array[i, j, k]


def _canonical_grid(stored: tuple[int, ...], X_PV: Float[np.ndarray, "4 4"]) -> Grid:
    order, flip = canonical_axes(X_PV)
    i, j, k = (int(stored[axis]) for axis in order)
    X = X_PV[:, [*order, 3]].copy()
    for axis, size in enumerate((i, j, k)):
        if flip[axis]:
            X[:3, 3] += X[:3, axis] * (size - 1)
            X[:3, axis] *= -1.0
    return Grid((i, j, k), X)
