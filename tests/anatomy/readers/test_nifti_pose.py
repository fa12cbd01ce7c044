"""The pose of a NIfTI volume: both affines of a header, codes, unit and spacings. nibabel is the oracle."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from case_files import OBLIQUE, RAS_FROM_LPS, body_labels, label_table, write_nifti
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from anatomy.errors import GridError
from anatomy.geometry.frames import MAX_FIELD_MM
from anatomy.readers.nifti.header import decode_header
from anatomy.readers.nifti.pose import AGREE_MM, voxel_to_patient
from anatomy.readers.read import read

SHAPE = (512, 512, 300)


@st.composite
def affines(draw: st.DrawFn) -> np.ndarray:
    """Rigid, scaled, possibly mirrored frames (RAS, mm), often within 1e-4 rad of a half turn or of no
    rotation."""
    spin = draw(st.sampled_from([0.0, 1e-7, 1e-5, 1e-4, 1e-2, 1.0]))
    axis = np.array(draw(st.tuples(*[st.floats(-1, 1)] * 3)))
    axis[0] += 2.0
    quarter = draw(
        st.sampled_from([[0, 0, 0], [0, 0, 180], [180, 0, 0], [0, 180, 0], [90, 0, 0], [90, 0, 90]])
    )
    R = Rotation.from_rotvec(spin * axis / np.linalg.norm(axis)) * Rotation.from_euler(
        "xyz", quarter, degrees=True
    )
    # No volume is larger than a scanner's field of view.
    spacing = np.array(draw(st.tuples(*(st.floats(0.3, min(8.0, 0.99 * MAX_FIELD_MM / n)) for n in SHAPE))))
    mirror = draw(st.sampled_from([1.0, -1.0]))
    X = np.eye(4)
    X[:3, :3] = R.as_matrix() * spacing * [1.0, 1.0, mirror]
    X[:3, 3] = draw(st.tuples(*[st.floats(-600, 600)] * 3))
    return X


def header(
    sform: np.ndarray, sform_code: int, qform: np.ndarray, qform_code: int, version: int = 1, unit: str = "mm"
) -> nib.Nifti1Header:
    nifti_header = (nib.Nifti1Header if version == 1 else nib.Nifti2Header)()
    nifti_header.set_data_shape(SHAPE)
    nifti_header.set_xyzt_units(unit)
    nifti_header.set_qform(qform, qform_code)
    nifti_header.set_sform(sform, sform_code)
    nifti_header["magic"] = b"n+1" if version == 1 else b"n+2"
    nifti_header["vox_offset"] = 352 if version == 1 else 544
    return nifti_header


def pose(nifti_header: nib.Nifti1Header) -> tuple[np.ndarray, tuple[str, ...]]:
    """Voxel to RAS mm, and remarks."""
    X_PV, remarks = voxel_to_patient(decode_header(nifti_header.binaryblock, "x.nii"), SHAPE, "x.nii")
    return RAS_FROM_LPS @ X_PV, remarks


def corners_apart(A: np.ndarray, B: np.ndarray) -> float:
    corners = np.array([[i, j, k, 1.0] for i in (0, 511) for j in (0, 511) for k in (0, 299)])
    return float(np.abs(corners @ (A - B).T).max())


@given(affines(), st.sampled_from([1, 2]), st.sampled_from("<>"))
def test_a_single_form_gives_the_affine_of_nibabel(X: np.ndarray, version: int, order: str) -> None:
    by_sform = header(X, 2, X, 0, version).as_byteswapped(order)
    affine, remarks = pose(by_sform)
    assert remarks == ()
    assert corners_apart(affine, by_sform.get_sform()) < 1e-9
    by_qform = header(X, 0, X, 1, version).as_byteswapped(order)
    affine, remarks = pose(by_qform)
    assert remarks == ()
    # The quaternion's real part is the root of a difference, which nibabel and the reference round
    # differently.
    assert corners_apart(affine, by_qform.get_qform()) < 0.7


@given(affines(), st.sampled_from([1, 2, 3, 4, 5]), st.sampled_from([1, 2]))
def test_equal_forms_need_no_remark_except_for_visible_rounding(
    X: np.ndarray, code: int, version: int
) -> None:
    nifti_header = header(X, code, X, code, version)
    difference_mm = corners_apart(nifti_header.get_sform(), nifti_header.get_qform())
    assume(
        difference_mm < 0.2 and not 0.02 < difference_mm < 0.06
    )  # nibabel rounds the real part differently
    affine, remarks = pose(nifti_header)
    assert corners_apart(affine, X) < 1e-3
    form_remarks = [r for r in remarks if "template" not in r]
    assert bool(form_remarks) == (difference_mm > 0.05)
    assert all(r.startswith("its sform was used; its qform differs by up to 0.") for r in form_remarks)
    assert len(remarks) - len(form_remarks) == (code >= 3)


RAS = RAS_FROM_LPS @ OBLIQUE


def shifted_affine(mm: float) -> np.ndarray:
    X = RAS.copy()
    X[0, 3] += mm
    return X


def rotated_affine(degrees: float) -> np.ndarray:
    X = np.eye(4)
    X[:3, :3] = Rotation.from_euler("z", degrees, degrees=True).as_matrix()
    return np.asarray(X @ RAS)


OTHER_AFFINES = {
    "mirrored": np.diag([-1.0, 1, 1, 1]) @ RAS,
    "40 mm away": shifted_affine(40),
    "half a voxel away": shifted_affine(0.6),
    "turned by 1 degree": rotated_affine(1),
    "of other spacing": RAS @ np.diag([1.2, 1, 1, 1]),
}


@pytest.mark.parametrize("codes", [(1, 1), (2, 2), (2, 4), (3, 2)])
@pytest.mark.parametrize("other", OTHER_AFFINES.values(), ids=OTHER_AFFINES.keys())
def test_different_forms_are_refused_with_both_codes(other: np.ndarray, codes: tuple[int, int]) -> None:
    with pytest.raises(
        GridError, match=rf"x\.nii: its sform \(code {codes[0]}, .*qform \(code {codes[1]}, .* mm"
    ):
        pose(header(RAS, codes[0], other, codes[1]))


@pytest.mark.parametrize("codes", [(1, 1), (2, 2), (1, 2), (2, 1)])
@pytest.mark.parametrize("distance_mm", [0.2, 0.3, 0.49])
@pytest.mark.parametrize("change", ["moved", "turned"])
def test_nearly_equal_forms_are_remarked_for_any_codes(
    change: str, distance_mm: float, codes: tuple[int, int]
) -> None:
    """Shifted at the first voxel, or rotated about it, with the same tolerance."""
    other = shifted_affine(distance_mm)
    if change == "turned":
        far = np.linalg.norm(RAS[:3, :3] @ (np.array(SHAPE) - 1))
        other = RAS.copy()
        other[:3, :3] = Rotation.from_rotvec([0.0, 0.0, distance_mm / far]).as_matrix() @ RAS[:3, :3]
    affine, (remark,) = pose(header(RAS, codes[0], other, codes[1]))
    assert corners_apart(affine, RAS) < 1e-3
    assert remark.startswith("its sform was used; its qform differs by up to 0.")


@pytest.mark.parametrize("codes", [(1, 1), (2, 1), (3, 1), (4, 1), (2, 2), (1, 2)])
@pytest.mark.parametrize("degrees", [2.0, 15.0])
def test_a_gantry_tilt_missing_in_the_qform_is_refused(degrees: float, codes: tuple[int, int]) -> None:
    tilted = RAS @ np.array(
        [[1, 0, 0, 0], [0, 1, np.tan(np.radians(degrees)), 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    )
    with pytest.raises(
        GridError, match=r"its sform \(code \d, .*not orthogonal, as with a gantry tilt"
    ) as error:
        pose(header(tilted, codes[0], RAS, codes[1]))
    assert "Resample it to a straight grid" in error.value.remedy


@pytest.mark.parametrize("code", [2, 3, 4, 5])
@pytest.mark.parametrize("other", list(OTHER_AFFINES.values())[:4], ids=list(OTHER_AFFINES)[:4])
def test_the_scanner_form_is_used_with_a_remark_if_the_other_differs(other: np.ndarray, code: int) -> None:
    affine, (remark,) = pose(header(RAS, 1, other, code))
    assert corners_apart(affine, RAS) < 1e-3
    assert remark.startswith("its sform (code 1, scanner) was used; its qform (code")
    affine, (remark,) = pose(header(other, code, RAS, 1))
    assert corners_apart(affine, RAS) < 1e-2
    assert remark.startswith("its qform (code 1, scanner) was used; its sform (code")


@pytest.mark.parametrize(("code", "space"), [(3, "Talairach"), (4, "MNI 152"), (5, "another template")])
def test_a_template_space_alone_is_remarked(code: int, space: str) -> None:
    for nifti_header in (header(RAS, code, RAS, 0), header(RAS, 0, RAS, code)):
        _, (remark,) = pose(nifti_header)
        assert f"(code {code}, {space})" in remark


def test_codes_and_units_undefined_in_nifti_are_refused() -> None:
    with pytest.raises(GridError, match="sform code is 7"):
        nifti_header = header(RAS, 1, RAS, 1)
        nifti_header["sform_code"] = 7
        pose(nifti_header)
    with pytest.raises(GridError, match="unit of length has the unknown code 5"):
        nifti_header = header(RAS, 1, RAS, 1)
        nifti_header["xyzt_units"] = 5
        pose(nifti_header)


@pytest.mark.parametrize(
    ("unit", "factor", "unit_name"),
    [("meter", 1e-3, "metres"), ("micron", 1e3, "micrometres"), ("unknown", 1, None)],
)
def test_lengths_in_another_unit_are_converted_with_a_remark(
    unit: str, factor: float, unit_name: str | None
) -> None:
    X = np.diag([factor, factor, factor, 1.0]) @ RAS
    for nifti_header in (
        header(X, 1, X, 0, unit=unit),
        header(X, 0, X, 1, unit=unit),
        header(X, 1, X, 1, unit=unit),
    ):
        affine, remarks = pose(nifti_header)
        assert corners_apart(affine, RAS) < 2e-2
        assert remarks == (
            () if unit_name is None else (f"its affine is in {unit_name}, and was converted to mm",)
        )


@pytest.mark.parametrize("factor", [0.5, 1.011, 1.2, 10.0])
@pytest.mark.parametrize("axis", range(3))
def test_spacings_that_contradict_the_sform_are_refused(axis: int, factor: float) -> None:
    nifti_header = header(RAS, 1, RAS, 0)
    nifti_header["pixdim"][1 + axis] *= factor
    with pytest.raises(GridError, match=r"voxel spacings of .* mm, but its affine 0\.8, 0\.9, 5 mm"):
        pose(nifti_header)


def test_the_longest_spacing_that_a_header_can_give_is_refused() -> None:
    nifti_header = header(RAS, 1, RAS, 0, version=2)
    nifti_header["pixdim"][1] = np.finfo(float).max
    with pytest.raises(GridError, match=r"voxel spacings of 1\.798e\+308, 0\.9, 5 mm"):
        pose(nifti_header)


def test_rounded_or_missing_spacings_are_remarked() -> None:
    for spacing, unit_name in (
        (0.803, "of 0.803, 0.9, 5 mm"),
        (0.0, "of 0, 0.9, 5"),
        (np.nan, "of nan, 0.9, 5"),
    ):
        nifti_header = header(RAS, 1, RAS, 0)
        nifti_header["pixdim"][1] = spacing
        affine, (remark,) = pose(nifti_header)
        assert corners_apart(affine, RAS) < 1e-3
        assert unit_name in remark
    # The sign of a spacing has no meaning in NIfTI.
    nifti_header = header(RAS, 1, RAS, 0)
    nifti_header["pixdim"][1] *= -1
    assert pose(nifti_header)[1] == ()


@pytest.mark.parametrize("spacing", [0.0, -0.8, np.nan, np.inf])
def test_a_qform_needs_its_spacings(spacing: float) -> None:
    for sform_code in (0, 1):
        nifti_header = header(RAS, sform_code, RAS, 1)
        nifti_header["pixdim"][1] = spacing
        with pytest.raises(GridError, match="which its qform needs"):
            pose(nifti_header)


def test_a_quaternion_that_is_no_rotation_is_refused() -> None:
    for value in (1.5, np.nan, np.inf):
        nifti_header = header(RAS, 0, RAS, 1)
        nifti_header["quatern_b"] = value
        with pytest.raises(GridError, match="its qform is not a rotation"):
            pose(nifti_header)


def test_remarks_reach_the_notes_once_for_all_files(tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    metres = np.diag([1e-3, 1e-3, 1e-3, 1.0]) @ OBLIQUE
    for n in range(7):
        write_nifti(masks / f"rib_{n}.nii.gz", (body_labels() == 2).astype(np.uint8), metres, unit="meter")
    note = "its affine is in metres, and was converted to mm."
    first = "rib_0.nii.gz, rib_1.nii.gz, rib_2.nii.gz, rib_3.nii.gz, rib_4.nii.gz and 2 more"
    assert read(masks)[0].notes == (f"{first}: {note}",)
    labels = write_nifti(tmp_path / "labels.nii.gz", body_labels(), extension=label_table())
    target = write_nifti(tmp_path / "t.nii", (body_labels() == 3).astype(np.uint8), metres, unit="meter")
    ct_hu = 500 * body_labels().astype(np.int16) - 1000
    ct = write_nifti(tmp_path / "ct.nii", ct_hu, metres, unit="meter")
    assert read(labels, targets=[target], ct=ct)[0].notes == (f"t.nii, ct.nii: {note}",)


@pytest.mark.long
def test_a_qform_near_a_half_turn_is_off_as_the_reader_says() -> None:
    """The figures beside AGREE_MM: a header stores no real part, and near a half turn float32 loses it."""
    rng, count = np.random.default_rng(1), 6000
    axes = rng.normal(size=(count, 3))
    half_turns = Rotation.from_rotvec(
        axes / np.linalg.norm(axes, axis=1)[:, None] * (np.pi - rng.uniform(0.0, 1e-3, (count, 1)))
    )
    R, read_R = half_turns.as_matrix(), np.empty((count, 3, 3))
    for n in range(count):
        X = np.eye(4)
        X[:3, :3] = R[n]
        read_R[n] = pose(header(X, 0, X, 2))[0][:3, :3]
    turned = (Rotation.from_matrix(read_R) * half_turns.inv()).magnitude()
    corners_mm = np.stack(np.meshgrid([0.0, 500.0], [0.0, 500.0], [0.0, 400.0]), axis=-1).reshape(-1, 3)
    moved_mm = np.linalg.norm(corners_mm @ (read_R - R).transpose(0, 2, 1), axis=-1).max(axis=1)
    assert turned.max() <= 9e-4 and moved_mm.max() <= 0.7
    assert 10 <= 1000.0 * np.mean(moved_mm > AGREE_MM) <= 22
