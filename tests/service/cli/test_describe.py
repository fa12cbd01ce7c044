"""`seedpath describe`: what was read of an input, as JSON and as text."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from service.cli import exit_status
from service.cli import main as cli
from service.operations.case import Case
from service.operations.describe_case import describe_case


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    folder = tmp_path / "masks"
    folder.mkdir()
    body = np.zeros((30, 20, 10), np.uint8)
    body[3:27, 2:18] = 1
    node = np.zeros_like(body)
    node[10:12, 9:11, 4:6] = 1
    for name, mask in (("body", body), ("node_4R", node), ("teapot", node[::-1])):
        nib.save(nib.Nifti1Image(mask, np.diag([-10.0, -10.0, 12.0, 1.0])), folder / f"{name}.nii.gz")
    (folder / "stray.bin").write_bytes(b"?")
    return folder


def test_it_states_grid_roles_volumes_and_ignored_files(
    masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "described.json"
    assert cli.main(["describe", str(masks), "--target", "node_4R", "-o", str(file)]) == 0
    description, text = json.loads(file.read_bytes()), capsys.readouterr().out
    assert description["grid"] == {"shape": [30, 20, 10], "spacing_mm": [10.0, 10.0, 12.0]}
    roles = {s["name"]: (s["role"], s["known_name"], s["volume_mm3"]) for s in description["structures"]}
    # 8 voxels of 10 x 10 x 12 mm
    assert roles["node_4R"] == ("target", True, 9600.0)
    assert roles["teapot"] == ("forbidden", False, 9600.0)
    assert description["targets"] == ["node_4R"]
    assert len(description["inputs"]) == 3
    assert "stray.bin" in " ".join(description["notes"]) and "stray.bin" in text
    assert "30 x 20 x 10 voxels of 10 x 10 x 12 mm." in text
    assert "Targets: node_4R." in text
    assert "9.60" in text


def test_without_a_file_the_result_goes_to_stdout(masks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["describe", str(masks)]) == 0
    assert json.loads(capsys.readouterr().out)["targets"] == ["node_4R"]


def test_without_a_target_those_by_role_are_named_or_that_there_is_none(
    masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "described.json")
    assert cli.main(["describe", str(masks), "-o", file]) == 0
    assert "Targets: node_4R." in capsys.readouterr().out
    assert cli.main(["describe", str(masks), "--target", "teapot", "-o", file]) == 0
    assert "Targets: teapot." in capsys.readouterr().out
    (masks / "node_4R.nii.gz").unlink()
    assert cli.main(["describe", str(masks), "-o", file]) == 0
    assert "Targets: none given, and no structure has the role of target" in capsys.readouterr().out


@pytest.mark.parametrize("stored", ["RAS", "LPS", "IRP", "ASL"])
def test_the_grid_is_that_of_the_voxels_as_read(stored: str, tmp_path: Path) -> None:
    body = np.zeros((30, 20, 10), np.uint8)
    body[3:27, 2:18] = 1
    image = nib.Nifti1Image(body, np.diag([10.0, 10.0, 12.0, 1.0]))
    to = nib.orientations.ornt_transform(
        nib.io_orientation(image.affine), nib.orientations.axcodes2ornt(stored)
    )
    folder = tmp_path / "masks"
    folder.mkdir()
    nib.save(image.as_reoriented(to), folder / "body.nii.gz")
    # However it is stored, it is read in one way.
    assert describe_case(Case(folder))["grid"] == {
        "shape": [30, 20, 10],
        "spacing_mm": [10.0, 10.0, 12.0],
    }


@pytest.mark.parametrize(
    ("arguments", "named"), [(["--target", "node_4L"], "node_4R"), (["--names", "no.json"], "no.json")]
)
def test_bad_input_is_one_sentence(
    masks: Path, arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["describe", str(masks), *arguments]) == exit_status.BAD_INPUT
    assert named in capsys.readouterr().err


def test_targets_are_all_named_or_all_files_as_they_are_where_it_is_planned(
    masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "gtv.nii.gz"
    own.write_bytes((masks / "node_4R.nii.gz").read_bytes())
    out = str(tmp_path / "described.json")
    assert cli.main(["describe", str(masks), "--target", str(own), "-o", out]) == 0
    assert "Targets: gtv." in capsys.readouterr().out
    both = ["--target", str(own), "--target", "node_4R"]
    assert cli.main(["describe", str(masks), *both, "-o", out]) == exit_status.BAD_INPUT
    assert "both names and files are given" in capsys.readouterr().err
