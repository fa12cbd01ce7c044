"""Random implants, their evaluations and replannings pass verification and are read back.

random_implants makes and tests them. Scenes whose plans are easily wrong are kept with the real cases.
"""

from pathlib import Path

import pytest
from random_implants import trial

from service.cli import main as cli
from service.schemas.plan.file import read_plan

QUICK, LONG = range(1), range(1, 10)
SCENES = ("ei_of_a_small_ptv", "share_above_100_percent")


@pytest.mark.parametrize("number", QUICK)
def test_a_random_implant_is_verified_and_read_back(number: int) -> None:
    assert trial(number).faults == ()


@pytest.mark.long
@pytest.mark.parametrize("number", LONG)
def test_each_of_many_random_implants_is_verified_and_read_back(number: int) -> None:
    assert trial(number).faults == ()


@pytest.mark.long
@pytest.mark.parametrize("scene", SCENES)
def test_a_plan_of_a_difficult_scene_is_verified_and_read_back(
    scene: str, shared: Path, tmp_path: Path
) -> None:
    folder, file = shared / "cases" / "faults" / "plans" / scene, tmp_path / "plan.json"
    labels, names, target = (
        str(folder / name) for name in ("labels.nii.gz", "names.json", "target_node.nii.gz")
    )
    arguments = ["plan", labels, "--names", names, "--target", target]
    assert cli.main([*arguments, "--request", str(folder / "request.json"), "-o", str(file)]) in (0, 1)
    plan = read_plan(file.read_bytes()).plan
    assert plan.dose is not None and plan.verification is not None and plan.verification.passed
