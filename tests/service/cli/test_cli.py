"""The command line: exit status, outputs, one clear message per error, and complete runs on real inputs."""

import contextlib
import gzip
import hashlib
import json
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import plan_work as fakes
import pytest
from checkout import ROOT
from command_line import refused, seedpath
from phantom import write_phantom

from anatomy.structures import InputDigest
from planner import SOFTWARE
from planner.records.progress import Phase, Progress
from planner.records.request.request import Request
from planner.records.request.target import TargetRequest
from planner.records.verification import Verification
from service.cli import main as cli
from service.cli.terminal import ProgressLines
from service.host.atomic_write import write_atomically
from service.operations.case import Case
from service.schemas.json.strict import parse
from service.schemas.plan.file import read_plan, write_plan
from service.settings import from_environment


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantom(tmp_path_factory.mktemp("phantom"))


@pytest.fixture
def map_arguments(phantom: Path) -> list[str]:
    return [str(phantom / "labels.nii.gz"), "--names", str(phantom / "labels.json"), "--target", "node_4R"]


@pytest.fixture
def planned_requests(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Planning is replaced by an answer without a path; the requests are collected."""
    requests: list[Request] = []

    class Planned:
        def __init__(self, request: Request) -> None:
            self.plan = fakes.planned(request)

    def plan_case(case: Case, request: Request, report: Callable[[Progress], None]) -> Planned:
        del case, report
        requests.append(request)
        return Planned(request)

    monkeypatch.setattr("service.operations.plan_case.plan_case", plan_case)
    return requests


# Bad input


def test_a_missing_input_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert "/no/such.nii.gz: there is no such file" in refused(capsys, "plan", "/no/such.nii.gz")


@pytest.mark.parametrize("option", ["--names", "--ct", "--target"])
def test_a_missing_companion_file(capsys: pytest.CaptureFixture[str], phantom: Path, option: str) -> None:
    message = refused(capsys, "plan", str(phantom / "labels.nii.gz"), option, "gone.nii.gz")
    assert "gone.nii.gz: there is no such file" in message


def test_an_unknown_target_structure(capsys: pytest.CaptureFixture[str], map_arguments: list[str]) -> None:
    assert "'node_4L' is not in the input" in refused(capsys, "plan", *map_arguments[:-1], "node_4L")


def test_an_unknown_builtin(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Known: thorax" in refused(capsys, "plan", "builtin:skull")


def test_a_truncated_label_map(
    capsys: pytest.CaptureFixture[str], phantom: Path, tmp_path: Path, map_arguments: list[str]
) -> None:
    content = (phantom / "labels.nii.gz").read_bytes()
    truncated = tmp_path / "cut.nii.gz"
    truncated.write_bytes(content[: len(content) // 2])
    plan_file = tmp_path / "plan.json"
    assert "cut.nii.gz" in refused(capsys, "plan", str(truncated), *map_arguments[1:], "-o", str(plan_file))
    assert not plan_file.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "request.json: Expecting"),
        ('{"needle": {"gage": "18G"}}', "Did you mean 'gauge'?"),
        ('{"search": {"covering_radius_mm": -1}}', "/search/covering_radius_mm: -1 is out of range"),
        ('{"clearance_mm": {"aota": 5}}', "Did you mean 'aorta'?"),
        ('{"target": {"structure": "aorta"}}', "the request names another"),
        ('{"roles": {"spleen": "lung"}}', "roles/spleen: 'spleen' is not in the input"),
        ('{"roles": {"aorta": "forbiden"}}', "Did you mean 'forbidden'?"),
        ('{"roles": {"node_4R": "forbidden"}}', "'node_4R' is requested as the target"),
        ('{"roles": {"body": "forbidden"}}', "the whole body, which every needle enters"),
        ('{"ranking": ["length_mm", "length_mm"]}', "/ranking: 'length_mm' is named twice"),
        ('{"pose": {"table": "sandbox"}}', "pose/table"),
    ],
)
def test_a_bad_request(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, map_arguments: list[str], text: str, message: str
) -> None:
    request = tmp_path / "request.json"
    request.write_text(text)
    assert message in refused(capsys, "plan", *map_arguments, "--request", str(request))


def test_names_and_files_of_targets_are_not_mixed(
    capsys: pytest.CaptureFixture[str], map_arguments: list[str], phantom: Path
) -> None:
    message = refused(capsys, "plan", *map_arguments, "--target", str(phantom / "labels.nii.gz"))
    assert "both names and files" in message


def test_an_output_in_a_missing_folder_is_refused_before_planning(
    capsys: pytest.CaptureFixture[str],
    planned_requests: list[Request],
    map_arguments: list[str],
    tmp_path: Path,
) -> None:
    output = str(tmp_path / "gone" / "plan.json")
    assert "its folder does not exist" in refused(capsys, "plan", *map_arguments, "-o", output)
    assert planned_requests == []


@pytest.fixture
def unwritable_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file can be created, as on a read-only disk; permissions would not stop root."""

    def mkstemp(**_: object) -> tuple[int, str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("service.operations.output_files.tempfile.mkstemp", mkstemp)


@pytest.mark.usefixtures("unwritable_disk")
@pytest.mark.parametrize("option", ["-o", "--figures"])
def test_an_output_that_cannot_be_written_is_refused_before_planning(
    capsys: pytest.CaptureFixture[str],
    planned_requests: list[Request],
    map_arguments: list[str],
    tmp_path: Path,
    option: str,
) -> None:
    message = refused(capsys, "plan", *map_arguments, option, str(tmp_path / "out"))
    assert f"{tmp_path}/out" in message and "cannot be written (Permission denied)" in message
    assert planned_requests == [] and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("option", "length"), [("-o", 250), ("-o", 300), ("--figures", 300)])
def test_an_output_name_that_is_too_long_is_refused_before_planning(
    capsys: pytest.CaptureFixture[str],
    planned_requests: list[Request],
    map_arguments: list[str],
    tmp_path: Path,
    option: str,
    length: int,
) -> None:
    message = refused(capsys, "plan", *map_arguments, option, str(tmp_path / ("p" * length)))
    assert "cannot be written (File name too long)" in message
    assert planned_requests == [] and list(tmp_path.iterdir()) == []


def test_a_plan_overwrites_no_input_and_no_device(
    capsys: pytest.CaptureFixture[str],
    planned_requests: list[Request],
    map_arguments: list[str],
    tmp_path: Path,
) -> None:
    labels = Path(map_arguments[0])
    before = labels.read_bytes()
    (tmp_path / "link.json").symlink_to(labels)
    for output, message in (
        (labels, "it is an input of this plan"),
        (tmp_path / "link.json", "it is an input of this plan"),
        (Path("/dev/null"), "it is not a plain file"),
        (tmp_path, "it is a folder"),
    ):
        assert message in refused(capsys, "plan", *map_arguments, "-o", str(output))
    assert planned_requests == [] and labels.read_bytes() == before


def test_figures_go_into_a_folder_of_their_own(
    capsys: pytest.CaptureFixture[str],
    planned_requests: list[Request],
    map_arguments: list[str],
    tmp_path: Path,
) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    for figures in (file, file / "below"):
        message = refused(capsys, "plan", *map_arguments, "--figures", str(figures))
        assert "it is a file, and pictures need a folder" in message
    plan_file = str(tmp_path / "plan.json")
    for figures in (plan_file, f"{plan_file}/below"):
        message = refused(capsys, "plan", *map_arguments, "-o", plan_file, "--figures", figures)
        assert "the plan is to be written there" in message
    assert planned_requests == [] and [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_refused_command_leaves_no_folder_for_figures(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, map_arguments: list[str]
) -> None:
    figures = tmp_path / "new" / "pictures"
    arguments = [*map_arguments[:-1], "node_4L", "--figures", str(figures)]
    assert "Did you mean 'node_4R'?" in refused(capsys, "plan", *arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--names", "--ct", "--target"])
def test_a_builtin_takes_no_files(capsys: pytest.CaptureFixture[str], phantom: Path, option: str) -> None:
    message = refused(capsys, "plan", "builtin:thorax", option, str(phantom / "labels.nii.gz"))
    assert "labels.nii.gz: the built-in thorax takes no files" in message


def test_a_request_may_begin_with_a_byte_order_mark(
    planned_requests: list[Request], map_arguments: list[str], tmp_path: Path
) -> None:
    request = tmp_path / "request.json"
    request.write_text('{"target": {"margin_mm": 3}}', encoding="utf-8-sig")
    assert cli.main(["plan", *map_arguments, "--request", str(request)]) == 1
    assert planned_requests[0].target.margin_mm == 3.0


def test_check_requires_every_file_the_plan_was_made_from(
    capsys: pytest.CaptureFixture[str], phantom: Path, map_arguments: list[str], tmp_path: Path
) -> None:
    names = ("labels.nii.gz", "labels.json", "scan.nii.gz", "gtv.nii.gz", "names.json")
    digests = {
        file_name: hashlib.sha256(
            (phantom / file_name).read_bytes() if (phantom / file_name).exists() else file_name.encode()
        ).hexdigest()
        for file_name in names
    }

    def check_without(*left_out_names: str) -> str:
        request = replace(Request(), target=TargetRequest(("gtv",)))
        inputs = tuple(
            InputDigest(file_name, digests[file_name]) for file_name in (*names[:2], *left_out_names)
        )
        plan = tmp_path / "plan.json"
        plan.write_bytes(write_plan(replace(fakes.planned(request), inputs=inputs)))
        return refused(capsys, "check", str(plan), *map_arguments[:3])

    for name, option in (("scan.nii.gz", "--ct"), ("gtv.nii.gz", "--target"), ("names.json", "--names")):
        message = check_without(name)
        assert f"{name}: the plan was made with this file, and it is not given" in message
        assert f"this one by {option}." in message
    # No file is missing: the input lacks the plan's target structure.
    assert "'gtv' is not in the input" in check_without()


def test_an_invalid_plan_is_reported_with_the_contracts_names(
    capsys: pytest.CaptureFixture[str], map_arguments: list[str], tmp_path: Path
) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text('{"schemas": "seedpath.plan/3"}')
    message = refused(capsys, "check", str(plan), *map_arguments[:3])
    assert "/schemas: Unknown field 'schemas'. Did you mean 'schema'?" in message
    assert "schema_" not in message


def test_a_folder_in_place_of_a_request_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, map_arguments: list[str]
) -> None:
    assert str(tmp_path) in refused(capsys, "plan", *map_arguments, "--request", str(tmp_path))


@pytest.mark.parametrize("host", ["0.0.0.0", "example.org", "::"])
def test_serving_other_machines_without_keys_is_refused(
    capsys: pytest.CaptureFixture[str], host: str
) -> None:
    assert "without keys_file" in refused(capsys, "serve", "--host", host)


@pytest.mark.parametrize(
    "arguments", [[], ["plan"], ["fly"], ["serve", "--port", "99999"], ["plan", "x", "-z"]]
)
def test_wrong_usage_is_bad_input(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        cli.main(arguments)
    assert exit_info.value.code == 2
    assert "usage: seedpath" in capsys.readouterr().err


def test_a_wrong_setting_is_bad_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEDPATH_WORKERS", "many")
    assert "SEEDPATH_WORKERS" in refused(capsys, "serve", "--port", "0")


def test_settings_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"SEEDPATH_DATA_DIR": str(tmp_path), "SEEDPATH_WORKERS": "2", "SEEDPATH_THREADS": "1"}
    settings = from_environment(environment)
    assert (settings.data_dir, settings.workers) == (tmp_path, 2)
    monkeypatch.setenv("XDG_DATA_HOME", "/x")
    assert from_environment({}).data_dir == Path("/x/seedpath")


# Results


def test_no_path_is_status_1_and_the_plan_is_written(
    capsys: pytest.CaptureFixture[str],
    planned_requests: list[Request],
    map_arguments: list[str],
    tmp_path: Path,
) -> None:
    output = tmp_path / "plan.json"
    assert cli.main(["plan", *map_arguments, "-o", str(output)]) == 1
    assert read_plan(output.read_bytes()).plan == fakes.planned(planned_requests[0])
    assert planned_requests[0].target.structures == ("node_4R",)
    out, _ = capsys.readouterr()
    assert out.startswith("no_path: Nothing was searched.")
    assert [f.name for f in tmp_path.iterdir()] == ["plan.json"]


def test_without_a_file_the_plan_goes_to_stdout_alone(
    capsys: pytest.CaptureFixture[str], planned_requests: list[Request], map_arguments: list[str]
) -> None:
    assert cli.main(["plan", *map_arguments]) == 1
    out, err = capsys.readouterr()
    assert read_plan(out.encode()).plan.request == planned_requests[0]
    assert "no_path: Nothing was searched." in err


def test_a_request_may_name_the_target(
    planned_requests: list[Request], map_arguments: list[str], tmp_path: Path
) -> None:
    request = tmp_path / "request.json"
    request.write_text('{"target": {"structure": "aorta", "margin_mm": 3}}')
    assert cli.main(["plan", *map_arguments[:3], "--request", str(request)]) == 1
    assert planned_requests[0].target.structures == ("aorta",)
    assert planned_requests[0].target.margin_mm == 3.0


def test_writing_replaces_whole_files_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError):
        write_atomically(folder, b"three")
    assert sorted(f.name for f in tmp_path.iterdir()) == ["folder", "plan.json"]


def test_progress_is_printed_at_most_once_a_second_per_phase(capsys: pytest.CaptureFixture[str]) -> None:
    lines_at = [
        (100.9, Phase.FIELDS, ""),
        (101.1, Phase.FIELDS, "seedpath: 50 %: fields, now\n"),
        (101.2, Phase.FIELDS, ""),
        (101.3, Phase.SEARCH, "seedpath: 50 %: search, now\n"),
        (102.2, Phase.SEARCH, ""),
        (102.4, Phase.SEARCH, "seedpath: 50 %, a moment left: search, now\n"),
        (130.0, Phase.SEARCH, "seedpath: 50 %, about 30 s left: search, now\n"),
    ]
    lines = ProgressLines(iter([100.0, *(time_s for time_s, _, _ in lines_at)]).__next__)
    for _, phase, line in lines_at:
        lines(Progress(phase, 0.5, "now"))
        assert capsys.readouterr().err == line


def test_a_phase_without_detail_is_printed_alone(capsys: pytest.CaptureFixture[str]) -> None:
    ProgressLines(iter([0.0, 1.5]).__next__)(Progress(Phase.DOSE, 0.5, ""))
    assert capsys.readouterr().err == "seedpath: 50 %: dose\n"


# Complete runs


def test_libraries_print_nothing_about_a_bad_file(tmp_path: Path, map_arguments: list[str]) -> None:
    header = bytearray(gzip.decompress(Path(map_arguments[0]).read_bytes()))
    header[80:92], header[280:328] = bytes(12), bytes(48)
    (tmp_path / "zero.nii.gz").write_bytes(gzip.compress(header))
    process = seedpath("plan", str(tmp_path / "zero.nii.gz"), *map_arguments[1:])
    assert process.returncode == 2 and process.stdout == ""
    reading, error = process.stderr.splitlines()
    assert reading.startswith("seedpath: reading ")
    assert error.startswith(
        "seedpath: error: zero.nii.gz: its affine gives a voxel spacing of [0.0, 0.0, 0.0] mm."
    )


def test_the_help_names_every_command() -> None:
    process = seedpath("--help")
    assert process.returncode == 0
    for command in ("demo", "plan", "check", "study", "serve"):
        assert re.search(rf"^ +{command} ", process.stdout, re.MULTILINE)


def test_a_label_map_is_planned_and_its_plan_checked(
    map_arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Coarse and without an implant, because each check plans it again.
    coarse = {"prescription": None, "search": {"covering_radius_mm": 4, "field_resolution_mm": 2}}
    (tmp_path / "request.json").write_text(json.dumps(coarse), encoding="utf-8")
    planning = ["plan", *map_arguments, "--request", str(tmp_path / "request.json")]
    output = tmp_path / "plan.json"
    assert cli.main([*planning, "-o", str(output)]) == 0
    table = capsys.readouterr().out
    assert table.startswith("planned: ") and "clearance mm" in table
    plan = read_plan(output.read_bytes()).plan
    assert plan.paths and plan.paths[0].rank == 1
    assert {i.name for i in plan.inputs} == {"labels.nii.gz", "labels.json"}
    assert cli.main(["check", str(output), *map_arguments[:3]]) == 0
    assert "every claim holds" in capsys.readouterr().out

    second_file = tmp_path / "again.json"
    assert cli.main([*planning, "-o", str(second_file)]) == 0
    assert second_file.read_bytes() == output.read_bytes()
    capsys.readouterr()

    document = parse(output.read_bytes())
    document["paths"][0]["clearance_mm"] += 1.0
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps(document))
    assert cli.main(["check", str(forged), *map_arguments[:3]]) == 1
    stdout = capsys.readouterr().out
    assert "FAILED plan_sha256" in stdout and "clearance" in stdout.replace("plan_sha256", "")

    # A false area with a matching verification and hash is found by planning again, not by geometry.
    window = plan.windows[0]
    checks = tuple(
        replace(c, recomputed=1.0) if c.recomputed == window.area_mm2 else c for c in plan.verification.checks
    )
    falsified = replace(
        plan,
        windows=(replace(window, area_mm2=1.0), *plan.windows[1:]),
        verification=replace(plan.verification, checks=checks),
    )
    forged.write_bytes(write_plan(falsified))
    assert cli.main(["check", str(forged), *map_arguments[:3]]) == 1
    assert "FAILED made again, the plan is the same, /windows/0/area_mm2" in capsys.readouterr().out
    assert cli.main(["check", "--quick", str(forged), *map_arguments[:3]]) == 0
    assert capsys.readouterr().out.startswith("Quick, as asked for: the plan was not made again. Not checked")

    # A plan that cannot be reproduced is not verified.
    forged.write_bytes(write_plan(replace(falsified, software="seedpath 0.0.9")))
    assert cli.main(["check", str(forged), *map_arguments[:3]]) == 1
    stdout = capsys.readouterr().out
    assert stdout.startswith("NOT VERIFIED: the plan was not made again: it was made by seedpath 0.0.9, ")
    assert "/windows/*/area_mm2" in stdout.splitlines()[0]
    assert cli.main(["check", "--quick", str(forged), *map_arguments[:3]]) == 0
    capsys.readouterr()

    for block in (
        None,
        Verification(True, (), ()),
        replace(plan.verification, checks=plan.verification.checks[1:]),
    ):
        forged.write_bytes(write_plan(replace(plan, verification=block)))
        assert cli.main(["check", "--quick", str(forged), *map_arguments[:3]]) == 1
        assert "FAILED the plan's own verification, " in capsys.readouterr().out

    document["paths"][0]["clearance_mm"] = "wide"
    forged.write_text(json.dumps(document))
    assert "/paths/0/clearance_mm" in refused(capsys, "check", str(forged), *map_arguments[:3])
    message = refused(capsys, "check", str(output), *map_arguments[:3], "--target", "aorta")
    assert "'aorta' is not the plan's" in message


@pytest.mark.long
def test_figures_are_drawn_on_request(map_arguments: list[str], tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    request.write_text('{"search": {"max_paths": 1}}')
    figures = tmp_path / "figures"
    output = str(tmp_path / "plan.json")
    arguments = [*map_arguments, "--request", str(request), "-o", output, "--figures", str(figures)]
    assert cli.main(["plan", *arguments]) == 0
    assert any(f.suffix == ".png" for f in figures.iterdir())


@pytest.mark.long
def test_the_demo_plans_the_thorax_through_the_service() -> None:
    process = seedpath("demo")
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith("planned: ")
    for heading in ("rank", "window", "approach", "lung mm", "punctures", "fissures", "clearance mm"):
        assert heading in process.stdout
    assert "POST /v1/cases" in process.stderr
    assert "every claim holds" in process.stdout
    # The README shows this session, apart from digits that another processor may round differently.
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    outcome, headings, *_ = process.stdout.splitlines()
    summary_lines = [
        line for line in process.stdout.splitlines() if line.startswith(("Searched", "Verification:"))
    ]
    assert len(summary_lines) == 2
    for line in (outcome, headings, *summary_lines):
        assert f"    {line}\n" in readme


def test_the_server_answers_until_it_is_interrupted(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "serve", "--port", "0"],
        cwd=ROOT,
        env={"SEEDPATH_DATA_DIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    with process as server, contextlib.ExitStack() as stack:
        assert server.stderr is not None
        # If an assertion fails, nothing else ends it.
        stack.callback(server.kill)
        address = re.search(r"http://127\.0\.0\.1:\d+/v1", server.stderr.readline())
        assert address is not None
        with urllib.request.urlopen(f"{address[0]}/version", timeout=60) as answer:
            assert json.load(answer)["software"] == SOFTWARE
        server.send_signal(signal.SIGINT)
        _, error_text = server.communicate(timeout=60)
        assert server.returncode in (0, 130)
        assert "Traceback" not in error_text
