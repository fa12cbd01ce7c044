"""Real anatomy, planned end to end, through the command line and a real server."""

import json
from pathlib import Path

import httpx
import numpy as np
import pytest
from golden_plans import GOLDEN, TOLERANCES, summary

from anatomy.readers.read import read
from anatomy.scene import scene
from anatomy.structures import Role
from planner.records.paths import Aim
from planner.records.plan import Plan, Status
from service.cli import exit_status
from service.cli import main as cli
from service.schemas.plan.file import read_plan
from service.schemas.plan.followup_file import read_evaluation, read_replanned
from service.settings import Settings
from service.web.app import create_app
from service.web.server import serve_in_background

pytestmark = pytest.mark.long

TARGETS = ("station_4R", "station_3A", "lung_right_upper")


def chest_input(case: Path, target: str) -> list[str]:
    """The arguments that name the chest CT and one of its targets."""
    labels, names, ct = (str(case / name) for name in ("labels.nii.gz", "labels.json", "ct.nii.gz"))
    return [labels, "--names", names, "--ct", ct, "--target", str(case / "targets" / f"{target}.nii.gz")]


@pytest.fixture(scope="module")
def chest_plans(real_case: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The plan file of each target, made by the command."""
    folder = tmp_path_factory.mktemp("plans")
    files = {target: folder / f"{target}.json" for target in TARGETS}
    for target, file in files.items():
        assert cli.main(["plan", *chest_input(real_case, target), "-o", str(file)]) == exit_status.DONE
    return files


def plan_in(file: Path) -> Plan:
    return read_plan(file.read_bytes()).plan


@pytest.mark.parametrize("target", TARGETS)
def test_a_chest_is_searched_completely_and_its_plan_is_verified(
    target: str, chest_plans: dict[str, Path], real_case: Path
) -> None:
    plan = plan_in(chest_plans[target])
    assert plan.search.complete and plan.search.covering_radius_mm <= 2.0
    assert sum(path.aim is Aim.TARGET for path in plan.paths) == 10
    assert plan.dose is not None and plan.needle_set is not None and plan.needle_set.gap <= 0.05
    assert plan.verification is not None and plan.verification.passed
    arguments = chest_input(real_case, target)
    assert cli.main(["check", str(chest_plans[target]), *arguments]) == exit_status.DONE


@pytest.mark.parametrize("target", TARGETS)
def test_no_needle_of_a_plan_comes_near_a_forbidden_voxel(
    target: str, chest_plans: dict[str, Path], real_case: Path
) -> None:
    """Compares points along each needle with forbidden voxels, without distance fields or boxes."""
    mask = real_case / "targets" / f"{target}.nii.gz"
    segmentation, targets = read(
        real_case / "labels.nii.gz", names=real_case / "labels.json", targets=(mask,)
    )
    chest = scene(segmentation, targets)
    grid = chest.grid
    forbidden = np.zeros(grid.shape, bool)
    for structure in chest.of_role(Role.FORBIDDEN):
        structure.mask.paint(forbidden, True)
    for path in plan_in(chest_plans[target]).paths:
        outward = -np.array(path.direction)
        points_P = np.array(path.tip_mm) + np.arange(0.0, path.length_mm, 0.25)[:, None] * outward
        # A point inside a voxel has distance zero; the needle requires 2.6 mm.
        for offset in np.array([(0, 0, 0), *np.eye(3), *-np.eye(3)]) * 2.6:
            index = np.rint(grid.to_box(points_P + offset) / grid.spacing_mm).astype(int)
            inside = ((index >= 0) & (index < grid.shape)).all(axis=1)
            assert not forbidden[tuple(index[inside].T)].any(), path.id


def test_paths_are_ordered_by_their_length_in_lung(chest_plans: dict[str, Path]) -> None:
    for file in chest_plans.values():
        lung_lengths_mm = [path.lung_length_mm for path in plan_in(file).paths if path.aim is Aim.TARGET]
        assert lung_lengths_mm == sorted(lung_lengths_mm)
    assert plan_in(chest_plans["station_3A"]).paths[0].lung_length_mm == 0.0


def test_a_plan_for_one_target_is_refused_for_another(chest_plans: dict[str, Path], real_case: Path) -> None:
    options = chest_input(real_case, "station_3A")
    # The request names station_4R, which these files do not contain.
    assert cli.main(["check", str(chest_plans["station_4R"]), *options]) == exit_status.BAD_INPUT


@pytest.mark.parametrize("target", ["pancreas", "vertebrae_T12"])
def test_a_totalsegmentator_result_is_planned_without_conversion(
    target: str, shared: Path, tmp_path: Path
) -> None:
    case = shared / "cases" / "totalseg_abdomen"
    labels, names, ct = (str(case / name) for name in ("labels.nii.gz", "labels.json", "ct.nii.gz"))
    arguments = [labels, "--names", names, "--ct", ct, "--target", target]
    file, request = tmp_path / "plan.json", tmp_path / "request.json"
    # Whole organs are not lesions: only paths are requested.
    request.write_text('{"prescription": null}')
    assert cli.main(["plan", *arguments, "--request", str(request), "-o", str(file)]) == exit_status.DONE
    plan = plan_in(file)
    assert plan.search.complete
    assert dict(plan.roles)[target] == "target"
    # The scan shows only the lung bases: structures of the chest are reported as missing.
    assert "esophagus" in plan.missing_structures
    assert cli.main(["check", str(file), *arguments]) == exit_status.DONE


def shifted_seeds(plan: Plan) -> list[dict[str, object]]:
    """The plan's seeds as a CT may show them: displaced by up to 1.7 mm, without the first four."""
    assert plan.needle_set is not None
    offsets_mm = np.random.default_rng(0).uniform(-1.0, 1.0, (len(plan.needle_set.seeds), 3))
    positions_mm = [
        np.add(seed.position_mm, offset_mm).tolist()
        for seed, offset_mm in zip(plan.needle_set.seeds, offsets_mm, strict=True)
    ]
    return [{"position_mm": position_mm, "axis": None} for position_mm in positions_mm[4:]]


def shifted_needles(plan: Plan) -> list[dict[str, object]]:
    """The first two needles as inserted, each with its tip displaced by 2 mm."""
    assert plan.needle_set is not None
    first_paths = [path for path in plan.paths if path.id in plan.needle_set.order[:2]]
    return [
        {"path_id": p.id, "entry_mm": [*p.entry_mm], "tip_mm": [p.tip_mm[0], p.tip_mm[1], p.tip_mm[2] - 2.0]}
        for p in first_paths
    ]


def test_an_implant_with_missing_seeds_is_evaluated_and_supplemented(
    chest_plans: dict[str, Path], real_case: Path, tmp_path: Path
) -> None:
    file, seeds_file, evaluation_file = (
        chest_plans["station_4R"],
        tmp_path / "seeds.json",
        tmp_path / "evaluation.json",
    )
    seeds_file.write_text(json.dumps({"seeds": shifted_seeds(plan_in(file))}))
    options = [
        str(file),
        *chest_input(real_case, "station_4R"),
        "--seeds",
        str(seeds_file),
        "-o",
        str(evaluation_file),
    ]
    status = cli.main(["evaluate-implant", *options])
    evaluation = read_evaluation(evaluation_file.read_bytes())
    assert (
        evaluation.planned is not None
        and evaluation.achieved.target.d90_gy < 120.0 <= evaluation.planned.d90_gy
    )
    assert evaluation.achieved.cold_spots and evaluation.achieved.cold_spots[0].least_dose_gy < 120.0
    assert evaluation.supplement is not None and evaluation.supplement.dose is not None
    assert evaluation.supplement.dose.target.d90_gy >= 120.0
    assert evaluation.supplement.verification is not None and evaluation.supplement.verification.passed
    # With displaced seeds V150 may be missed by a little, which the exit status then reports.
    is_corrected = evaluation.supplement.outcome.status is Status.PLANNED
    assert status == (exit_status.DONE if is_corrected else exit_status.NOT_ALL)


def test_a_needle_set_is_replanned_around_inserted_needles(
    chest_plans: dict[str, Path], real_case: Path, tmp_path: Path
) -> None:
    file, needles_file, replan_file = (
        chest_plans["station_4R"],
        tmp_path / "needles.json",
        tmp_path / "replanned.json",
    )
    needles = shifted_needles(plan_in(file))
    needles_file.write_text(json.dumps({"needles": needles}))
    options = [
        str(file),
        *chest_input(real_case, "station_4R"),
        "--needles",
        str(needles_file),
        "-o",
        str(replan_file),
    ]
    assert cli.main(["replan", *options]) in (exit_status.DONE, exit_status.NOT_ALL)
    replanned = read_replanned(replan_file.read_bytes()).plan
    paths_in_place = [path for path in replanned.paths if path.aim is Aim.GIVEN]
    tips = sorted(tuple(needle["tip_mm"]) for needle in needles)
    assert np.allclose(sorted(path.tip_mm for path in paths_in_place), tips, atol=1e-6)
    assert replanned.needle_set is not None and set(replanned.needle_set.order[:2]) == {
        path.id for path in paths_in_place
    }
    assert replanned.verification is not None and replanned.verification.passed


def test_a_chest_plan_over_rest_has_the_same_bytes(
    chest_plans: dict[str, Path], real_case: Path, tmp_path: Path
) -> None:
    """Its implant is evaluated and replanned over REST too."""
    plan = plan_in(chest_plans["station_3A"])
    parts = [
        ("file", real_case / "labels.nii.gz"),
        ("names", real_case / "labels.json"),
        ("target", real_case / "targets" / "station_3A.nii.gz"),
        ("ct", real_case / "ct.nii.gz"),
    ]
    files = [(part, (path.name, path.read_bytes())) for part, path in parts]
    wait = {"Prefer": "wait=280"}
    with (
        serve_in_background(create_app(Settings(data_dir=tmp_path / "data"))) as base_url,
        httpx.Client(base_url=base_url, trust_env=False, timeout=300) as client,
    ):
        case = client.post("/v1/cases", files=files)
        assert case.status_code == 201, case.text
        response = client.post(f"{case.headers['location']}/plans", json={}, headers=wait)
        assert response.status_code == 200, response.text
        plan_path = response.headers["content-location"]
        evaluation = client.post(
            f"{plan_path}:evaluate-implant", json={"seeds": shifted_seeds(plan)}, headers=wait
        )
        assert evaluation.status_code == 200, evaluation.text
        replanned = client.post(f"{plan_path}:replan", json={"needles": shifted_needles(plan)}, headers=wait)
        assert replanned.status_code == 200, replanned.text
    assert response.content == chest_plans["station_3A"].read_bytes()
    achieved = read_evaluation(evaluation.content).achieved
    assert plan.dose is not None and achieved.target.d90_gy < plan.dose.target.d90_gy
    paths_in_place = [p for p in read_replanned(replanned.content).plan.paths if p.aim is Aim.GIVEN]
    assert len(paths_in_place) == 2


@pytest.mark.parametrize("target", TARGETS)
def test_plans_equal_the_golden_plans_within_tolerances(target: str, chest_plans: dict[str, Path]) -> None:
    """Golden plans: paths to the micrometre, the implant within the differences of equally good sets.

    `python tests/run.py golden_plans` writes them again after an intended change.
    """
    golden = json.loads((GOLDEN / f"{target}.json").read_text())
    current = summary(plan_in(chest_plans[target]))
    assert [plan_path["id"] for plan_path in current["paths"]] == [
        plan_path["id"] for plan_path in golden["paths"]
    ]
    for path, golden_path in zip(current["paths"], golden["paths"], strict=True):
        for key in ("entry_mm", "tip_mm", "lung_length_mm"):
            assert path[key] == pytest.approx(golden_path[key], abs=1e-3), f"{path['id']}: {key}"
    for key, tolerance in TOLERANCES.items():
        assert current["implant"][key] == pytest.approx(golden["implant"][key], abs=tolerance), key
