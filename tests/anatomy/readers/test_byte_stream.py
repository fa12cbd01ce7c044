"""Bytes: what is damaged or cut is never read as something else; what only looks odd is read."""

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
    """Labels that hardly shrink, so that most of a packed file is voxels."""
    return np.random.default_rng(0).integers(0, 4, (12, 10, 8)).astype(np.uint8)


def counts(path: Path) -> list[int]:
    return [s.mask.count for s in read(path)[0].structures]


def packed(path: Path, raw: bytes) -> Path:
    path.write_bytes(raw)
    return path


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return write_nifti(tmp_path / "labels.nii.gz", noise(), extension=label_table())


@pytest.mark.parametrize("level", [0, 1, 9])
def test_no_flipped_bit_changes_what_is_read(whole: Path, level: int) -> None:
    content = gzip.compress(gzip.decompress(whole.read_bytes()), level)
    whole.write_bytes(content)
    true, _, _ = read_labels(whole, TABLE)
    rng, refused = random.Random(level), 0
    for _ in range(300):
        bit = rng.randrange(8 * len(content))
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        whole.write_bytes(bytes(damaged))
        try:
            labels, _, _ = read_labels(whole, TABLE)
            assert (labels == true).all()  # a bit of the packing's own header: its time, its system
        except AnatomyError:
            refused += 1
    assert refused > 280


def test_a_file_without_its_last_bytes_is_cut_short(whole: Path) -> None:
    content = whole.read_bytes()
    for missing in (1, 4, 8, 9, 20):
        whole.write_bytes(content[:-missing])
        with pytest.raises(ReadError, match="cut short"):
            read(whole)


def test_several_members_and_padding_are_one_content(whole: Path) -> None:
    true, raw = counts(whole), gzip.decompress(whole.read_bytes())
    parts = gzip.compress(raw[:700]) + gzip.compress(raw[700:])
    for content in (
        parts,
        parts + bytes(512),
        gzip.compress(raw) + gzip.compress(b""),
        gzip.compress(raw + bytes(99)),
    ):
        assert counts(packed(whole, content)) == true
    assert counts(packed(whole.with_name("plain.nii"), raw + bytes(512))) == true


@pytest.mark.parametrize("foreign", [b"x", b"\0\0x", b"\x1f\x8b", b"\r\n"])
def test_foreign_bytes_at_the_end_are_refused(whole: Path, foreign: bytes) -> None:
    content = whole.read_bytes()
    raw = gzip.decompress(content)
    with pytest.raises(ReadError, match=r"damaged|cut short"):
        read(packed(whole, content + foreign))
    for path, longer in (
        (whole, gzip.compress(raw + foreign)),
        (whole.with_name("plain.nii"), raw + foreign),
    ):
        with pytest.raises(ReadError, match="continues after its voxels"):
            read(packed(path, longer))


def test_a_packed_bomb_is_unpacked_no_further_than_padding(whole: Path) -> None:
    raw = gzip.decompress(whole.read_bytes())
    assert counts(packed(whole, gzip.compress(raw + bytes(MAX_PADDING_BYTES))))
    with pytest.raises(ReadError, match="continues after its voxels"):
        read(packed(whole, gzip.compress(raw + bytes(50 * MAX_PADDING_BYTES))))


def test_damage_is_told_and_not_what_it_did(whole: Path) -> None:
    content = bytearray(gzip.compress(gzip.decompress(whole.read_bytes()), 0))
    content[-100] = 77
    with pytest.raises(ReadError, match="CRC"):
        read(packed(whole, bytes(content)))
    # Where its check sum holds, it is the label that is wrong: ten bytes of header, five of a stored block.
    sound = bytearray(content)
    stored = sound[15:-8]
    sound[-8:] = struct.pack("<2I", zlib.crc32(stored), len(stored))
    with pytest.raises(ReadError, match="without a name: 77"):
        read(packed(whole, bytes(sound)))


def test_every_kind_of_nifti_input_is_read_to_its_end(whole: Path, tmp_path: Path) -> None:
    def damaged(path: Path, values: np.ndarray) -> Path:
        raw = gzip.decompress(write_nifti(path, values).read_bytes())
        return packed(path, gzip.compress(raw)[:-8] + bytes(8))

    masks = tmp_path / "masks"
    masks.mkdir()
    mask = (noise() == 2).astype(np.uint8)
    damaged(masks / "heart.nii.gz", mask)
    for given in (
        {"path": masks},
        {"path": whole, "targets": [damaged(tmp_path / "t.nii.gz", mask)]},
        {"path": whole, "ct": damaged(tmp_path / "ct.nii.gz", 500 * noise().astype(np.int16) - 1000)},
    ):
        with pytest.raises(ReadError, match="damaged"):
            read(**given)  # type: ignore[arg-type]  # keyword arguments of several types


def test_a_kind_is_told_from_the_first_bytes_alone(whole: Path) -> None:
    content = whole.read_bytes()
    assert is_nifti(packed(whole, content[:-8] + bytes(8)))
    assert not is_nifti(packed(whole, b"\x1f\x8b" + bytes(20)))
    assert not is_nifti(packed(whole, b""))


@pytest.mark.parametrize("slab_bytes", [1, 8 * 12 * 10, 8 * 12 * 10 * 3, 2**25])
def test_slabs_of_any_size_give_the_same_labels(
    tmp_path: Path, slab_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_nifti(tmp_path / "labels.nii.gz", noise())
    monkeypatch.setattr(nifti_io, "_SLAB_BYTES", slab_bytes)
    labels, grid, _ = read_labels(path, TABLE)
    true = nib.as_closest_canonical(nib.load(path))
    # nibabel's canonical order runs right and anterior, ours left and posterior.
    assert (labels == np.asarray(true.dataobj)[::-1, ::-1]).all()
    assert grid.shape == (12, 10, 8)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("slope", "inter"), [(None, None), (2.0, 0.0), (0.5, -100.0), (0.0, 7.0), (np.nan, 0.0)]
)
def test_values_are_scaled_as_nibabel_scales_them(
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
    true = np.rint(nib.as_closest_canonical(nib.load(path)).get_fdata())[::-1, ::-1]
    monkeypatch.setattr(ct_values, "FEW_VALUES", 0)
    ct_hu, _, _ = nifti_io.read_ct(path)
    assert (ct_hu == np.clip(true, -(2**15), 2**15 - 1)).all()


def field(path: Path, offset: int, form: str, value: float) -> Path:
    raw = bytearray(path.read_bytes())
    struct.pack_into(form, raw, offset, value)
    return packed(path, bytes(raw))


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
def test_header_fields_that_describe_no_file(
    tmp_path: Path, offset: int, form: str, value: float, message: str
) -> None:
    path = write_nifti(tmp_path / "labels.nii", noise(), extension=label_table())
    with pytest.raises(ReadError, match=message):
        read(field(path, offset, form, value))


def test_scaling_to_nowhere_is_refused(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "labels.nii", noise(), extension=label_table())
    field(path, 112, "<f", 1.0)
    with pytest.raises(ReadError, match="scaled by 1 x"):
        read(field(path, 116, "<f", np.inf))
