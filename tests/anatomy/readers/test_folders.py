"""Folders: other files beside the masks are refused, noted or ignored by rule."""

import re
from pathlib import Path

import numpy as np
import pytest
import trimesh
from case_files import body_labels, write_nifti

from anatomy.errors import ReadError
from anatomy.readers.read import read


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    folder = tmp_path / "masks"
    folder.mkdir()
    write_nifti(folder / "body.nii.gz", (body_labels() > 0).astype(np.uint8))
    write_nifti(folder / "heart.nii.gz", (body_labels() == 2).astype(np.uint8))
    return folder


def test_files_of_desktops_and_tools_are_ignored_without_a_note(masks: Path) -> None:
    for name in (".DS_Store", "._heart.nii.gz", "Thumbs.db", "desktop.ini", "statistics.json", "plan.json"):
        (masks / name).write_bytes(b"\0\5\x16\7")
    (masks / "__MACOSX").mkdir()
    (masks / ".git").mkdir()
    segmentation, _ = read(masks)
    assert segmentation.names() == ("body", "heart")
    assert segmentation.notes == ()
    assert [d.name for d in segmentation.inputs] == ["body.nii.gz", "heart.nii.gz"]


def test_other_files_and_folders_are_noted(masks: Path) -> None:
    (masks / "old").mkdir()
    write_nifti(masks / "old" / "aorta.nii.gz", (body_labels() == 2).astype(np.uint8))
    for name in ("aorta.nii.gz.bak", "aorta.img", "aorta"):
        (masks / name).write_bytes(b"x")
    note = "Ignored next to the NIfTI masks: aorta, aorta.img, aorta.nii.gz.bak, old/."
    assert read(masks)[0].notes == (note,)
    for n in range(20):
        (masks / f"z{n:02}.bin").write_bytes(b"x")
    assert read(masks)[0].notes[0].endswith("z05.bin and 14 more.")


def test_a_link_is_followed_and_a_broken_one_refused(masks: Path, tmp_path: Path) -> None:
    write_nifti(tmp_path / "elsewhere.nii.gz", (body_labels() == 3).astype(np.uint8))
    (masks / "node_4R.nii.gz").symlink_to(tmp_path / "elsewhere.nii.gz")
    assert read(masks)[0].names() == ("body", "heart", "node_4R")
    for name in ("aorta.nii.gz", "aorta"):
        link = masks / name
        link.symlink_to(tmp_path / "gone.nii.gz")
        with pytest.raises(ReadError, match=rf"{name}: it is a link to nothing"):
            read(masks)
        link.unlink()


@pytest.mark.parametrize("suffix", [".part", ".crdownload", ".partial", ".PART", ".tmp"])
@pytest.mark.parametrize("stem", ["aorta.nii.gz", "aorta.nii", "aorta.stl"])
def test_an_unfinished_download_is_refused(masks: Path, stem: str, suffix: str) -> None:
    (masks / f"{stem}{suffix}").write_bytes(b"")
    with pytest.raises(ReadError, match=re.escape(f"its name says that {stem} is unfinished")):
        read(masks)


def test_a_folder_with_the_name_of_a_mask_is_refused(masks: Path) -> None:
    (masks / "aorta.nii.gz").mkdir()
    with pytest.raises(ReadError, match=r"aorta\.nii\.gz: it is a folder with the name of an input"):
        read(masks)


def test_surfaces_have_the_same_rules(tmp_path: Path) -> None:
    folder = tmp_path / "meshes"
    folder.mkdir()
    trimesh.creation.icosphere(subdivisions=2, radius=60).export(folder / "body.stl")
    (folder / "more").mkdir()
    assert "Ignored next to the surfaces: more/." in read(folder)[0].notes
    (folder / "heart.stl").symlink_to(tmp_path / "gone.stl")
    with pytest.raises(ReadError, match="link to nothing"):
        read(folder)


def test_a_folder_without_input_is_refused_with_its_content(tmp_path: Path) -> None:
    folder = tmp_path / "case"
    (folder / "masks").mkdir(parents=True)
    (folder / "labels.txt").write_bytes(b"x")
    with pytest.raises(ReadError, match=r"holds nothing that is read here \(but labels\.txt, masks\)"):
        read(folder)
