"""Kinds of damaged input that are voxels or the names of voxels: NIfTI, NRRD and label tables."""

from pathlib import Path

import numpy as np
from case_files import NAMES, body_labels, label_table, write_names, write_nifti, write_seg_nrrd
from fuzz_kind import FuzzKind
from mutations import Mutate, in_gzip, in_gzip_after_header, is_packed

from anatomy.readers.label_table import read_names
from anatomy.readers.read import read

SEGMENTS: list[dict[str, object]] = [
    {"ID": f"Segment_{label}", "Name": name, "LabelValue": label, "Layer": 0} for label, name in NAMES.items()
]

NIFTI_TOKENS = (b"n+1\0", b"n+2\0", b"ni1\0", b"\x1f\x8b\x08\0", b"\0\0\0\0", b"\1\0\0\0")

XML_TOKENS = (
    *(b"<LabelTable>", b"</LabelTable>", b"<LabelTable/>", b"<Label", b"</Label>", b'Key="', b"<![CDATA["),
    *(b"]]>", b"<!DOCTYPE x>", b"<!--", b"-->", b"&amp;", b"&#0;", b"&#x110000;", b"\xef\xbb\xbf", b"\0"),
    *(b'<?xml version="1.0" encoding="UTF-16"?>', b'<?xml version="1.0" encoding="x"?>'),
    *(b"</CaretExtension>",),
)

NRRD_TOKENS = (
    *(b"NRRD0001", b"NRRD0005", b"type: double\n", b"type: block\n", b"dimension: 4\n", b"endian: big\n"),
    *(b"sizes: 1 1 1\n", b"space: RAS\n", b"encoding: raw\n", b"encoding: gz\n", b"encoding: hex\n"),
    *(b"kinds: list domain domain domain\n", b'space units: "m" "m" "m"\n', b"none ", b"(", b")", b",", b'"'),
    *(b"space directions: none none none\n", b"Segment0_Name:=", b"Segment1_Layer:=1\n", b":=", b": ", b"#"),
    *(b"Segment2_LabelValue:=", b"Segment999999_ID:=x\n", b"data file: LIST\n", b"\n\n", b"\r\n", b"\\n"),
    *("\u00e9".encode(), b"\xe9"),
)

JSON_TOKENS = (
    *(b"{", b"}", b"[", b"]", b":", b",", b'"', b"null", b"true", b"NaN", b"Infinity", b"-Infinity", b"1.0"),
    *(b'"labels": {', b'"\\ud800"', b"\\u0000", b"\\", b"\xef\xbb\xbf", b"\xff\xfe", "\u202e".encode()),
    *(b'"1": ', b"[" * 2000, b'{"a":' * 2000, b"//", b"'"),
)


def _label_maps(folder: Path) -> list[Path]:
    write_names(folder / "labels.json")
    labels = body_labels()
    return [
        write_nifti(folder / "packed.nii.gz", labels, extension=label_table()),
        write_nifti(folder / "plain.nii", labels.astype(np.int16), extension=label_table()),
        write_nifti(folder / "real.nii", labels.astype(np.float32)),
        write_nifti(folder / "second.nii.gz", labels, version=2, extension=label_table()),
    ]


def _masks(folder: Path) -> list[Path]:
    write_nifti(folder / "body.nii.gz", (body_labels() > 0).astype(np.uint8))
    return [
        write_nifti(folder / "heart.nii.gz", (body_labels() == 2).astype(np.uint8)),
        write_nifti(folder / "node_4R.nii", 255 * (body_labels() == 3).astype(np.int16)),
    ]


def _case_and_targets(folder: Path) -> list[Path]:
    aside = folder / "case"
    aside.mkdir()
    write_nifti(aside / "labels.nii.gz", body_labels(), extension=label_table())
    mask = (body_labels() == 3).astype(np.uint8)
    return [
        write_nifti(folder / "node.nii.gz", mask),
        write_nifti(folder / "node.nii", mask.astype(float)),
        write_seg_nrrd(folder / "node.seg.nrrd", mask, [{"Name": "gtv", "LabelValue": 1, "Layer": 0}]),
    ]


def _ct(folder: Path) -> list[Path]:
    aside = folder / "case"
    aside.mkdir()
    write_nifti(aside / "labels.nii.gz", body_labels(), extension=label_table())
    ct_hu = np.linspace(-1000, 3000, 960).reshape(12, 10, 8)
    return [
        write_nifti(folder / "ct.nii.gz", ct_hu.astype(np.int16)),
        write_nifti(folder / "ct.nii", ct_hu.astype(np.float32)),
    ]


def _segmentations(folder: Path) -> list[Path]:
    labels = body_labels()
    layers = np.stack([labels > 0, labels == 2]).astype(np.uint8)
    old: list[dict[str, object]] = [{"Name": "body"}, {"ID": "heart"}]
    return [
        write_seg_nrrd(folder / "one.seg.nrrd", labels, SEGMENTS),
        write_seg_nrrd(folder / "two.seg.nrrd", layers, old, space="right-anterior-superior"),
        write_seg_nrrd(folder / "raw.seg.nrrd", labels.astype(np.int16), SEGMENTS, encoding="raw"),
    ]


def _tables(folder: Path) -> list[Path]:
    return [
        write_names(folder / "labels.json"),
        write_names(folder / "turned.json", {"background": 0, "body": 1, "heart": 2, "node_4R": 3}),
        write_names(
            folder / "dataset.json", {"labels": {"body": 1, "heart": 2}, "channel_names": {"0": "CT"}}
        ),
    ]


def _embedded(folder: Path) -> list[Path]:
    # Unpacked, so that most of what is damaged is the table.
    return [write_nifti(folder / "labels.nii", np.ones((2, 2, 2), np.uint8), extension=label_table())]


def _read_beside_names(path: Path) -> object:
    return read(path, names=path.with_name("labels.json"))


def _read_as_target(path: Path) -> object:
    return read(path.parent / "case" / "labels.nii.gz", targets=[path])


def _read_as_ct(path: Path) -> object:
    return read(path.parent / "case" / "labels.nii.gz", ct=path)


def _in_gzip_if_packed(content: bytes, mutate: Mutate) -> bytes:
    return in_gzip(content, mutate) if is_packed(content) else mutate(content)


def _in_nrrd_if_packed(content: bytes, mutate: Mutate) -> bytes:
    return in_gzip_after_header(content, mutate) if b"encoding: gzip" in content else mutate(content)


VOXEL_KINDS: dict[str, FuzzKind] = {
    "nifti-labels": FuzzKind(_label_maps, _read_beside_names, NIFTI_TOKENS, inside=_in_gzip_if_packed),
    "nifti-mask": FuzzKind(_case_and_targets, _read_as_target, NIFTI_TOKENS, inside=_in_gzip_if_packed),
    "nifti-ct": FuzzKind(_ct, _read_as_ct, NIFTI_TOKENS, inside=_in_gzip_if_packed),
    "mask-folder": FuzzKind(_masks, lambda path: read(path.parent), NIFTI_TOKENS, inside=_in_gzip_if_packed),
    "seg-nrrd": FuzzKind(_segmentations, read, NRRD_TOKENS, inside=_in_nrrd_if_packed),
    "label-table": FuzzKind(_tables, read_names, JSON_TOKENS),
    "embedded-table": FuzzKind(_embedded, read, XML_TOKENS),
}
