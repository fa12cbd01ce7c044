"""What is loaded before it is needed: nobody waits for the planner to be told of a typing error.

Which modules are loaded is asked, not how long that takes, which depends on the machine:
`python -m benchmarks start_up` measures it.
"""

import json
import subprocess
import sys
from pathlib import Path

import grimp
import pytest
from checkout import PATHS, ROOT

from service.cli.main import COMMANDS

COMPUTING = {"networkx", "numba", "scipy", "skimage", "trimesh"}
SERVING = {"alembic", "dask", "distributed", "fastapi", "sqlalchemy", "starlette", "uvicorn"}
DRAWING = {"matplotlib", "plotly", "pyarrow"}
LIGHT = {"jaxtyping", "numpy", "orjson", "psutil", "pydantic"}
EVERYTHING = COMPUTING | SERVING | DRAWING | LIGHT

LOADED = """
import json, sys
from service.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)))
"""

IMPORTED = "import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"


def loaded(code: str, *arguments: str) -> set[str]:
    """The modules that a process has loaded at its end."""
    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={"PYTHONPATH": PATHS, "PATH": "/usr/bin:/bin"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return set(json.loads(ended.stdout.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["plant"], ["--verbose"], []])
def test_what_needs_no_command_loads_none_and_no_library(arguments: list[str]) -> None:
    modules = loaded(LOADED, *arguments)
    assert modules & EVERYTHING == set()
    assert {m for m in modules if m.startswith("service.cli.commands")} == set()


def test_each_command_is_a_module_that_is_loaded_alone() -> None:
    names = {name.replace("-", "_") for name in COMMANDS}
    modules = loaded(LOADED, "plan", "--help")
    prefix = "service.cli.commands."
    assert {m.removeprefix(prefix) for m in modules if m.startswith(prefix)} == {"plan"}
    files = {p.stem for p in (ROOT / "service" / "cli" / "commands").glob("*.py")}
    assert names <= files


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_bad_argument_is_reported_before_anything_heavy_is_loaded(command: str) -> None:
    assert loaded(LOADED, command, "--no-such-option") & (COMPUTING | SERVING | DRAWING) == set()


def test_a_missing_file_is_reported_before_anything_heavy_is_loaded(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.nii.gz")
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    for arguments in (
        ["plan", missing],
        ["describe", missing],
        ["check", str(bad), missing],
        ["check", str(bad), "builtin:thorax"],
        ["plan", "builtin:thorax", "--request", str(bad)],
        ["replan", str(bad), "builtin:thorax", "--needles", str(bad)],
        ["evaluate-implant", str(bad), "builtin:thorax", "--seeds", str(bad)],
        ["study", missing, "--ranking", "lung_length_mm", "-o", str(tmp_path / "study")],
    ):
        assert loaded(LOADED, *arguments) & (COMPUTING | SERVING | DRAWING) == set(), arguments


@pytest.mark.parametrize("command", ["plan", "describe"])
def test_a_bad_input_file_is_reported_before_the_planner_is_loaded(tmp_path: Path, command: str) -> None:
    bad = tmp_path / "labels.nii.gz"
    bad.write_bytes(b"no NIfTI file")
    modules = loaded(LOADED, command, str(bad))
    assert modules & (SERVING | DRAWING) == set()
    planning = ("planner.plan", "planner.search", "planner.verify")
    assert not [m for m in modules if m.startswith(planning)]


def test_the_client_needs_httpx_and_the_schemas() -> None:
    modules = loaded(IMPORTED.format(module="service.client"))
    assert "httpx" in modules
    assert modules & (COMPUTING | SERVING | DRAWING) == set()
    own = {m for m in modules if m.startswith("service.") and not m.startswith("service.schemas")}
    assert own <= {"service.client"}


@pytest.mark.parametrize("module", ["service.web.app", "service.jobs.worker", "service.jobs.sandbox.main"])
def test_what_passes_work_on_loads_neither_readers_nor_planner(module: str) -> None:
    """Sandboxes load them, when they work."""
    assert loaded(IMPORTED.format(module=module)) & (COMPUTING | DRAWING) == set()


def test_numba_is_loaded_by_who_compiles_loops_alone() -> None:
    graph = grimp.build_graph("anatomy", "planner", "service", include_external_packages=True, cache_dir=None)
    assert graph.find_modules_that_directly_import("numba") == {
        "anatomy.runtime.jit",
        "anatomy.runtime.jit_cache",
        "planner.verify.compiled",
    }
