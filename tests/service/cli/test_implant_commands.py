"""`seedpath evaluate-implant` and `seedpath replan`: arguments of the planner, refusals, exit status."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from box_scenes import box_mask
from case_files import write_nifti
from command_line import refused, seedpath
from phantom import LABELS, write_phantom
from sample_implants import ASKED, a_replanning, an_evaluation, implant_plan

from anatomy.scene import Scene
from planner.errors import RequestError
from planner.records.followup import Evaluation, Replanned
from planner.records.plan import Outcome, Plan, Status
from planner.records.progress import GoOn, Phase, Progress
from planner.records.request.given import GivenSeed
from planner.records.request.search import SearchRequest
from planner.records.request.target import TargetRequest
from planner.records.verification import Verification
from planner.replan import MeasuredNeedle
from service.cli import main as cli
from service.operations.case import Case
from service.operations.evaluate_case import evaluate_case
from service.operations.open_case import open_scene
from service.operations.replan_case import replan_case
from service.schemas.in_patient import NeedlesMeasured
from service.schemas.plan.file import plan_sha256, write_plan
from service.schemas.plan.followup_file import read_evaluation, read_replanned

SEEDS = {"seeds": [{"position_mm": [1, 2, 3], "axis": [0, 0, 1]}, {"position_mm": [4, 5, 6]}]}
NEEDLES = {
    "needles": [
        {"path_id": "N1", "entry_mm": [0, -90, 0], "tip_mm": [0, 0, 0]},
        {"path_id": None, "entry_mm": [9, -90, 0], "tip_mm": [9, 0, 0]},
    ],
    "seeds": [{"position_mm": [7, 8, 9]}],
}


@dataclass
class Planner:
    """A fake planner: it records its calls and returns fixed answers."""

    calls: list[tuple[Any, ...]]
    continued: list[bool] = field(default_factory=list)
    supplement: Plan | None = None
    replanned: Plan | None = None
    status: Status = Status.PLANNED

    def evaluate_implant(
        self, scene: Scene, plan: Plan, plan_sha256: str, seeds: tuple[GivenSeed, ...], go_on: GoOn
    ) -> Evaluation:
        self.continued.append(go_on(Progress(Phase.VERIFY, 0.5, "dose")))
        self.calls.append((scene, plan, plan_sha256, seeds))
        evaluation = an_evaluation(plan_sha256, len(seeds), self.supplement)
        return replace(evaluation, outcome=Outcome(self.status, "Evaluated."))

    def replan(
        self,
        scene: Scene,
        plan: Plan,
        plan_sha256: str,
        needles: tuple[Any, ...],
        seeds: tuple[GivenSeed, ...],
        go_on: GoOn,
    ) -> Replanned:
        self.continued.append(go_on(Progress(Phase.SEARCH, 0.5, "needles")))
        self.calls.append((scene, plan, plan_sha256, needles, seeds))
        return a_replanning(plan_sha256, self.replanned or plan)


@pytest.fixture
def planner(monkeypatch: pytest.MonkeyPatch) -> Planner:
    fake_planner = Planner([])
    monkeypatch.setattr("planner.evaluate.evaluate_implant", fake_planner.evaluate_implant)
    monkeypatch.setattr("planner.replan.replan", fake_planner.replan)
    return fake_planner


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantom(tmp_path_factory.mktemp("phantom"))


@pytest.fixture
def input_arguments(phantom: Path) -> list[str]:
    return [str(phantom / "labels.nii.gz"), "--names", str(phantom / "labels.json")]


def plan_of(phantom: Path, **changes: Any) -> Plan:
    """A plan that was made from the phantom."""
    case = Case(phantom / "labels.nii.gz", names=phantom / "labels.json")
    return replace(plan_of_case(case, "node_4R"), **changes)


def plan_of_case(case: Case, target: str) -> Plan:
    """A plan with the files and roles of a case; its numbers are invented."""
    case_scene, request = open_scene(case, replace(ASKED, target=TargetRequest((target,))))
    roles = tuple((s.name, str(s.role)) for s in case_scene.structures)
    return replace(implant_plan(request), inputs=case_scene.inputs, roles=roles)


@pytest.fixture
def files(phantom: Path, tmp_path: Path) -> dict[str, str]:
    """A plan, seeds and needles as files."""
    contents = {
        "plan.json": write_plan(plan_of(phantom)),
        "seeds.json": json.dumps(SEEDS).encode(),
        "needles.json": json.dumps(NEEDLES).encode(),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return {name.partition(".")[0]: str(tmp_path / name) for name in contents}


def evaluate(files: dict[str, str], input_arguments: list[str], *options: str) -> list[str]:
    return ["evaluate-implant", files["plan"], *input_arguments, "--seeds", files["seeds"], *options]


def replan(files: dict[str, str], input_arguments: list[str], *options: str) -> list[str]:
    return ["replan", files["plan"], *input_arguments, "--needles", files["needles"], *options]


Command = Callable[..., list[str]]
BOTH = pytest.mark.parametrize("command", [evaluate, replan])


@BOTH
def test_a_mask_with_the_name_of_another_organ_is_refused(
    capsys: pytest.CaptureFixture[str],
    command: Command,
    files: dict[str, str],
    planner: Planner,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "masks"
    folder.mkdir()
    boxes = {"body": ((4, 5, 0), (46, 39, 40)), "heart": ((14, 8, 10), (36, 18, 30))}
    boxes |= {"vertebrae": ((22, 30, 0), (28, 38, 40)), "node": ((23, 21, 18), (27, 25, 22))}
    for name, box in boxes.items():
        inside = box_mask((50, 44, 40), box).astype(np.uint8)
        write_nifti(folder / f"{name}.nii.gz", inside, np.diag([4.0, 4.0, 4.0, 1.0]))
    Path(files["plan"]).write_bytes(write_plan(plan_of_case(Case(folder), "node")))
    assert cli.main(command(files, [str(folder)])) == 0 and planner.calls
    capsys.readouterr()
    (folder / "heart.nii.gz").rename(folder / "muscle.nii.gz")
    message = refused(capsys, *command(files, [str(folder)]))
    assert "heart: in the plan it is forbidden, and in what is given not there." in message


# Results


def test_seeds_are_evaluated_and_the_evaluation_written(
    capsys: pytest.CaptureFixture[str],
    planner: Planner,
    files: dict[str, str],
    input_arguments: list[str],
    phantom: Path,
    tmp_path: Path,
) -> None:
    output = tmp_path / "evaluation.json"
    assert cli.main(evaluate(files, input_arguments, "-o", str(output))) == 0
    ((scene, plan, sha256, seeds),) = planner.calls
    assert scene.names() == tuple(sorted(LABELS.values())) and plan == plan_of(phantom)
    assert sha256 == plan_sha256(plan)
    assert seeds == (GivenSeed((1.0, 2.0, 3.0), (0.0, 0.0, 1.0)), GivenSeed((4.0, 5.0, 6.0)))
    assert read_evaluation(output.read_bytes()).achieved.seeds_found == 2
    out, err = capsys.readouterr()
    assert out.startswith("planned: Evaluated.\n2 seeds found") and "reading" in err


def test_needles_are_replanned_and_the_replanning_written(
    capsys: pytest.CaptureFixture[str],
    planner: Planner,
    files: dict[str, str],
    input_arguments: list[str],
    phantom: Path,
    tmp_path: Path,
) -> None:
    output = tmp_path / "replanned.json"
    assert cli.main(replan(files, input_arguments, "-o", str(output))) == 0
    ((_, plan, sha256, needles, seeds),) = planner.calls
    assert plan == plan_of(phantom) and sha256 == plan_sha256(plan)
    assert needles == (
        MeasuredNeedle("N1", (0.0, -90.0, 0.0), (0.0, 0.0, 0.0)),
        MeasuredNeedle(None, (9.0, -90.0, 0.0), (9.0, 0.0, 0.0)),
    )
    assert seeds == (GivenSeed((7.0, 8.0, 9.0)),)
    assert read_replanned(output.read_bytes()).plan == plan
    assert capsys.readouterr().out.startswith("N2 is not there any more.\n")


@BOTH
def test_without_a_file_the_result_goes_to_stdout_alone(
    capsys: pytest.CaptureFixture[str],
    planner: Planner,
    files: dict[str, str],
    input_arguments: list[str],
    command: Command,
) -> None:
    assert cli.main(command(files, input_arguments)) == 0
    out, err = capsys.readouterr()
    result = read_evaluation(out.encode()) if command is evaluate else read_replanned(out.encode())
    assert result.plan_sha256 == planner.calls[0][2]
    assert "D90" in err


@pytest.mark.parametrize(
    ("status", "supplement", "ends"),
    [
        (Status.PLANNED, None, 0),
        (Status.GOALS_NOT_MET, None, 1),
        (Status.GOALS_NOT_MET, Status.PLANNED, 0),
        (Status.PLANNED, Status.PLANNED, 0),
        (Status.GOALS_NOT_MET, Status.GOALS_NOT_MET, 1),
        (Status.NO_PATH, Status.NO_PATH, 1),
    ],
)
def test_the_exit_status_says_whether_the_goals_are_met_or_can_be(
    planner: Planner,
    files: dict[str, str],
    input_arguments: list[str],
    phantom: Path,
    status: Status,
    supplement: Status | None,
    ends: int,
) -> None:
    planner.status = status
    if supplement is not None:
        planner.supplement = plan_of(phantom, outcome=Outcome(supplement, "Supplement."))
    assert cli.main(evaluate(files, input_arguments)) == ends


@pytest.mark.parametrize(("status", "ends"), [(Status.PLANNED, 0), (Status.GOALS_NOT_MET, 1)])
def test_a_replanning_that_misses_the_goals_is_status_1(
    planner: Planner,
    files: dict[str, str],
    input_arguments: list[str],
    phantom: Path,
    status: Status,
    ends: int,
) -> None:
    planner.replanned = plan_of(phantom, outcome=Outcome(status, "Replanned."))
    assert cli.main(replan(files, input_arguments)) == ends


@pytest.mark.parametrize("verification", [None, Verification(False, (), ())])
@BOTH
def test_a_plan_that_fails_its_verification_is_not_written(
    capsys: pytest.CaptureFixture[str],
    planner: Planner,
    files: dict[str, str],
    input_arguments: list[str],
    phantom: Path,
    command: Command,
    verification: Verification | None,
) -> None:
    planner.supplement = planner.replanned = plan_of(phantom, verification=verification)
    assert cli.main(command(files, input_arguments)) == 3
    out, err = capsys.readouterr()
    assert out == "" and re.match("seedpath: fault: The (plan|supplement) ", err.splitlines()[-1])


# Refusals


@BOTH
def test_an_altered_plan_is_refused(
    capsys: pytest.CaptureFixture[str],
    planner: Planner,
    files: dict[str, str],
    input_arguments: list[str],
    command: Command,
) -> None:
    text = Path(files["plan"]).read_text()
    Path(files["plan"]).write_text(text.replace('"prescribed_gy": 120.0', '"prescribed_gy": 110.0'))
    message = refused(capsys, *command(files, input_arguments))
    assert "plan_sha256: it does not fit the plan's content" in message
    assert planner.calls == []


@BOTH
def test_an_input_other_than_the_plans_is_refused(
    capsys: pytest.CaptureFixture[str],
    planner: Planner,
    files: dict[str, str],
    input_arguments: list[str],
    tmp_path: Path,
    command: Command,
) -> None:
    names = tmp_path / "names.json"
    names.write_text(json.dumps(LABELS | {"6": "rib_left_1"}))
    message = refused(capsys, *command(files, [input_arguments[0], "--names", str(names)]))
    assert "names.json: the plan was made from other content than this (its sha256 differs)" in message
    assert "Give what it was made from: labels.nii.gz, labels.json." in message
    assert planner.calls == []


@BOTH
def test_a_missing_input_is_named(
    capsys: pytest.CaptureFixture[str],
    planner: Planner,
    files: dict[str, str],
    input_arguments: list[str],
    phantom: Path,
    command: Command,
) -> None:
    plan = plan_of(phantom)
    scan = replace(plan.inputs[0], name="scan.nii.gz", sha256="5e" * 32)
    Path(files["plan"]).write_bytes(write_plan(replace(plan, inputs=(*plan.inputs, scan))))
    message = refused(capsys, *command(files, input_arguments))
    assert "scan.nii.gz: the plan was made with this file, and it is not given" in message


@BOTH
def test_a_file_exchanged_for_a_second_copy_is_refused(
    capsys: pytest.CaptureFixture[str],
    planner: Planner,
    files: dict[str, str],
    input_arguments: list[str],
    phantom: Path,
    command: Command,
) -> None:
    plan = plan_of(phantom)
    scan = replace(plan.inputs[0], name="scan.nii.gz", sha256="5e" * 32)
    Path(files["plan"]).write_bytes(write_plan(replace(plan, inputs=(plan.inputs[0], scan))))
    message = refused(capsys, *command(files, input_arguments))
    assert "labels.json: the plan was made from other content" in message


@BOTH
def test_a_plan_without_a_prescription_is_refused(
    capsys: pytest.CaptureFixture[str],
    planner: Planner,
    files: dict[str, str],
    input_arguments: list[str],
    phantom: Path,
    command: Command,
) -> None:
    plan = plan_of(phantom)
    unprescribed = replace(plan, request=replace(plan.request, prescription=None))
    Path(files["plan"]).write_bytes(write_plan(unprescribed))
    assert "prescription: the plan has none" in refused(capsys, *command(files, input_arguments))


@pytest.mark.parametrize(
    ("command", "name", "content", "message"),
    [
        (evaluate, "seeds", "{", "seeds.json: Expecting"),
        (evaluate, "seeds", '{"seeds": []}', "/seeds: [] has too few entries"),
        (evaluate, "seeds", '{"seed": []}', "Did you mean 'seeds'?"),
        (
            evaluate,
            "seeds",
            '{"seeds": [{"position_mm": [1e9, 0, 0]}]}',
            "/seeds/0/position_mm/0: 1",
        ),
        (replan, "needles", '{"needles": []}', "/needles: [] has too few entries"),
        (
            replan,
            "needles",
            '{"needles": [{"entry_mm": [0, 0, 0]}]}',
            "/needles/0/tip_mm: The field",
        ),
        (
            replan,
            "needles",
            '{"needles": [{"path_id": "N3", "entry_mm": [0, 0, 0], "tip_mm": [0, 9, 0]}]}',
            "needles/0/path_id: 'N3' is not a path of the plan. Known: N1, N2. null stands for",
        ),
    ],
)
def test_files_of_seeds_and_needles_are_read_strictly(
    capsys: pytest.CaptureFixture[str],
    planner: Planner,
    files: dict[str, str],
    input_arguments: list[str],
    command: Command,
    name: str,
    content: str,
    message: str,
) -> None:
    Path(files[name]).write_text(content)
    assert message in refused(capsys, *command(files, input_arguments))
    assert planner.calls == []


@BOTH
def test_no_input_is_overwritten(
    capsys: pytest.CaptureFixture[str],
    planner: Planner,
    files: dict[str, str],
    input_arguments: list[str],
    command: Command,
) -> None:
    findings_file = files["seeds" if command is evaluate else "needles"]
    for output in (files["plan"], findings_file, input_arguments[0]):
        assert "it is an input of this plan" in refused(
            capsys, *command(files, input_arguments, "-o", output)
        )
    missing_folder = f"{Path(findings_file).parent}/gone/result.json"
    assert "its folder does not exist" in refused(
        capsys, *command(files, input_arguments, "-o", missing_folder)
    )
    assert planner.calls == []


@BOTH
def test_a_target_other_than_the_plans_is_refused(
    capsys: pytest.CaptureFixture[str],
    planner: Planner,
    files: dict[str, str],
    input_arguments: list[str],
    command: Command,
) -> None:
    assert "'aorta' is not the plan's" in refused(
        capsys, *command(files, [*input_arguments, "--target", "aorta"])
    )
    assert cli.main(command(files, [*input_arguments, "--target", "node_4R"])) == 0


@pytest.mark.parametrize("command", [["evaluate-implant", "p", "i"], ["replan", "p", "i"], ["replan"]])
def test_the_file_of_seeds_or_needles_is_required(
    capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        cli.main(command)
    assert exit_info.value.code == 2 and "usage: seedpath" in capsys.readouterr().err


def test_the_help_names_both_commands() -> None:
    help_text = seedpath("--help").stdout
    assert "evaluate-implant" in help_text and "replan" in help_text


# Operations


def test_the_requests_time_limit_reaches_the_planner(planner: Planner, phantom: Path) -> None:
    plan = plan_of(phantom)
    time_limited = replace(plan, request=replace(plan.request, search=SearchRequest(time_limit_s=1e-9)))
    case = Case(phantom / "labels.nii.gz", phantom / "labels.json")
    model = NeedlesMeasured.model_validate_json(json.dumps(NEEDLES))
    reports: list[Progress] = []
    replan_case(case, time_limited, plan_sha256(time_limited), model, reports.append)
    evaluate_case(case, time_limited, plan_sha256(time_limited), (), reports.append)
    assert [progress.text for progress in reports] == ["needles", "dose"] and planner.continued == [
        False,
        False,
    ]
    replan_case(case, plan, plan_sha256(plan), model, reports.append)
    evaluate_case(case, plan, plan_sha256(plan), (), reports.append)
    assert planner.continued == [False, False, True, True]


def test_a_misspelt_structure_is_refused_before_planning(phantom: Path) -> None:
    case = Case(phantom / "labels.nii.gz", phantom / "labels.json")
    request = replace(ASKED, target=TargetRequest(("node_4R",), cut_back=("aota",)))
    with pytest.raises(RequestError) as caught:
        open_scene(case, request)
    assert caught.value.field == "target/cut_back" and "Did you mean" in caught.value.remedy
