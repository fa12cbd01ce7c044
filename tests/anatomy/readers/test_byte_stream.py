"""Bytes: damaged or truncated content is never read as something else; unusual but valid content is read."""

import gzip
import random
import struct
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from case_files import OBLIQUE, RAS_FROM_LPS, label_table, write_nifti

from anatomy.errors import AnatomyError, ReadError
from anatomy.readers import ct_values
from anatomy.readers.byte_stream import MAX_PADDING_BYTES
from anatomy.readers.nifti import volume as nifti_io
from anatomy.readers.nifti.volume import is_nifti, read_labels
from anatomy.readers.read import read

TABLE = {1: "body", 2: "heart", 3: "node_4R"}


def noise() -> np.ndarray:
    """Labels that are hardly compressible, so that most of a compressed file is voxels."""
    return np.random.default_rng(0).integers(0, 4, (12, 10, 8)).astype(np.uint8)


def counts(path: Path) -> list[int]:
    return [s.mask.count for s in read(path)[0].structures]


def written(path: Path, raw: bytes) -> Path:
    path.write_bytes(raw)
    return path


@pytest.fixture
def label_map(tmp_path: Path) -> Path:
    return write_nifti(tmp_path / "labels.nii.gz", noise(), extension=label_table())


@pytest.mark.parametrize("level", [0, 1, 9])
def test_no_flipped_bit_changes_what_is_read(label_map: Path, level: int) -> None:
    content = gzip.compress(gzip.decompress(label_map.read_bytes()), level)
    label_map.write_bytes(content)
    expected, _, _ = read_labels(label_map, TABLE)
    rng, refused_count = random.Random(level), 0
    for _ in range(300):
        bit = rng.randrange(8 * len(content))
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        label_map.write_bytes(bytes(damaged))
        try:
            labels, _, _ = read_labels(label_map, TABLE)
            assert (labels == expected).all()  # a bit of the gzip header, such as its time or system
        except AnatomyError:
            refused_count += 1
    assert refused_count > 280


def test_a_file_without_its_last_bytes_is_refused_as_cut_short(label_map: Path) -> None:
    content = label_map.read_bytes()
    for missing in (1, 4, 8, 9, 20):
        label_map.write_bytes(content[:-missing])
        with pytest.raises(ReadError, match="cut short"):
            read(label_map)


def test_several_gzip_members_and_padding_are_one_content(label_map: Path) -> None:
    expected, raw = counts(label_map), gzip.decompress(label_map.read_bytes())
    parts = gzip.compress(raw[:700]) + gzip.compress(raw[700:])
    for content in (
        parts,
        parts + bytes(512),
        gzip.compress(raw) + gzip.compress(b""),
        gzip.compress(raw + bytes(99)),
    ):
        assert counts(written(label_map, content)) == expected
    assert counts(written(label_map.with_name("plain.nii"), raw + bytes(512))) == expected


@pytest.mark.parametrize("foreign", [b"x", b"\0\0x", b"\x1f\x8b", b"\r\n"])
def test_foreign_bytes_at_the_end_are_refused(label_map: Path, foreign: bytes) -> None:
    content = label_map.read_bytes()
    raw = gzip.decompress(content)
    with pytest.raises(ReadError, match=r"damaged|cut short"):
        read(written(label_map, content + foreign))
    for path, longer in (
        (label_map, gzip.compress(raw + foreign)),
        (label_map.with_name("plain.nii"), raw + foreign),
    ):
        with pytest.raises(ReadError, match="continues after its voxels"):
            read(written(path, longer))


def test_a_decompression_bomb_is_decompressed_only_as_far_as_padding(label_map: Path) -> None:
    raw = gzip.decompress(label_map.read_bytes())
    assert counts(written(label_map, gzip.compress(raw + bytes(MAX_PADDING_BYTES))))
    with pytest.raises(ReadError, match="continues after its voxels"):
        read(written(label_map, gzip.compress(raw + bytes(50 * MAX_PADDING_BYTES))))


def test_damage_is_reported_before_its_consequences(label_map: Path) -> None:
    content = bytearray(gzip.compress(gzip.decompress(label_map.read_bytes()), 0))
    content[-100] = 77
    with pytest.raises(ReadError, match="CRC"):
        read(written(label_map, bytes(content)))
    # With a correct checksum, the label is wrong instead; ten bytes are header, five start a stored block.
    valid = bytearray(content)
    stored = valid[15:-8]
    valid[-8:] = struct.pack("<2I", zlib.crc32(stored), len(stored))
    with pytest.raises(ReadError, match="without a name: 77"):
        read(written(label_map, bytes(valid)))


def test_every_kind_of_nifti_input_is_checked_to_its_end(label_map: Path, tmp_path: Path) -> None:
    def damaged(path: Path, values: np.ndarray) -> Path:
        raw = gzip.decompress(write_nifti(path, values).read_bytes())
        return written(path, gzip.compress(raw)[:-8] + bytes(8))

    masks = tmp_path / "masks"
    masks.mkdir()
    mask = (noise() == 2).astype(np.uint8)
    damaged(masks / "heart.nii.gz", mask)
    for inputs in (
        {"path": masks},
        {"path": label_map, "targets": [damaged(tmp_path / "t.nii.gz", mask)]},
        {"path": label_map, "ct": damaged(tmp_path / "ct.nii.gz", 500 * noise().astype(np.int16) - 1000)},
    ):
        with pytest.raises(ReadError, match="damaged"):
            read(**inputs)  # type: ignore[arg-type]  # keyword arguments of several types


def test_the_kind_is_detected_from_the_first_bytes_only(label_map: Path) -> None:
    content = label_map.read_bytes()
    assert is_nifti(written(label_map, content[:-8] + bytes(8)))
    assert not is_nifti(written(label_map, b"\x1f\x8b" + bytes(20)))
    assert not is_nifti(written(label_map, b""))


@pytest.mark.parametrize("slab_bytes", [1, 8 * 12 * 10, 8 * 12 * 10 * 3, 2**25])
def test_slabs_of_any_size_give_the_same_labels(
    tmp_path: Path, slab_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_nifti(tmp_path / "labels.nii.gz", noise())
    monkeypatch.setattr(nifti_io, "_SLAB_BYTES", slab_bytes)
    labels, grid, _ = read_labels(path, TABLE)
    expected = nib.as_closest_canonical(nib.load(path))
    # nibabel's canonical order runs right and anterior, ours left and posterior.
    assert (labels == np.asarray(expected.dataobj)[::-1, ::-1]).all()
    assert grid.shape == (12, 10, 8)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("slope", "inter"), [(None, None), (2.0, 0.0), (0.5, -100.0), (0.0, 7.0), (np.nan, 0.0)]
)
def test_values_are_scaled_as_in_nibabel(
    tmp_path: Path,
    dtype: str,
    order: str,
    slope: float | None,
    inter: float | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """CT of every number type and byte order; a slope of 0 or NaN means none."""
    stored = (
        np.random.default_rng(1).integers(-100 if dtype[0] in "if" else 0, 120, (12, 10, 8)).astype(dtype)
    )
    header = nib.Nifti1Header(endianness=order)
    header.set_data_dtype(np.dtype(dtype).newbyteorder(order))
    path = tmp_path / "ct.nii"
    nib.Nifti1Image(stored, RAS_FROM_LPS @ OBLIQUE, header).to_filename(path)
    if slope is not None and inter is not None:
        raw = bytearray(path.read_bytes())
        raw[112:120] = struct.pack(f"{order}2f", slope, inter)
        path.write_bytes(bytes(raw))
    expected = np.rint(nib.as_closest_canonical(nib.load(path)).get_fdata())[::-1, ::-1]
    monkeypatch.setattr(ct_values, "FEW_VALUES", 0)
    ct_hu, _, _ = nifti_io.read_ct(path)
    assert (ct_hu == np.clip(expected, -(2**15), 2**15 - 1)).all()


def field(path: Path, offset: int, form: str, value: float) -> Path:
    raw = bytearray(path.read_bytes())
    struct.pack_into(form, raw, offset, value)
    return written(path, bytes(raw))


@pytest.mark.parametrize(
    ("offset", "form", "value", "message"),
    [
        (0, "<i", 0, "header is said to have 0 bytes, not 348"),
        (0, "<i", 540, "header is said to have 540 bytes, not 348"),
        (40, "<h", 0, "counts 0 dimensions"),
        (40, "<h", 8, "counts 8 dimensions"),
        (70, "<h", 128, "of type RGB"),
        (70, "<h", 3, "of type 3, which NIfTI does not have"),
        (108, "<f", np.inf, "begin at byte inf"),
        (108, "<f", -np.inf, "begin at byte -inf"),
        (108, "<f", np.nan, "begin at byte nan"),
        (108, "<f", -352, "begin at byte -352"),
        (108, "<f", 0, "begin at byte 0"),
        (108, "<f", 352.5, "begin at byte 352.5"),
        (352, "<i", 10_000, "extension is said to have 10000 bytes"),
        (352, "<i", -16, "extension is said to have -16 bytes"),
    ],
)
def test_invalid_header_fields_are_refused(
    tmp_path: Path, offset: int, form: str, value: float, message: str
) -> None:
    path = write_nifti(tmp_path / "labels.nii", noise(), extension=label_table())
    with pytest.raises(ReadError, match=message):
        read(field(path, offset, form, value))


def test_infinite_scaling_is_refused(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "labels.nii", noise(), extension=label_table())
    field(path, 112, "<f", 1.0)
    with pytest.raises(ReadError, match="scaled by 1 x"):
        read(field(path, 116, "<f", np.inf))
