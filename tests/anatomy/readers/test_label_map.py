"""Label maps and their tables of names: embedded, given separately, or both."""

import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from case_files import NAMES, OBLIQUE, RAS_FROM_LPS, body_labels, label_table, write_names, write_nifti
from hypothesis import given
from hypothesis import strategies as st

from anatomy.errors import ReadError
from anatomy.names.background import names_background
from anatomy.readers.label_table import read_names
from anatomy.readers.read import read


def with_extensions(path: Path, *extensions: tuple[int, bytes]) -> Path:
    image = nib.Nifti1Image(body_labels(), RAS_FROM_LPS @ OBLIQUE)
    for code, content in extensions:
        image.header.extensions.append(nib.nifti1.Nifti1Extension(code, content))
    image.to_filename(path)
    return path


def names_in(*extensions: tuple[int, bytes], folder: Path) -> tuple[str, ...]:
    return read(with_extensions(folder / "labels.nii.gz", *extensions))[0].names()


@pytest.mark.parametrize("code", [0, 4, 6, 8, 14, 30, 44, 1000])
def test_a_table_is_found_under_any_code(tmp_path: Path, code: int) -> None:
    others = [(2, b"DICM" * 20), (6, b"a comment"), (40, b"\xff\xfe binary \0\1")]
    assert names_in(*others, (code, label_table()), folder=tmp_path) == tuple(NAMES.values())


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + label_table(),
        b"\n  " + label_table() + b"\0" * 40,
        label_table().replace(b"<![CDATA[", b"").replace(b"]]>", b""),
        label_table().replace(b"<![CDATA[heart]]>", b"he<!-- x --><![CDATA[art]]>"),
        label_table().replace(b"</LabelTable>", b'<Label Key="0">???</Label></LabelTable>'),
        label_table({k: v for k, v in NAMES.items() if k != "2"}).replace(
            b"</LabelTable>", b'</LabelTable><LabelTable><Label Key="2">heart</Label></LabelTable>'
        ),
    ],
    ids=["byte order mark", "padded", "plain text", "comment", "background", "two tables"],
)
def test_xml_is_read_as_xml(tmp_path: Path, content: bytes) -> None:
    assert set(names_in((0, content), folder=tmp_path)) == set(NAMES.values())


def test_non_ascii_letters_are_kept(tmp_path: Path) -> None:
    table = {"1": "Körper", "2": "心臓", "3": "Knoten_größe"}
    assert names_in((0, label_table(table)), folder=tmp_path) == tuple(table.values())
    names = write_names(tmp_path / "labels.json", table)
    assert read(write_nifti(tmp_path / "l.nii", body_labels()), names=names)[0].names() == tuple(
        table.values()
    )


def test_tables_of_several_extensions_are_merged_and_must_agree(tmp_path: Path) -> None:
    first, second = label_table({"1": "body", "2": "heart"}), label_table({"2": "heart", "3": "node_4R"})
    assert names_in((0, first), (30, second), folder=tmp_path) == tuple(NAMES.values())
    with pytest.raises(ReadError, match="label 2 is named twice"):
        names_in((0, first), (30, label_table({"2": "aorta"})), folder=tmp_path)


@pytest.mark.parametrize("order", "<>")
def test_extensions_are_found_in_either_byte_order(tmp_path: Path, order: str) -> None:
    header = nib.Nifti1Header(endianness=order)
    image = nib.Nifti1Image(body_labels(), RAS_FROM_LPS @ OBLIQUE, header)
    image.to_filename(tmp_path / "labels.nii")
    raw = (tmp_path / "labels.nii").read_bytes()
    content = label_table() + bytes(-(len(label_table()) + 8) % 16)
    extension = struct.pack(f"{order}2i", len(content) + 8, 30) + content
    content_bytes = bytearray(raw[:348] + b"\1\0\0\0" + extension + raw[352:])
    struct.pack_into(f"{order}f", content_bytes, 108, 352 + len(extension))
    (tmp_path / "labels.nii").write_bytes(bytes(content_bytes))
    assert read(tmp_path / "labels.nii")[0].names() == tuple(NAMES.values())


def table(tmp_path: Path, names: dict[str, object]) -> Path:
    return write_names(tmp_path / "table.json", names)


def test_a_given_table_that_agrees_or_adds_names_needs_no_note(tmp_path: Path) -> None:
    labels = with_extensions(tmp_path / "labels.nii.gz", (0, label_table({"1": "body", "9": "aorta"})))
    assert read(labels, names=table(tmp_path, NAMES))[0].notes == ()


def test_a_different_name_for_a_label_is_noted(tmp_path: Path) -> None:
    labels = with_extensions(tmp_path / "labels.nii.gz", (0, label_table()))
    segmentation, _ = read(labels, names=table(tmp_path, {**NAMES, "2": "Herz", "3": "gtv", "8": "liver"}))
    assert segmentation.names() == ("body", "Herz", "gtv", "liver")
    assert segmentation.notes == (
        "labels.nii.gz: labels are named by table.json, unlike in the file's own table: "
        "2 is Herz, not heart, 3 is gtv, not node_4R.",
    )


def test_a_table_of_another_file_is_refused(tmp_path: Path) -> None:
    labels = with_extensions(tmp_path / "labels.nii.gz", (0, label_table()))
    with pytest.raises(
        ReadError, match=r"table\.json: it names label 2 'node_4R', which is label 3 in labels"
    ):
        read(labels, names=table(tmp_path, {"1": "body", "2": "node_4R", "3": "heart"}))
    # With labels shifted by one, each organ would have its neighbour's name.
    with pytest.raises(ReadError, match="it names label 1 'heart', which is label 2"):
        read(labels, names=table(tmp_path, {"1": "heart", "2": "node_4R", "3": "liver"}))


def test_a_damaged_embedded_table_is_noted_if_it_is_not_needed(tmp_path: Path) -> None:
    labels = with_extensions(tmp_path / "labels.nii.gz", (0, label_table()[:-40]))
    segmentation, _ = read(labels, names=table(tmp_path, NAMES))
    assert segmentation.notes == (
        "labels.nii.gz: its embedded label table is damaged; only table.json was used.",
    )


BACKGROUNDS = [
    *("background", "Background", "Clear Label", "ClearLabel", "no label", "unlabeled", "???", "", "_"),
    *(
        "Background (air)",
        "unlabeled/background",
        "Label 0",
        "0",
        "none",
        "none of the above",
        "other",
        "rest",
    ),
    *("exterior", "air", "Unknown", "Hintergrund", "fond", "arrière-plan", "arriere_plan", "fondo", "fundo"),
    *("achtergrond", "arka plan", "фон", "Фон", "背景", "背景标签", "배경", "خلفية"),
]
ORGANS_AT_0 = [
    *(
        "body",
        "External",
        "heart",
        "心脏",
        "不",
        "сердце",
        "καρδιά",
        "القلب",
        "7",
        "10",
        "٣",
        "l",
        "all",
        "tissue",
    ),
    *("larynx_air", "fondo gástrico", "Label 1", "airway", "rest of heart"),
]


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_label_0_may_have_the_names_of_background(tmp_path: Path, background: str) -> None:
    labels = write_nifti(tmp_path / "labels.nii", body_labels())
    read(labels, names=table(tmp_path, {"0": background, **NAMES}))


@pytest.mark.parametrize("organ", ORGANS_AT_0)
def test_label_0_may_have_no_other_name_in_any_script(tmp_path: Path, organ: str) -> None:
    path = table(tmp_path, {"0": organ, "1": "one", "2": "two"})
    with pytest.raises(ReadError, match=r"it names label 0 .*counted from 0\?"):
        read_names(path)


@given(st.text(max_size=6))
def test_text_without_letters_and_digits_counts_as_an_empty_name(text: str) -> None:
    assert names_background("".join(c for c in text if not c.isalnum()))


def test_a_table_counted_from_0_is_refused(tmp_path: Path) -> None:
    labels = write_nifti(tmp_path / "labels.nii", np.minimum(body_labels(), 2))
    for names in ({"0": "body", "1": "heart", "2": "node_4R"}, {"body": 0, "heart": 1, "node_4R": 2}):
        with pytest.raises(ReadError, match=r"it names label 0 'body', but .*counted from 0\?"):
            read(labels, names=table(tmp_path, names))
    with pytest.raises(ReadError, match=r"names label 0 'body'"):
        names_in((0, label_table({"0": "body", "1": "heart", "2": "x"})), folder=tmp_path)


def test_a_name_has_at_most_200_characters(tmp_path: Path) -> None:
    labels = write_nifti(tmp_path / "labels.nii", body_labels())
    read(labels, names=table(tmp_path, {**NAMES, "4": "a" * 200}))
    with pytest.raises(ReadError, match="label 4 has no printable name of up to 200"):
        read(labels, names=table(tmp_path, {**NAMES, "4": "a" * 201}))
