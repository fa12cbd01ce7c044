"""`seedpath describe`: the contents of an input, as JSON and as text."""

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


def test_without_a_target_the_structures_with_that_role_are_named_if_any(
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


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "IRP", "ASL"])
def test_the_grid_does_not_depend_on_the_stored_orientation(orientation: str, tmp_path: Path) -> None:
    body = np.zeros((30, 20, 10), np.uint8)
    body[3:27, 2:18] = 1
    image = nib.Nifti1Image(body, np.diag([10.0, 10.0, 12.0, 1.0]))
    transform = nib.orientations.ornt_transform(
        nib.io_orientation(image.affine), nib.orientations.axcodes2ornt(orientation)
    )
    folder = tmp_path / "masks"
    folder.mkdir()
    nib.save(image.as_reoriented(transform), folder / "body.nii.gz")
    # The orientation read does not depend on the stored one.
    assert describe_case(Case(folder))["grid"] == {
        "shape": [30, 20, 10],
        "spacing_mm": [10.0, 10.0, 12.0],
    }


@pytest.mark.parametrize(
    ("arguments", "message"), [(["--target", "node_4L"], "node_4R"), (["--names", "no.json"], "no.json")]
)
def test_bad_input_is_one_sentence(
    masks: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["describe", str(masks), *arguments]) == exit_status.BAD_INPUT
    assert message in capsys.readouterr().err


def test_targets_are_all_names_or_all_files_as_in_planning(
    masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target_file = tmp_path / "gtv.nii.gz"
    target_file.write_bytes((masks / "node_4R.nii.gz").read_bytes())
    output = str(tmp_path / "described.json")
    assert cli.main(["describe", str(masks), "--target", str(target_file), "-o", output]) == 0
    assert "Targets: gtv." in capsys.readouterr().out
    options = ["--target", str(target_file), "--target", "node_4R"]
    assert cli.main(["describe", str(masks), *options, "-o", output]) == exit_status.BAD_INPUT
    assert "both names and files are given" in capsys.readouterr().err
