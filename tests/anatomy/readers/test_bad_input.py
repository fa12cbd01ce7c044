"""Bad input: each kind of damage has its own message with the file, the finding and the remedy."""

import gzip
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh
from case_files import NAMES, OBLIQUE, body_labels, label_table, write_names, write_nifti, write_seg_nrrd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anatomy.errors import AnatomyError, FrameMismatch, GridError, ReadError, StructureError, SurfaceError
from anatomy.names.did_you_mean import MAX_LISTED, did_you_mean
from anatomy.patient.role_assignment import DERIVE
from anatomy.readers.nifti.volume import read_mask
from anatomy.readers.read import read
from anatomy.readers.size_limits import MAX_STRUCTURES
from anatomy.scene import PoseInput, scene
from anatomy.structures import Role, Segmentation

Refused = type[AnatomyError]


def patched(path: Path, offset: int, content: bytes) -> Path:
    """The NIfTI file with some bytes replaced, compressed again if it was."""
    packed = path.name.endswith(".gz")
    raw = bytearray(gzip.decompress(path.read_bytes()) if packed else path.read_bytes())
    raw[offset : offset + len(content)] = content
    path.write_bytes(gzip.compress(bytes(raw)) if packed else bytes(raw))
    return path


def nan_affine() -> bytes:
    return np.array([np.nan, 0, 0, 0], "<f4").tobytes()


@pytest.fixture
def names(tmp_path: Path) -> Path:
    return write_names(tmp_path / "labels.json")


def labels(
    tmp_path: Path, values: np.ndarray | None = None, suffix: str = ".nii.gz", **kwargs: object
) -> Path:
    return write_nifti(
        tmp_path / f"labels{suffix}",
        body_labels() if values is None else values,
        **kwargs,  # type: ignore[arg-type]  # passed on unchanged
    )


def qform_only(tmp_path: Path, version: int = 1) -> Path:
    """A label map whose affine is its quaternion's, with spacings from pixdim."""
    codes, form = (252, "<2h") if version == 1 else (344, "<2i")
    return patched(labels(tmp_path, version=version), codes, struct.pack(form, 1, 0))


def truncated(path: Path, share: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    return path


def labels_with_value(label: float) -> np.ndarray:
    values = body_labels().astype(float)
    values[3, 3, 3] = label
    return values


SHORTS = struct.Struct("<8h")

VOLUMES: list[tuple[str, Callable[[Path], Path], Refused, str]] = [
    ("cut short, packed", lambda t: truncated(labels(t), 0.7), ReadError, "cut short"),
    ("cut short", lambda t: truncated(labels(t, suffix=".nii"), 0.7), ReadError, "voxels are cut short"),
    ("cut in the header", lambda t: truncated(labels(t, suffix=".nii"), 0.2), ReadError, "NIfTI"),
    ("empty", lambda t: truncated(labels(t, suffix=".nii"), 0.0), ReadError, "NIfTI"),
    ("wrong magic", lambda t: patched(labels(t), 344, b"xxx\0"), ReadError, "does not begin as a NIfTI"),
    ("header of a pair", lambda t: patched(labels(t), 344, b"ni1\0"), ReadError, "single-file"),
    ("NaN in the affine", lambda t: patched(labels(t), 280, nan_affine()), GridError, "NaN"),
    ("no affine code", lambda t: patched(labels(t), 252, b"\0" * 4), GridError, "sform"),
    ("no spacing", lambda t: patched(labels(t), 280, b"\0" * 48), GridError, "spacing"),
    ("singular", lambda t: patched(labels(t), 280, b"\0" * 12), GridError, "singular"),
    (
        "a qform without spacings",
        lambda t: patched(qform_only(t), 80, b"\0" * 12),
        GridError,
        "voxel spacings of 0, 0, 0, which",
    ),
    (
        "a qform of negative spacing",
        lambda t: patched(qform_only(t), 80, struct.pack("<f", -0.8)),
        GridError,
        "voxel spacings of -0.8, 0.9, 5, which",
    ),
    ("sheared", lambda t: patched(labels(t), 284, struct.pack("<f", 2.0)), GridError, "not orthogonal"),
    ("huge spacing", lambda t: labels(t, X_PV=OBLIQUE @ np.diag([1e38, 1, 1, 1])), GridError, "spacing"),
    ("far away", lambda t: patched(labels(t), 292, struct.pack("<f", 1e6)), GridError, "100 m away"),
    ("far voxels", lambda t: patched(labels(t), 108, struct.pack("<f", 1e9)), ReadError, "begin at byte"),
    ("unknown type", lambda t: patched(labels(t), 70, struct.pack("<h", 7)), ReadError, "NIfTI"),
    ("complex numbers", lambda t: labels(t, body_labels().astype(np.complex64)), ReadError, "type complex64"),
    ("a series", lambda t: labels(t, np.stack([body_labels()] * 2, axis=-1)), ReadError, "4 dimensions"),
    ("a slice", lambda t: labels(t, body_labels()[:, :, 3]), ReadError, "2 dimensions"),
    (
        "a bomb",
        lambda t: patched(labels(t), 40, SHORTS.pack(3, 30_000, 30_000, 30_000, 1, 1, 1, 1)),
        ReadError,
        "30000 x 30000 x 30000 voxels",
    ),
    (
        "a negative size",
        lambda t: patched(labels(t), 40, SHORTS.pack(3, -12, 10, 8, 1, 1, 1, 1)),
        ReadError,
        "labels",
    ),
    (
        "a fraction",
        lambda t: labels(t, labels_with_value(1.5)),
        ReadError,
        "1.5, which is not a whole number",
    ),
    ("a negative label", lambda t: labels(t, labels_with_value(-3)), ReadError, "negative value -3"),
    ("a huge label", lambda t: labels(t, labels_with_value(70_000)), ReadError, "70000"),
    ("NaN voxels", lambda t: labels(t, labels_with_value(np.nan)), ReadError, "NaN"),
    ("a label without a name", lambda t: labels(t, labels_with_value(7)), ReadError, "without a name: 7"),
    (
        "a label beyond the table",
        lambda t: labels(t, labels_with_value(259)),
        ReadError,
        "without a name: 259",
    ),
]


@pytest.mark.parametrize(("make", "error", "message"), [v[1:] for v in VOLUMES], ids=[v[0] for v in VOLUMES])
def test_damaged_label_maps_are_refused(
    tmp_path: Path, names: Path, make: Callable[[Path], Path], error: Refused, message: str
) -> None:
    with pytest.raises(error, match=message) as refusal:
        read(make(tmp_path), names=names)
    assert refusal.value.remedy
    assert refusal.value.field.startswith("labels.nii")
    assert str(tmp_path) not in str(refusal.value)


def test_a_qform_alone_is_accepted(tmp_path: Path, names: Path) -> None:
    by_sform, _ = read(labels(tmp_path), names=names)
    for version in (1, 2):
        by_qform, _ = read(qform_only(tmp_path, version=version), names=names)
        assert by_qform.grid.same_as(by_sform.grid, tolerance_mm=1e-4)
    with pytest.raises(GridError, match="spacings of 0"):
        read(patched(qform_only(tmp_path, version=2), 112, b"\0" * 24), names=names)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1, 2]", "one JSON object"),
        (b"{}", "names no label"),
        (b'{"0": "background"}', "names no label"),
        (b'{"1": "heart", "1": "aorta"}', "twice"),
        (b'{"1": "heart", "01": "aorta"}', "label 1 is named twice"),
        (b'{"1": "heart", "2": "heart"}', "two labels"),
        (b'{"1": ""}', "no printable name"),
        (b'{"1": "a\\u0007b"}', "no printable name"),
        (b'{"one": "heart"}', "is not a label and a name"),
        (b'{"1": ["heart"]}', "is not a label and a name"),
        (b'{"heart": true}', "is not a label and a name"),
        (b'{"heart": 1.5}', "is not a label and a name"),
        (b'{"heart": -1}', "out of range"),
        (b'{"99999": "heart"}', "out of range"),
        (b'{"' + b"9" * 5000 + b'": "heart"}', "is not a label and a name"),
        (b'{"heart": ' + b"9" * 5000 + b"}", "is not a label and a name"),
        (b'{"heart": 123456789012345678901234567890}', "is not a label and a name"),
        ('{"\u0663": "heart"}'.encode(), "is not a label and a name"),
        (b'{"1": "' + b"a" * 5_000_000 + b'"}', "bytes"),
        (json.dumps({str(n): f"s{n}" for n in range(1, MAX_STRUCTURES + 2)}).encode(), "structures"),
    ],
)
def test_bad_names_tables_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    table = tmp_path / "table.json"
    table.write_bytes(content)
    with pytest.raises(ReadError, match=message) as error:
        read(labels(tmp_path), names=table)
    assert error.value.field == "table.json"
    assert len(str(error.value)) < 1000


def test_a_label_map_without_names_is_refused_with_a_remedy(tmp_path: Path) -> None:
    for file in (labels(tmp_path), labels(tmp_path, extension=b"<CaretExtension></CaretExtension>")):
        with pytest.raises(ReadError, match=r"by names\.$") as error:
            read(file)
        assert error.value.text_by(lambda companion: f"<{companion}>").endswith("by <names>.")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (label_table()[:-40], "damaged"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]>' + label_table(), "entities"),
        (label_table({"x": "heart"}), "is not a label and a name"),
        (label_table({"9" * 5000: "heart"}), "is not a label and a name"),
        (label_table().replace(b"UTF-8", b"UTF-x"), "damaged"),
    ],
)
def test_bad_embedded_names_are_refused(tmp_path: Path, table: bytes, message: str) -> None:
    with pytest.raises(ReadError, match=message):
        read(labels(tmp_path, extension=table))


def test_missing_paths_are_refused(tmp_path: Path, names: Path) -> None:
    volume = labels(tmp_path)
    for given_paths in (
        {"path": tmp_path / "gone.nii.gz"},
        {"path": volume, "names": tmp_path / "gone.json"},
        {"path": volume, "names": names, "targets": [tmp_path / "gone.nii.gz"]},
        {"path": volume, "names": names, "ct": tmp_path / "gone.nii.gz"},
    ):
        with pytest.raises(ReadError, match=r"gone.*no such file"):
            read(**given_paths)  # type: ignore[arg-type]  # keyword arguments of several types


def test_unsupported_inputs_are_refused(tmp_path: Path, names: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("hello", encoding="utf-8")
    with pytest.raises(ReadError, match="format is not supported"):
        read(text)
    dicom = tmp_path / "image.dcm"
    dicom.write_bytes(bytes(128) + b"DICM" + bytes(100))
    with pytest.raises(ReadError, match="DICOM"):
        read(dicom)
    packed = tmp_path / "case.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(ReadError, match="zip"):
        read(packed)
    segmentation = write_seg_nrrd(tmp_path / "s.seg.nrrd", body_labels(), SEGMENTS)
    with pytest.raises(ReadError, match="takes a names table"):
        read(segmentation, names=names)
    volume = labels(tmp_path)
    for target, message in ((text, "not supported for a target"), (tmp_path, "is a folder")):
        with pytest.raises(ReadError, match=message):
            read(volume, names=names, targets=[target])
    with pytest.raises(ReadError, match="CT is read from NIfTI"):
        read(volume, names=names, ct=segmentation)
    with pytest.raises(ReadError, match="NaN"):
        read(volume, names=names, ct=write_nifti(tmp_path / "ct.nii", labels_with_value(np.nan)))


@pytest.mark.parametrize("bits", [0x7FA00000, 0x7FC00000])
def test_a_mask_of_nan_is_refused_without_a_warning(tmp_path: Path, bits: int) -> None:
    """A signalling NaN and a quiet NaN (IEEE 754, 6.2)."""
    values = np.zeros((4, 4, 4), np.uint32)
    values[1, 1, 1] = bits
    target = write_nifti(tmp_path / "gtv.nii", values.view(np.float32))
    with pytest.raises(ReadError, match="NaN"):
        read_mask(target)


def test_folders_of_an_unsupported_or_mixed_kind_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "case"
    folder.mkdir()
    with pytest.raises(ReadError, match="nothing that is read"):
        read(folder)
    (folder / "IM0001").write_bytes(bytes(128) + b"DICM")
    with pytest.raises(ReadError, match="DICOM"):
        read(folder)
    write_seg_nrrd(folder / "s.seg.nrrd", body_labels(), SEGMENTS)
    with pytest.raises(ReadError, match="Give the file itself"):
        read(folder)
    write_nifti(folder / "heart.nii.gz", (body_labels() == 2).astype(np.uint8))
    with pytest.raises(ReadError, match=r"NIfTI masks and \.seg\.nrrd"):
        read(folder)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (body_labels(), "3 different values"),
        (0.5 * (body_labels() == 2), "not a whole number"),
        (-1024 * np.ones((12, 10, 8), np.int16), "negative"),
    ],
)
def test_files_that_are_no_mask_are_refused(tmp_path: Path, values: np.ndarray, message: str) -> None:
    folder = tmp_path / "masks"
    folder.mkdir()
    write_nifti(folder / "aorta.nii.gz", values)
    with pytest.raises(ReadError, match=message):
        read(folder)


def test_two_files_of_one_structure_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    folder.mkdir()
    for file in ("heart.nii", "heart.nii.gz"):
        write_nifti(folder / file, (body_labels() == 2).astype(np.uint8))
    with pytest.raises(ReadError, match="two files"):
        read(folder)
    meshes = tmp_path / "meshes"
    meshes.mkdir()
    for file in ("heart.stl", "heart.ply"):
        trimesh.creation.icosphere(radius=10).export(meshes / file)
    with pytest.raises(ReadError, match="two files"):
        read(meshes)


# --- .seg.nrrd

SEGMENTS: list[dict[str, object]] = [
    {"Name": name, "LabelValue": label, "Layer": 0} for label, name in NAMES.items()
]


def rewritten(path: Path, old: bytes, new: bytes) -> Path:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
    return path


def without(key: str) -> list[dict[str, object]]:
    return [{k: v for k, v in s.items() if k != key} for s in SEGMENTS]


NRRDS: list[tuple[bytes, bytes, str]] = [
    (b"sizes: 12 10 8", b"sizes: 12 10 9", "cut short"),
    (b"sizes: 12 10 8", b"sizes: 90000 90000 90000", "90000 x 90000 x 90000"),
    (b"sizes: 12 10 8", b"sizes: 12 10 x", "damaged"),
    (b"sizes: 12 10 8", b"sizes: 12 0 8", "every axis"),
    (b"dimension: 3\n", b"", "dimension None, but 3 sizes"),
    (b"type: uchar", b"type: block", "type 'block'"),
    (b"encoding: gzip", b"encoding: bzip2", "encoding is 'bzip2'"),
    (b"left-posterior-superior", b"scanner-xyz", "space is 'scanner-xyz'"),
    (b"endian: little", b'space units: "cm" "cm" "cm"', "space units"),
    (b"endian: little", b"data file: /etc/passwd", "'data file'"),
    (b"endian: little", b"byte skip: 7", "'byte skip'"),
    (b"space origin: (-12.0", b"space origin: (nan", "NaN"),
    (b"Segment1_LabelValue:=2", b"Segment1_LabelValue:=9", "without a name: 2"),
    (b"Segment1_LabelValue:=2", b"Segment1_LabelValue:=1", "share one label"),
    (b"Segment1_LabelValue:=2", b"Segment1_LabelValue:=two", "whole number"),
    (b"Segment1_LabelValue:=2", b"Segment1_LabelValue:=0", "label 0"),
    (b"Segment1_Layer:=0", b"Segment1_Layer:=4", "layer 4"),
    (b"Segment1_Name:=heart", b"Segment1_Name:=body", "one name"),
    (b"Segment1_Name:=heart\n", b"", "no printable name"),
    (b"NRRD0004", b"NRRDxxxx", "damaged"),
]


@pytest.mark.parametrize(("old", "new", "message"), NRRDS)
def test_damaged_segmentations_are_refused(tmp_path: Path, old: bytes, new: bytes, message: str) -> None:
    path = write_seg_nrrd(tmp_path / "case.seg.nrrd", body_labels(), SEGMENTS)
    with pytest.raises(AnatomyError, match=message):
        read(rewritten(path, old, new))


def test_segmentations_without_segments_or_end_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="names no segment"):
        read(write_seg_nrrd(tmp_path / "a.nrrd", body_labels(), []))
    with pytest.raises(ReadError, match="cut short"):
        read(truncated(write_seg_nrrd(tmp_path / "b.seg.nrrd", body_labels(), SEGMENTS), 0.95))
    with pytest.raises(ReadError, match="NRRD header"):
        read(truncated(write_seg_nrrd(tmp_path / "c.seg.nrrd", body_labels(), SEGMENTS), 0.1))
    with pytest.raises(ReadError, match="dimension 5, but 3 sizes"):
        read(
            rewritten(
                write_seg_nrrd(tmp_path / "d.seg.nrrd", body_labels(), SEGMENTS),
                b"dimension: 3",
                b"dimension: 5",
            )
        )


# --- surfaces


def write_ball(path: Path) -> Path:
    trimesh.creation.icosphere(subdivisions=2, radius=10).export(path)
    return path


@pytest.mark.parametrize("suffix", [".stl", ".obj", ".ply"])
def test_damaged_meshes_are_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(AnatomyError, match="heart"):
        read(truncated(write_ball(tmp_path / f"heart{suffix}"), 0.6))
    (tmp_path / f"lung{suffix}").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\0" * 20)
    with pytest.raises(ReadError, match=r"lung.*(no|cut short)"):
        read(tmp_path / f"lung{suffix}")
    (tmp_path / f"cord{suffix}").write_bytes(b"")
    with pytest.raises(ReadError, match="empty"):
        read(tmp_path / f"cord{suffix}")


def test_a_mesh_with_fewer_elements_than_stated_is_refused(tmp_path: Path) -> None:
    path = write_ball(tmp_path / "heart.stl")
    content = bytearray(path.read_bytes())
    content[80:84] = struct.pack("<I", 2**32 - 1)
    path.write_bytes(bytes(content))
    with pytest.raises(ReadError, match="cut short"):
        read(path)
    ply = write_ball(tmp_path / "heart.ply")
    count = b"element face 320"
    with pytest.raises(ReadError, match="damaged"):
        read(rewritten(ply, count, b"element face 4000000000"))


def test_open_meshes_name_their_file(tmp_path: Path) -> None:
    mesh = trimesh.creation.icosphere(subdivisions=2, radius=10)
    trimesh.Trimesh(mesh.vertices, np.array(mesh.faces)[5:], process=False).export(tmp_path / "heart.ply")
    with pytest.raises(SurfaceError, match=r"heart\.ply: the surface is open"):
        read(tmp_path / "heart.ply")


def write_balls(folder: Path, **centres_mm: tuple[float, float, float]) -> Path:
    """Closed balls of 10 mm radius, one in each file."""
    folder.mkdir()
    for name, centre in centres_mm.items():
        ball = trimesh.creation.icosphere(subdivisions=2, radius=10)
        ball.apply_translation(centre).export(folder / f"{name}.stl")
    return folder


def test_surfaces_too_large_for_a_patient_name_their_file(tmp_path: Path) -> None:
    folder = write_balls(tmp_path / "meshes", heart=(0, 0, 0))
    for scale, message in ((1e3, "is 20000 mm long"), (1e6, "from the origin"), (1e30, "from the origin")):
        trimesh.creation.icosphere(subdivisions=2, radius=10 * scale).export(folder / "body.ply")
        with pytest.raises(SurfaceError, match=rf"body\.ply: the surface .*{message}.*in mm"):
            read(folder)


def test_surfaces_too_far_apart_name_the_distant_one(tmp_path: Path) -> None:
    folder = write_balls(tmp_path / "meshes", body=(0, 0, 0), heart=(30, 0, 0), node_4R=(9000, 0, 0))
    with pytest.raises(FrameMismatch, match=r"node_4R\.stl: the surface lies 8970 mm .*from one scan"):
        read(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nelement face 1\nend_header\n0\n3 0 0\n",
        b"ply\nformat ascii 1.0\nproperty float x\nelement vertex 1\nend_header\n0\n",
        b"ply\nformat binary_little_endian 1.0\nelement vertex 1\nproperty float x\nend_header\n",
        b"ply\nformat binary_little_endian 1.0\nproperty list uchar int vertex_indices\nend_header\n\3",
    ],
)
def test_a_ply_header_without_a_mesh_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "heart.ply").write_bytes(content)
    with pytest.raises(ReadError, match=r"heart\.ply"):
        read(tmp_path / "heart.ply")


def test_points_without_faces_are_refused(tmp_path: Path) -> None:
    (tmp_path / "heart.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\n", encoding="utf-8")
    with pytest.raises(AnatomyError, match=r"heart\.obj"):
        read(tmp_path / "heart.obj")


# --- random damage


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["labels.nii", "labels.nii.gz", "case.seg.nrrd", "heart.stl", "heart.ply", "heart.obj"]),
    st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6),
)
def test_random_damage_is_read_or_refused_without_other_errors(
    tmp_path: Path, file: str, damage: list[tuple[float, bytes]]
) -> None:
    path = tmp_path / file
    if file.startswith("labels"):
        write_nifti(path, body_labels(), OBLIQUE, extension=label_table())
    elif file.startswith("case"):
        write_seg_nrrd(path, body_labels(), SEGMENTS)
    else:
        write_ball(path)
    raw = bytearray(path.read_bytes())
    for position, content in damage:
        # Damage matters most in headers, so offsets are cubed towards the start of the file.
        offset = int(position**3 * (len(raw) - 1))
        raw[offset : offset + len(content)] = content
    path.write_bytes(bytes(raw))
    try:
        segmentation, _ = read(path)
    except AnatomyError as error:
        assert error.remedy
    else:
        assert segmentation.structures


# --- readable inputs without a valid scene


def test_an_input_with_only_the_target_is_refused(tmp_path: Path) -> None:
    mask = np.zeros((12, 10, 8), np.uint8)
    mask[4:7, 4:7, 3:6] = 1
    segmentation, targets = read(
        write_nifti(tmp_path / "labels.nii.gz", np.zeros_like(mask), OBLIQUE),
        names=write_names(tmp_path / "labels.json", {"1": "aorta"}),
        targets=(write_nifti(tmp_path / "node.nii.gz", mask, OBLIQUE),),
    )
    with pytest.raises(StructureError, match="nothing but the target"):
        scene(segmentation, targets)


def segmentation_of(values: np.ndarray, table: dict[str, str], tmp_path: Path) -> Segmentation:
    path = write_nifti(tmp_path / "labels.nii.gz", values.astype(np.uint8), OBLIQUE)
    return read(path, names=write_names(tmp_path / "labels.json", table))[0]


def labels_with_organs_outside() -> np.ndarray:
    """The small body with its heart and node, and two smaller organs in the air beside it, as labels."""
    values = np.zeros((30, 10, 8), np.uint8)
    values[:12] = body_labels()
    values[14:16, 2:4, 2:4] = 4
    values[20:22, 2:4, 2:4] = 5
    return values


NAMES_WITH_ORGANS_OUTSIDE = {**NAMES, "4": "aorta", "5": "lung_left"}


def test_organs_outside_the_body_are_named_in_a_note(tmp_path: Path) -> None:
    notes = scene(segmentation_of(labels_with_organs_outside(), NAMES_WITH_ORGANS_OUTSIDE, tmp_path)).notes
    outside = [n for n in notes if "completely outside the body" in n]
    assert [n.split(" lies")[0] for n in outside] == ["aorta", "lung_left"]
    assert all("LPS or RAS" in n and "mm, not cm" in n for n in outside)
    inside = scene(segmentation_of(body_labels(), NAMES, tmp_path))
    assert not any("outside" in note for note in inside.notes)


def test_a_body_without_any_organ_inside_is_refused(tmp_path: Path) -> None:
    values = labels_with_organs_outside()
    values[values == 2] = 1
    with pytest.raises(
        FrameMismatch, match=r"all forbidden and lung .*: aorta, lung_left\. .*LPS or RAS.*cm"
    ):
        scene(segmentation_of(values, NAMES_WITH_ORGANS_OUTSIDE, tmp_path))


@pytest.mark.parametrize(
    ("targets", "roles", "table", "field", "message"),
    [
        (
            ("node_4r",),
            {},
            DERIVE,
            "target/structure",
            r"'node_4r' is not in the input\. Did you mean 'node_4R'\?",
        ),
        ((), {"hart": "lung"}, DERIVE, "roles/hart", r"'hart' is not in the input\. Did you mean 'heart'\?"),
        (
            (),
            {"heart": "forbiden"},
            DERIVE,
            "roles/heart",
            r"'forbiden' is not a role\. Did you mean 'forbidden'\?",
        ),
        ((), {}, "bodi", "pose/table", r"'bodi' is not in the input\. Did you mean 'body'\?"),
        (("node_4R",), {"node_4R": "forbidden"}, DERIVE, "roles/node_4R", "requested as the target"),
        (("node_4R",), {}, "node_4R", "pose/table", "also requested as 'target'"),
        ((), {"heart": "lung"}, "heart", "pose/table", "also requested as 'lung'"),
        ((), {"body": "forbidden"}, DERIVE, "roles/body", "the whole body, which every needle enters"),
        ((), {"body": "outside"}, DERIVE, "roles/body", "the whole body"),
    ],
)
def test_requested_targets_roles_and_tables_must_fit_the_structures(
    tmp_path: Path, targets: tuple[str, ...], roles: dict[str, str], table: str, field: str, message: str
) -> None:
    segmentation = segmentation_of(body_labels(), NAMES, tmp_path)
    with pytest.raises(StructureError, match=message) as error:
        scene(segmentation, targets, roles, PoseInput(table=table))
    assert error.value.field == field


def test_consistent_requests_for_one_structure_are_accepted(tmp_path: Path) -> None:
    segmentation = segmentation_of(body_labels(), NAMES, tmp_path)
    roles = {"node_4R": "target", "heart": "outside", "body": "skin"}
    full_scene = scene(segmentation, ("node_4R",), roles, PoseInput(table="heart"))
    assert full_scene.structure("heart").role is Role.OUTSIDE
    assert full_scene.structure("node_4R").role is Role.TARGET
    # A node that is not treated is no target, despite its name.
    other_roles = {"node_4R": "forbidden", "heart": "target"}
    assert scene(segmentation, (), other_roles).structure("node_4R").role is Role.FORBIDDEN


def test_an_empty_target_has_another_message_than_a_missing_one(tmp_path: Path, names: Path) -> None:
    empty = write_nifti(tmp_path / "gtv.nii.gz", np.zeros((12, 10, 8), np.uint8))
    with pytest.raises(StructureError, match=r"gtv\.nii\.gz: the target is empty"):
        read(labels(tmp_path), names=names, targets=[empty])
    with pytest.raises(StructureError, match=r"target/structure: 'gtv' is empty"):
        scene(segmentation_of(body_labels(), {**NAMES, "4": "gtv"}, tmp_path), ("gtv",))


@pytest.mark.parametrize(
    ("values", "description"),
    [
        (body_labels(), "4 different values, from 0 to 3"),
        ((body_labels() == 2).astype(np.float32), "2 different values, from 0 to 1"),
        (np.zeros((12, 10, 8), np.int16), "one value, from 0 to 0"),
        (np.linspace(0, 1, 960).reshape(12, 10, 8), "2 different values, from 0 to 1"),
    ],
)
def test_labels_as_a_ct_are_refused(
    tmp_path: Path, names: Path, values: np.ndarray, description: str
) -> None:
    ct = write_nifti(tmp_path / "ct.nii.gz", values)
    with pytest.raises(ReadError, match=rf"ct\.nii\.gz: it holds {description}.*Hounsfield"):
        read(labels(tmp_path), names=names, ct=ct)


def test_a_ct_of_few_values_is_accepted_if_it_contains_air(tmp_path: Path, names: Path) -> None:
    ct = write_nifti(tmp_path / "ct.nii.gz", np.where(body_labels() > 0, 40, -1000).astype(np.int16))
    assert read(labels(tmp_path), names=names, ct=ct)[0].ct_hu is not None


@pytest.mark.parametrize("count", [0, 1, 39, 40, 41, 2000])
def test_a_suggestion_lists_a_limited_number_of_names(count: int) -> None:
    known = [f"structure_{n}" for n in range(count)]
    text = did_you_mean("structure_x", known)
    assert len(text) < 1000
    assert text.endswith(f"and {count - MAX_LISTED} more.") == (count > MAX_LISTED)


def test_a_suggestion_ignores_case() -> None:
    assert did_you_mean("AORTA", ["aorta", "heart"]).startswith("Did you mean 'aorta'? Known: aorta, heart.")
    assert did_you_mean("nodes", ["node", "node_5", "nodus"]).startswith(
        "Did you mean 'node', 'nodus' or 'node_5'?"
    )
    assert did_you_mean("zzz", ["aorta"]) == "Known: aorta."
