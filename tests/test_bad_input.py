"""Bad input: each kind of damage has its own sentence, with the file, what was found, and the remedy."""

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

from anatomy.errors import AnatomyError, GridError, ReadError, StructureError, SurfaceError
from anatomy.limits import MAX_STRUCTURES
from anatomy.read import read
from anatomy.scene import scene

Refused = type[AnatomyError]


def patched(path: Path, offset: int, content: bytes) -> Path:
    """The NIfTI file with some bytes replaced, packed again where it was."""
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
        **kwargs,  # type: ignore[arg-type]  # passed on as given
    )


def cut(path: Path, share: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    return path


def changed(label: float) -> np.ndarray:
    values = body_labels().astype(float)
    values[3, 3, 3] = label
    return values


SHORTS = struct.Struct("<8h")

VOLUMES: list[tuple[str, Callable[[Path], Path], Refused, str]] = [
    ("cut short, packed", lambda t: cut(labels(t), 0.7), ReadError, "cut short"),
    ("cut short", lambda t: cut(labels(t, suffix=".nii"), 0.7), ReadError, "cut short or damaged"),
    ("cut in the header", lambda t: cut(labels(t, suffix=".nii"), 0.2), ReadError, "NIfTI"),
    ("empty", lambda t: cut(labels(t, suffix=".nii"), 0.0), ReadError, "NIfTI"),
    ("wrong magic", lambda t: patched(labels(t), 344, b"xxx\0"), ReadError, "does not begin as a NIfTI"),
    ("header of a pair", lambda t: patched(labels(t), 344, b"ni1\0"), ReadError, "single-file"),
    ("NaN in the affine", lambda t: patched(labels(t), 280, nan_affine()), GridError, "NaN"),
    ("no affine code", lambda t: patched(labels(t), 252, b"\0" * 4), ReadError, "sform"),
    ("no spacing", lambda t: patched(labels(t), 280, b"\0" * 48), GridError, "spacing"),
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
    ("a fraction", lambda t: labels(t, changed(1.5)), ReadError, "1.5, which is no whole number"),
    ("a negative label", lambda t: labels(t, changed(-3)), ReadError, "negative value -3"),
    ("a huge label", lambda t: labels(t, changed(70_000)), ReadError, "70000"),
    ("NaN voxels", lambda t: labels(t, changed(np.nan)), ReadError, "NaN"),
    ("a label without a name", lambda t: labels(t, changed(7)), ReadError, "without a name: 7"),
    ("a label beyond the table", lambda t: labels(t, changed(259)), ReadError, "without a name: 259"),
]


@pytest.mark.parametrize(("make", "error", "message"), [v[1:] for v in VOLUMES], ids=[v[0] for v in VOLUMES])
def test_damaged_label_maps(
    tmp_path: Path, names: Path, make: Callable[[Path], Path], error: Refused, message: str
) -> None:
    with pytest.raises(error, match=message) as refused:
        read(make(tmp_path), names=names)
    assert refused.value.remedy
    assert str(tmp_path) not in str(refused.value)


def test_a_packed_bomb_is_not_unpacked_beyond_its_header(tmp_path: Path, names: Path) -> None:
    path = labels(tmp_path)
    raw = gzip.decompress(path.read_bytes())
    # Ten million zeros after the voxels: they belong to nobody and are never read.
    path.write_bytes(gzip.compress(raw + bytes(10_000_000)))
    assert read(path, names=names)[0].names() == tuple(NAMES.values())


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
        (b'{"one": "heart"}', "no label and name"),
        (b'{"1": ["heart"]}', "no label and name"),
        (b'{"heart": true}', "no label and name"),
        (b'{"heart": 1.5}', "no label and name"),
        (b'{"heart": -1}', "out of range"),
        (b'{"99999": "heart"}', "out of range"),
        (b'{"1": "' + b"a" * 5_000_000 + b'"}', "bytes"),
        (json.dumps({str(n): f"s{n}" for n in range(1, MAX_STRUCTURES + 2)}).encode(), "structures"),
    ],
)
def test_bad_names_tables(tmp_path: Path, content: bytes, message: str) -> None:
    table = tmp_path / "table.json"
    table.write_bytes(content)
    with pytest.raises(ReadError, match=message) as refused:
        read(labels(tmp_path), names=table)
    assert refused.value.field == "table.json"


def test_a_label_map_without_names_says_how_to_give_them(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="--names"):
        read(labels(tmp_path))
    with pytest.raises(ReadError, match="--names"):
        read(labels(tmp_path, extension=b"<CaretExtension></CaretExtension>"))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (label_table()[:-40], "damaged"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]>' + label_table(), "entities"),
        (label_table({"x": "heart"}), "no label and name"),
    ],
)
def test_bad_embedded_names(tmp_path: Path, table: bytes, message: str) -> None:
    with pytest.raises(ReadError, match=message):
        read(labels(tmp_path, extension=table))


def test_paths_that_are_not_there(tmp_path: Path, names: Path) -> None:
    volume = labels(tmp_path)
    for given_paths in (
        {"path": tmp_path / "gone.nii.gz"},
        {"path": volume, "names": tmp_path / "gone.json"},
        {"path": volume, "names": names, "targets": [tmp_path / "gone.nii.gz"]},
        {"path": volume, "names": names, "ct": tmp_path / "gone.nii.gz"},
    ):
        with pytest.raises(ReadError, match=r"gone.*no such file"):
            read(**given_paths)  # type: ignore[arg-type]  # keyword arguments of several types


def test_inputs_of_no_kind(tmp_path: Path, names: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("hello", encoding="utf-8")
    with pytest.raises(ReadError, match="of no kind"):
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
    with pytest.raises(ReadError, match="takes names"):
        read(segmentation, names=names)
    volume = labels(tmp_path)
    for target, message in ((text, "no target"), (tmp_path, "is a folder")):
        with pytest.raises(ReadError, match=message):
            read(volume, names=names, targets=[target])
    with pytest.raises(ReadError, match="CT is read from NIfTI"):
        read(volume, names=names, ct=segmentation)
    with pytest.raises(ReadError, match="NaN"):
        read(volume, names=names, ct=write_nifti(tmp_path / "ct.nii", changed(np.nan)))


def test_folders_of_no_kind_or_of_two(tmp_path: Path) -> None:
    folder = tmp_path / "case"
    folder.mkdir()
    with pytest.raises(ReadError, match="nothing that is read"):
        read(folder)
    (folder / "IM0001").write_bytes(bytes(128) + b"DICM")
    with pytest.raises(ReadError, match="DICOM"):
        read(folder)
    write_seg_nrrd(folder / "s.seg.nrrd", body_labels(), SEGMENTS)
    with pytest.raises(ReadError, match="Name the file itself"):
        read(folder)
    write_nifti(folder / "heart.nii.gz", (body_labels() == 2).astype(np.uint8))
    with pytest.raises(ReadError, match=r"NIfTI masks and \.seg\.nrrd"):
        read(folder)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (body_labels(), "3 different values"),
        (0.5 * (body_labels() == 2), "no whole number"),
        (-1024 * np.ones((12, 10, 8), np.int16), "negative"),
    ],
)
def test_what_is_no_mask(tmp_path: Path, values: np.ndarray, message: str) -> None:
    folder = tmp_path / "masks"
    folder.mkdir()
    write_nifti(folder / "aorta.nii.gz", values)
    with pytest.raises(ReadError, match=message):
        read(folder)


def test_two_files_of_one_structure(tmp_path: Path) -> None:
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
def test_damaged_segmentations(tmp_path: Path, old: bytes, new: bytes, message: str) -> None:
    path = write_seg_nrrd(tmp_path / "case.seg.nrrd", body_labels(), SEGMENTS)
    with pytest.raises(AnatomyError, match=message):
        read(rewritten(path, old, new))


def test_segmentations_without_segments_or_end(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="names no segment"):
        read(write_seg_nrrd(tmp_path / "a.nrrd", body_labels(), []))
    with pytest.raises(ReadError, match="cut short"):
        read(cut(write_seg_nrrd(tmp_path / "b.seg.nrrd", body_labels(), SEGMENTS), 0.95))
    with pytest.raises(ReadError, match="NRRD header"):
        read(cut(write_seg_nrrd(tmp_path / "c.seg.nrrd", body_labels(), SEGMENTS), 0.1))
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
def test_damaged_meshes(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(AnatomyError, match="heart"):
        read(cut(write_ball(tmp_path / f"heart{suffix}"), 0.6))
    (tmp_path / f"lung{suffix}").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\0" * 20)
    with pytest.raises(ReadError, match=r"lung.*(no|cut short)"):
        read(tmp_path / f"lung{suffix}")
    (tmp_path / f"cord{suffix}").write_bytes(b"")
    with pytest.raises(ReadError, match="empty"):
        read(tmp_path / f"cord{suffix}")


def test_a_mesh_that_promises_more_than_it_holds(tmp_path: Path) -> None:
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


def test_points_are_no_surface(tmp_path: Path) -> None:
    (tmp_path / "heart.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\n", encoding="utf-8")
    with pytest.raises(AnatomyError, match=r"heart\.obj"):
        read(tmp_path / "heart.obj")


# --- anything at all


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["labels.nii", "labels.nii.gz", "case.seg.nrrd", "heart.stl", "heart.ply", "heart.obj"]),
    st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6),
)
def test_random_damage_is_read_or_refused_never_worse(
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
    for where, content in damage:
        # Headers are where damage matters most: a cube root of the file's length up.
        offset = int(where**3 * (len(raw) - 1))
        raw[offset : offset + len(content)] = content
    path.write_bytes(bytes(raw))
    try:
        segmentation, _ = read(path)
    except AnatomyError as refused:
        assert refused.remedy
    else:
        assert segmentation.structures


# --- scenes that are read but make no sense


def test_an_input_of_nothing_but_the_target_is_refused(tmp_path: Path) -> None:
    mask = np.zeros((12, 10, 8), np.uint8)
    mask[4:7, 4:7, 3:6] = 1
    segmentation, targets = read(
        write_nifti(tmp_path / "labels.nii.gz", np.zeros_like(mask), OBLIQUE),
        names=write_names(tmp_path / "labels.json", {"1": "aorta"}),
        targets=(write_nifti(tmp_path / "node.nii.gz", mask, OBLIQUE),),
    )
    with pytest.raises(StructureError, match="nothing but the target"):
        scene(segmentation, targets)
