"""Clients generated from openapi.json by other tools: they compile, and their calls are answered."""

import compileall
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import instant_work
import pytest
from rest_calls import GENEROUS_S, healthy

from service.settings import Settings
from service.web.app import create_app
from service.web.server import serve_in_background

NPM = ("openapi-typescript@7.13.0", "typescript@5.9.3")

USE_IN_PYTHON = """
import sys
from generated import Client, models
from generated.api.about import health
from generated.api.cases import add_case
from generated.api.plans import add_plan

client = Client(base_url=sys.argv[1], timeout=60.0, raise_on_unexpected_status=True)
assert health.sync(client=client).status == "ok"
new_case = models.AddCaseJsonBuiltinCase(builtin="thorax")
case = add_case.sync(client=client, body=new_case)
assert isinstance(case, models.CaseModel), case
request = models.PlanRequest(target=models.TargetModel(structure="node_4R"))
plan = add_plan.sync(case.id, client=client, body=request, prefer="wait=60")
assert isinstance(plan, models.PlanModel) and plan.request.target.structure == "node_4R", plan
problem = add_plan.sync("0" * 64, client=client, body=request)
assert isinstance(problem, models.ProblemModel) and problem.status == 404, problem
print(plan.plan_sha256)
"""

USE_IN_TYPESCRIPT = """
import type { components, operations, paths } from "./seedpath";

type Plan = components["schemas"]["PlanModel"];
type StudyPlan = operations["add_plan"]["requestBody"]["content"]["application/json"];
type Problem = paths["/v1/cases/{case_id}"]["get"]["responses"]["404"]["content"]["application/problem+json"];

export const request: Partial<StudyPlan> = { target: { structure: "node_4R", margin_mm: 5, cut_back: [] } };
export const lungs = (plan: Plan): number[] => plan.paths.map((path) => path.lung_length_mm);
export const pointers = (problem: Problem): string[] => problem.errors.map((error) => error.pointer);
// @ts-expect-error: there is no such structure of a request.
export const invalid: Partial<StudyPlan> = { target: { structure: 5 } };
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    app = create_app(Settings(data_dir=tmp_path_factory.mktemp("data")), instant_work.WORK)
    with (
        serve_in_background(app) as base_url,
        httpx.Client(base_url=base_url, trust_env=False, timeout=GENEROUS_S) as client,
    ):
        yield client


@pytest.fixture
def document(client: httpx.Client, tmp_path: Path) -> Path:
    file = tmp_path / "openapi.json"
    file.write_bytes(client.get("/v1/openapi.json").content)
    return file


def output_of(command: list[str], folder: Path, **environment: str) -> str:
    """The output of a command, which must succeed."""
    completed = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=10 * GENEROUS_S,
        check=False,
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


def test_a_generated_python_client_is_complete_and_works(
    client: httpx.Client, document: Path, tmp_path: Path
) -> None:
    generate = [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(document)]
    # The generator formats with a program in the folder of this Python.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    output = output_of([*generate, "--output-path", "generated", "--meta", "none"], tmp_path, PATH=path)
    assert "WARNING" not in output.upper() and "Unable" not in output, output
    assert compileall.compile_dir(tmp_path / "generated", quiet=1)
    modules = {file.stem for file in (tmp_path / "generated" / "api").rglob("*.py")}
    paths = json.loads(document.read_bytes())["paths"]
    assert {operation["operationId"] for item in paths.values() for operation in item.values()} <= modules
    healthy(client)
    (tmp_path / "use.py").write_text(USE_IN_PYTHON, encoding="utf-8")
    printed = output_of([sys.executable, "use.py", str(client.base_url)], tmp_path)
    assert client.get(f"/v1/plans/{printed.strip()}").status_code == 200


@pytest.mark.long
def test_types_for_typescript_are_strict_and_usable(document: Path, tmp_path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("no node with npm on this machine: types for TypeScript not tried")
    (tmp_path / "package.json").write_text('{"private": true}', encoding="utf-8")
    install = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact", *NPM]
    completed = subprocess.run(
        install, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False
    )
    if completed.returncode != 0:
        pytest.skip(
            f"npm could not get {' and '.join(NPM)}: types for TypeScript not tried\n{completed.stderr[:300]}"
        )
    programs = tmp_path / "node_modules" / ".bin"
    output_of([str(programs / "openapi-typescript"), str(document), "-o", "seedpath.d.ts"], tmp_path)
    (tmp_path / "use.ts").write_text(USE_IN_TYPESCRIPT, encoding="utf-8")
    output_of([str(programs / "tsc"), "--noEmit", "--strict", "use.ts", "seedpath.d.ts"], tmp_path)
