"""NIfTI pose: the position of a volume in the patient, where the header may state it twice, or in another
space.

A header has two voxel-to-world affines, sform and qform, each with a code for its world space. Readers differ
in which one they use, and tools that rotate or register a volume often rewrite one of them. The rule here:

    one code is positive                    that affine is used
    both, and they agree                    the sform is used: it has more digits; noted beyond rounding
    both, they differ, one is sheared       refused: a gantry tilt that is missing in the other
    both, they differ, one code is 1        the scanner's is used, with a note
    both, they differ, else                 refused: which one is wrong is not known
    the one used has code 3, 4 or 5         used, with a note: lengths differ in a template's space
    spacings (pixdim) contradict it         refused beyond 1 %, noted below and if they are no lengths

Code 2, "aligned", needs no note: nibabel writes it for any affine.
"""

import numpy as np
from jaxtyping import Float

from anatomy.errors import GridError
from anatomy.geometry.frames import grid_of_file, lps_from_ras, sheared
from anatomy.readers.nifti.header import Header

SCANNER = 1

_SPACES = {1: "scanner", 2: "aligned", 3: "Talairach", 4: "MNI 152", 5: "another template"}

_TEMPLATES = (3, 4, 5)

ROUNDING_MM = 0.05
"""Forms that differ by less need no note: both store the first voxel's position in float32, whose rounding is
smaller up to 100 m."""

AGREE_MM = 0.5
"""Forms agree if the first voxel and each corner differ by at most this; a note gives the difference.
Programs that write one form from the other round it: a quaternion near a half turn, stored in float32 without
its real part, has an error of up to 9e-4 rad. In 6,000 frames with random axes, within 1e-3 rad of a half
turn, the corners of a chest of 500 x 500 x 400 mm moved by 0.7 mm at most, and by more than 0.5 mm in 16 of
1,000 frames [C]. Mirrored or moved forms differ by more, and a smaller difference is less than a voxel."""

SAME_SPACING, ROUNDED_SPACING = 1e-3, 1e-2
"""Relative differences. Up to the first, two spacings are the same float32 number; up to the second, one may
be rounded (0.98 for 0.9766); beyond that they are different spacings."""

QUATERNION_TOLERANCE = 1e-4
"""How far b^2 + c^2 + d^2 may exceed 1 by rounding."""

_HALF_TURN = 1e-7
"""Below this, the quaternion's real part is 0, as in the reference reader (nifti_quatern_to_mat44)."""

_UNITS = {0: (1.0, "mm"), 1: (1000.0, "metres"), 2: (1.0, "mm"), 3: (0.001, "micrometres")}
"""Factor to mm and name, by code. 0 is unknown, which most writers leave: read as mm."""

_REWRITE = "Write it again with the scanner's affine."


def voxel_to_patient(
    header: Header, shape: tuple[int, int, int], file: str
) -> tuple[Float[np.ndarray, "4 4"], tuple[str, ...]]:
    """The matrix from voxel index to patient LPS mm, and remarks on what was decided.

    Raises GridError if the header gives no position, two positions, or no rigid frame.
    """
    if header.unit not in _UNITS:
        raise GridError(file, f"its unit of length has the unknown code {header.unit}", "Write it in mm.")
    factor, unit = _UNITS[header.unit]
    remarks = [] if factor == 1.0 else [f"its affine is in {unit}, and was converted to mm"]
    X_RAS, code, notes = _chosen(header, shape, factor, file)
    remarks += notes
    if code in _TEMPLATES:
        remarks.append(
            f"its affine maps to a template's space (code {code}, {_SPACES[code]}) and was used as the "
            "patient's: lengths are true only if the volume was never fitted to that template"
        )
    X_PV = lps_from_ras(X_RAS)
    grid_of_file(file, shape, X_PV)  # refuses NaN, shear and absurd spacings before they are compared
    remarks += _spacing_remarks(header, X_RAS, factor, file)
    return X_PV, tuple(remarks)


def _chosen(
    header: Header, shape: tuple[int, int, int], factor: float, file: str
) -> tuple[Float[np.ndarray, "4 4"], int, list[str]]:
    """The affine used (RAS mm), its code, and a remark if the other one differs."""
    for form, code in (("qform", header.qform_code), ("sform", header.sform_code)):
        if code > max(_SPACES):
            raise GridError(file, f"its {form} code is {code}, which NIfTI does not have", _REWRITE)
    has_q, has_s = header.qform_code > 0, header.sform_code > 0
    if not has_q and not has_s:
        raise GridError(
            file,
            "its affine has neither an sform nor a qform code, so left and right are not known",
            "Write the file with the scanner's affine and a positive sform or qform code.",
        )
    S = _in_mm(_sform(header), factor, file)
    if not has_q:
        return S, header.sform_code, []
    Q = _in_mm(_qform(header, file), factor, file)
    if not has_s:
        return Q, header.qform_code, []
    apart_mm = float(_apart_mm(S, Q, shape).max())
    apart = f"{apart_mm:.4g} mm"
    if apart_mm <= ROUNDING_MM:
        return S, header.sform_code, []
    if apart_mm <= AGREE_MM:
        return S, header.sform_code, [f"its sform was used; its qform differs by up to {apart}"]
    sform = f"sform (code {header.sform_code}, {_SPACES[header.sform_code]})"
    qform = f"qform (code {header.qform_code}, {_SPACES[header.qform_code]})"
    for X, pose, other in ((S, sform, qform), (Q, qform, sform)):
        if sheared(X):
            raise GridError(
                file,
                f"the axes in its {pose} are not orthogonal, as with a gantry tilt, and its {other} differs "
                f"by up to {apart}",
                "Resample it to a straight grid. If that form is a registration's, write the scanner's "
                "affine in both.",
            )
    if (header.sform_code == SCANNER) == (header.qform_code == SCANNER):
        raise GridError(
            file,
            f"its {sform} and its {qform} differ by up to {apart}, and one of them is wrong",
            "Find out which is the scanner's, and write the file with that affine in both.",
        )
    if header.sform_code == SCANNER:
        return S, SCANNER, [f"its {sform} was used; its {qform} differs by up to {apart}"]
    return Q, SCANNER, [f"its {qform} was used; its {sform} differs by up to {apart}"]


def _in_mm(X: Float[np.ndarray, "4 4"], factor: float, file: str) -> Float[np.ndarray, "4 4"]:
    """The same affine in mm. Raises GridError if it is not finite."""
    with np.errstate(over="ignore"):
        X[:3] *= factor
    if not np.isfinite(X).all():
        raise GridError(file, "its affine holds NaN or infinity", _REWRITE)
    return X


def _sform(header: Header) -> Float[np.ndarray, "4 4"]:
    return np.vstack([header.sform, [0.0, 0.0, 0.0, 1.0]])


def _qform(header: Header, file: str) -> Float[np.ndarray, "4 4"]:
    """The affine by quaternion, offset and spacings (nifti1.h, method 2)."""
    b, c, d = header.qform[:3]
    squares = float(np.sum(header.qform[:3] ** 2))
    if not np.isfinite(header.qform).all() or squares > 1 + QUATERNION_TOLERANCE:
        raise GridError(file, "its qform is not a rotation", _REWRITE)
    if not (header.spacing > 0).all() or not np.isfinite(header.spacing).all():
        raise GridError(
            file,
            f"its header gives voxel spacings of {_listed(header.spacing)}, which its qform needs",
            _REWRITE,
        )
    if 1 - squares < _HALF_TURN:
        a, (b, c, d) = 0.0, np.array([b, c, d]) / np.sqrt(squares)
    else:
        a = np.sqrt(1 - squares)
    R = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    X = np.eye(4)
    X[:3, :3] = R * header.spacing * [1.0, 1.0, -1.0 if header.qfac < 0 else 1.0]
    X[:3, 3] = header.qform[3:]
    return X


def _apart_mm(
    A: Float[np.ndarray, "4 4"], B: Float[np.ndarray, "4 4"], shape: tuple[int, int, int]
) -> Float[np.ndarray, "8"]:
    """Distance between the two positions of each corner voxel of a grid, the first voxel first. [mm]"""
    corners_V = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], float)
    corners_V[:, :3] *= np.array(shape) - 1
    with np.errstate(over="ignore"):
        return np.asarray(np.linalg.norm((corners_V @ (A - B).T)[:, :3], axis=1))


def _spacing_remarks(header: Header, X_RAS: Float[np.ndarray, "4 4"], factor: float, file: str) -> list[str]:
    """Remarks if pixdim differs from the affine used. The sign of pixdim has no meaning in NIfTI."""
    with np.errstate(over="ignore"):
        stated = np.abs(header.spacing) * factor
    if not np.isfinite(stated).all() or (stated == 0).any():
        return [
            f"its header gives voxel spacings of {_listed(header.spacing)}; those of its affine were used"
        ]
    true = np.linalg.norm(X_RAS[:3, :3], axis=0)
    apart = np.abs(stated - true)
    if (apart > ROUNDED_SPACING * true).any():
        raise GridError(
            file,
            f"its header gives voxel spacings of {_listed(stated)} mm, but its affine {_listed(true)} mm",
            f"Readers differ in which they use. {_REWRITE}",
        )
    if (apart > SAME_SPACING * true).any():
        return [
            f"its header gives voxel spacings of {_listed(stated)} mm; those of its affine were used, "
            f"{_listed(true)} mm"
        ]
    return []


def _listed(spacing: Float[np.ndarray, "3"]) -> str:
    return ", ".join(f"{s:.4g}" for s in spacing)
