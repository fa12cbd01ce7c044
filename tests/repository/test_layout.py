"""The repository itself: pins that hold, commands that exist, and nothing of one machine in any file."""

import re
import shutil
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SKIPPED_FOLDERS = {".git", ".hypothesis", ".venv", "build", "dist", "__pycache__"}
TEXT = {".py", ".md", ".toml", ".lock", ".json", ".html", ".js", ".css", ".svg", ".txt", ".yml", ".yaml", ""}


def text_files(repository: Path) -> list[Path]:
    """The project's own text files: what git would track."""
    files = []
    for path in sorted(repository.rglob("*")):
        parts = path.relative_to(repository).parts
        hidden = any(p in SKIPPED_FOLDERS or p.endswith((".egg-info", "_cache")) for p in parts)
        if path.is_file() and not hidden and path.suffix in TEXT and path.name != ".coverage":
            files.append(path)
    return files


@pytest.fixture(scope="module")
def project(repository: Path) -> dict:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def pins(repository: Path) -> dict[str, str]:
    lines = (repository / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def requirements(project: dict, *extras: str) -> list[Requirement]:
    texts = [*project["dependencies"], *(t for e in extras for t in project["optional-dependencies"][e])]
    return [Requirement(text) for text in texts]


def test_every_dependency_is_pinned_within_its_range(project: dict, pins: dict[str, str]) -> None:
    for requirement in requirements(project, *project["optional-dependencies"]):
        pin = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(pin), f"{requirement} does not admit the locked {pin}"


def test_the_tests_run_on_the_locked_versions(project: dict, pins: dict[str, str]) -> None:
    names = [canonicalize_name(r.name) for r in requirements(project, "test")]
    assert {n: version(n) for n in names} == {n: pins[n] for n in names}


def test_a_lock_line_is_a_name_and_a_version(repository: Path) -> None:
    for line in (repository / "requirements.lock").read_text(encoding="utf-8").splitlines():
        assert line.startswith("#") or re.fullmatch(r"[a-z0-9.-]+==[0-9][0-9a-z.]*", line), line


def test_every_dependency_is_explained(project: dict, repository: Path) -> None:
    explained = (repository / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip() for line in explained.splitlines() if line.startswith("| ")}
    wanted = {r.name for r in requirements(project, *project["optional-dependencies"])}
    assert wanted <= rows
    assert rows - {"package", "---"} <= wanted, "explains what is no longer used"


def test_every_reference_table_is_listed_with_its_source(reference: Path) -> None:
    listed = (reference / "README.md").read_text(encoding="utf-8")
    assert [p.name for p in reference.rglob("*.json") if f"{p.name}`" not in listed] == []


# One letter of each stands in brackets, so that this file does not find itself.
FOREIGN = {
    "a package registry's address": re.compile(
        r"py[p]i\.org|python[h]osted\.org|registry\.[n]pmjs\.org|--index[-]url|--extra[-]index|find[-]links"
    ),
    "a path of one machine": re.compile(r"(?<![\w.])/(ho[m]e|wo[r]k|ro[o]t|Use[r]s)/\w"),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_no_file_holds(what: str, repository: Path) -> None:
    matches = [
        f"{path.relative_to(repository)}:{n}: {line.strip()[:80]}"
        for path in text_files(repository)
        for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if FOREIGN[what].search(line)
    ]
    assert matches == []


def make_targets(repository: Path) -> set[str]:
    makefile = (repository / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z]+):", makefile, flags=re.MULTILINE))


def test_contract_targets_exist(repository: Path) -> None:
    assert {"demo", "test", "check", "bench", "serve"} <= make_targets(repository)


def test_documented_make_targets_exist(repository: Path) -> None:
    targets = make_targets(repository)
    for page in [repository / "README.md", *(repository / "docs").rglob("*.md")]:
        named = set(
            re.findall(r"(?:^\s*|`)make ([a-z]+)", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
        )
        assert named <= targets, f"{page.name} names make targets that do not exist"


def test_ci_runs_check_and_all_tests(repository: Path) -> None:
    script = repository / ".ci" / "run"
    assert script.stat().st_mode & 0o111, ".ci/run is not executable"
    lines = script.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("make")] == [
        "make check",
        "make test",
        "make test-long",
    ]
    assert "set -euo pipefail" in lines


def test_make_test_runs_every_test_that_is_not_long(repository: Path) -> None:
    makefile = (repository / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(r"^test:.*\n((?:\t.*\n)+)", makefile, flags=re.MULTILINE)
    assert recipe is not None
    runs = [line.strip() for line in recipe[1].splitlines() if "-m 'not long'" in line]
    assert [line.partition("long' ")[2] for line in runs] == ["--cov --cov-report="]


@pytest.mark.skipif(shutil.which("make") is None, reason="no make on this machine: the Makefile is not tried")
def test_make_refuses_a_machine_without_a_fitting_python(repository: Path, tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(repository / name, tmp_path)
    completed = subprocess.run(
        ["make", "demo", "PYTHON="], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert completed.returncode != 0
    assert "No Python 3.11 to 3.14 found" in completed.stderr
