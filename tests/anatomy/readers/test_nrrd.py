"""Segmentations in NRRD: names in UTF-8, layers first or last, bytes to the end. pynrrd is the oracle."""

import gzip
import random
from pathlib import Path

import nrrd
import numpy as np
import pytest
from case_files import NAMES, OBLIQUE, body_labels, write_seg_nrrd

from anatomy.errors import AnatomyError, GridError, ReadError
from anatomy.readers.nrrd.header import parse_header
from anatomy.readers.read import read
from anatomy.readers.size_limits import MAX_HEADER_BYTES, MAX_STRUCTURES

SEGMENTS: list[dict[str, object]] = [
    {"Name": name, "LabelValue": label, "Layer": 0} for label, name in NAMES.items()
]


def segments_named(*names: str) -> list[dict[str, object]]:
    return [{"Name": name, "LabelValue": n, "Layer": 0} for n, name in enumerate(names, 1)]


def rewritten(path: Path, old: bytes, new: bytes) -> Path:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
    return path


def written(tmp_path: Path, **kwargs: object) -> Path:
    return write_seg_nrrd(tmp_path / "s.seg.nrrd", body_labels(), SEGMENTS, **kwargs)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "names",
    [
        ("Körper", "Knoten_größe", "心臓"),
        ("左 lung", "右 lung", "lung"),
        ("a:=b", "a: b", "#a"),
        ("back\\\\slash", "Ωmega", "é"),
    ],
)
def test_non_ascii_names_are_kept(tmp_path: Path, names: tuple[str, ...]) -> None:
    path = write_seg_nrrd(tmp_path / "s.seg.nrrd", body_labels(), segments_named(*names))
    # Writers write a backslash twice.
    assert read(path)[0].names() == tuple(name.replace("\\\\", "\\") for name in names)


@pytest.mark.parametrize("name", [b"K\xf6rper", b"a\\nb", b"\x07", "\u202e".encode(), b"a" * 201, b""])
def test_an_invalid_name_is_refused(tmp_path: Path, name: bytes) -> None:
    with pytest.raises(ReadError, match="segment 1 has no printable name"):
        read(rewritten(written(tmp_path), b"_Name:=heart", b"_Name:=" + name))


def test_the_header_agrees_with_pynrrd(tmp_path: Path) -> None:
    path = written(tmp_path, space="right-anterior-superior", extra='space units: "mm" "mm" "mm"\n# comment')
    header, oracle = (
        parse_header(path.read_bytes()[:MAX_HEADER_BYTES], path.name),
        nrrd.read_header(str(path)),
    )
    assert header.whole_numbers("sizes") == tuple(oracle["sizes"])
    assert (np.array(header.vectors("space directions")) == oracle["space directions"]).all()
    assert (np.array(header.vectors("space origin")) == oracle["space origin"]).all()
    assert {**header.fields, **header.pairs}.keys() == oracle.keys()
    assert header.pairs == {k: v for k, v in oracle.items() if k.startswith("Segment")}
    assert parse_header(path.read_bytes().replace(b"\n", b"\r\n"), path.name).fields == header.fields


LAYERS = np.stack([(body_labels() > 0).astype(np.uint8), 2 * (body_labels() == 2).astype(np.uint8)])
LAYERED: list[dict[str, object]] = [
    {"Name": "body", "LabelValue": 1, "Layer": 0},
    {"Name": "heart", "LabelValue": 2, "Layer": 1},
]


def write_layered(path: Path, axis: int, encoding: str = "gzip") -> Path:
    """LAYERS written with the layers along another axis than the first."""
    write_seg_nrrd(path, LAYERS, LAYERED, encoding="raw")
    header, _, _ = path.read_bytes().partition(b"\n\n")
    stored = np.moveaxis(LAYERS, 0, axis)
    lines = header.decode().split("\n")
    for n, line in enumerate(lines):
        field, _, text = line.partition(": ")
        if field in ("space directions", "kinds"):
            first, *others = text.split(" ")
            lines[n] = f"{field}: {' '.join([*others[:axis], first, *others[axis:]])}"
        if field == "sizes":
            lines[n] = f"sizes: {' '.join(map(str, stored.shape))}"
        if field == "encoding":
            lines[n] = f"encoding: {encoding}"
    data = stored.tobytes(order="F")
    path.write_bytes(
        "\n".join(lines).encode() + b"\n\n" + (gzip.compress(data) if encoding == "gzip" else data)
    )
    return path


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_layers_may_come_last(tmp_path: Path, encoding: str) -> None:
    first, _ = read(write_layered(tmp_path / "first.seg.nrrd", 0, encoding))
    last, _ = read(write_layered(tmp_path / "last.seg.nrrd", 3, encoding))
    assert last.grid.same_as(first.grid, 1e-9)
    for a, b in zip(first.structures, last.structures, strict=True):
        assert (a.name, a.mask.lower, a.mask.upper) == (b.name, b.mask.lower, b.mask.upper)
        assert (a.mask.cropped() == b.mask.cropped()).all() and a.mask.count > 0
    data, header = nrrd.read(str(tmp_path / "last.seg.nrrd"))
    assert header["kinds"][-1] == "list" and (np.moveaxis(data, 3, 0) == LAYERS).all()


@pytest.mark.parametrize("axis", [1, 2])
def test_layers_between_spatial_axes_are_refused_with_the_reason(tmp_path: Path, axis: int) -> None:
    with pytest.raises(ReadError, match=f"its layers lie along axis {axis + 1} of 4, between axes of space"):
        read(write_layered(tmp_path / "s.seg.nrrd", axis))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"sizes: 12", b"sizes: " + b"9" * 5000, "sizes.*damaged"),
        (b"_LabelValue:=2", b"_LabelValue:=" + b"9" * 5000, "Segment1_LabelValue"),
        (b"_Layer:=0", b"_Layer:=" + b"9" * 5000, "Segment0_Layer"),
        (b"sizes: 12 10", b"sizes: 12.5 10", "sizes.*damaged"),
        (b"sizes: 12 10", "sizes: \u0661\u0662 10".encode(), "sizes.*damaged"),
        (b"space origin: (-12.0", b"space origin: (-" + b"1" * 5000, "damaged"),
        (b"space origin: (-12.0", b"space origin: (1e309", "NaN or infinity"),
        (b"space origin: (-12.0,", b"space origin: (", "no space origin"),
        (b"space origin: (", b"space origin: none (", "no space origin"),
        (b"space directions: (", b"space directions: none (", "three space directions"),
        (b"space directions: (", b"space directions: (1) (", "three space directions"),
        (b"space directions: (", b"space directions: x (", "damaged"),
        (b"kinds: domain", b"kinds domain", "the line 'kinds domain"),
        (b"type: uchar", b"type: uchar\ntype: short", "it contains 'type' twice"),
        (
            b"Segment1_Name:=heart",
            b"Segment1_Name:=heart\nSegment1_Name:=aorta",
            "it contains 'Segment1_Name' twice",
        ),
        (b"NRRD0004", b"NRRD0009", "begins with 'NRRD0009'"),
    ],
)
def test_damaged_headers_are_refused(tmp_path: Path, old: bytes, new: bytes, message: str) -> None:
    with pytest.raises(AnatomyError, match=message) as error:
        read(rewritten(written(tmp_path), old, new))
    assert len(str(error.value)) < 1000


def test_infinite_directions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GridError, match="infinity"):
        read(rewritten(written(tmp_path, space="right-anterior-superior"), b"-0.75175408", b"1e999"))


def test_too_many_layers_are_refused_before_any_is_allocated(tmp_path: Path) -> None:
    path = write_layered(tmp_path / "s.seg.nrrd", 0)
    with pytest.raises(ReadError, match=f"names {MAX_STRUCTURES + 1} structures"):
        read(rewritten(path, b"sizes: 2 12", b"sizes: %d 12" % (MAX_STRUCTURES + 1)))


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4, (12, 10, 8)).astype(np.uint8)


@pytest.mark.parametrize("level", [0, 9])
def test_no_flipped_bit_of_compressed_voxels_changes_the_result(tmp_path: Path, level: int) -> None:
    path = write_seg_nrrd(tmp_path / "s.seg.nrrd", noise(), SEGMENTS, encoding="raw")
    rewritten(path, b"encoding: raw", b"encoding: gzip")
    header, _, data = path.read_bytes().partition(b"\n\n")
    content = gzip.compress(data, level)
    rng, refused_count = random.Random(level), 0
    for _ in range(200):
        bit = rng.randrange(8 * len(content))
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(header + b"\n\n" + bytes(damaged))
        try:
            segmentation, _ = read(path)
        except AnatomyError:
            refused_count += 1
        else:
            label_sum = sum(n * s.mask.count for n, s in enumerate(segmentation.structures, 1))
            assert label_sum == int(noise().sum(dtype=int))
    assert refused_count > 180


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_the_end_of_the_file_is_checked(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path, encoding=encoding)
    content = path.read_bytes()
    path.write_bytes(content + bytes(100))
    assert read(path)[0].names() == tuple(NAMES.values())
    path.write_bytes(content + b"x")
    with pytest.raises(ReadError, match=r"continues after its voxels|damaged"):
        read(path)
    path.write_bytes(content[:-8])
    with pytest.raises(ReadError, match="cut short"):
        read(path)


def test_damage_is_reported_before_its_consequences(tmp_path: Path) -> None:
    path = written(tmp_path)
    header, _, data = path.read_bytes().partition(b"\n\n")
    content = bytearray(gzip.compress(gzip.decompress(data), 0))
    content[-100] = 77
    path.write_bytes(header + b"\n\n" + bytes(content))
    with pytest.raises(ReadError, match="CRC"):
        read(path)


def test_both_spaces_give_the_same_positions(tmp_path: Path) -> None:
    lps, _ = read(written(tmp_path))
    ras, _ = read(written(tmp_path, space="RAS"))
    assert lps.grid.same_as(ras.grid, 1e-9)
    assert lps.grid.spacing_mm == pytest.approx(np.linalg.norm(OBLIQUE[:3, :3], axis=0))
