"""The Dockerfile, as far as it can be tried without a Docker engine; `make check` lints it as well."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def instructions(repository: Path) -> list[tuple[str, str]]:
    text = (repository / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def of(instructions: list[tuple[str, str]], word: str) -> list[str]:
    return [rest for name, rest in instructions if name == word]


def last_stage(instructions: list[tuple[str, str]]) -> list[tuple[str, str]]:
    starts = [n for n, (word, _) in enumerate(instructions) if word == "FROM"]
    return instructions[starts[-1] :]


def test_bases_are_pinned_slim_and_the_same(instructions: list[tuple[str, str]]) -> None:
    bases = {rest.split()[0] for rest in of(instructions, "FROM")}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", bases.pop())


def test_runs_as_a_numbered_user_who_is_not_root(instructions: list[tuple[str, str]]) -> None:
    users = of(last_stage(instructions), "USER")
    assert users and int(users[-1]) > 0
    assert f"--uid {users[-1]}" in " ".join(of(last_stage(instructions), "RUN"))


def test_kernels_are_compiled_by_the_user_who_runs_them(instructions: list[tuple[str, str]]) -> None:
    stage = last_stage(instructions)
    assert stage.index(("RUN", "seedpath demo")) > stage.index(("USER", of(stage, "USER")[-1]))
    assert "NUMBA_CACHE_DIR=" in " ".join(of(stage, "ENV"))


def test_nothing_is_added_from_the_web(instructions: list[tuple[str, str]]) -> None:
    assert of(instructions, "ADD") == []
    assert not any("://" in rest for word, rest in instructions if word in ("RUN", "COPY"))


def test_health_is_asked_where_the_service_listens(instructions: list[tuple[str, str]]) -> None:
    check = of(instructions, "HEALTHCHECK")[0]
    document = json.loads(check[check.index("[") :])
    assert document[:2] == ["python", "-c"]
    compile(document[2], "HEALTHCHECK", "exec")
    command = json.loads(of(instructions, "CMD")[0])
    port = command[command.index("--port") + 1]
    assert f"http://127.0.0.1:{port}/v1/health" in document[2]
    assert of(instructions, "EXPOSE") == [port]


def test_what_is_copied_exists_and_passes_dockerignore(
    instructions: list[tuple[str, str]], repository: Path
) -> None:
    lines = (repository / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for rest in of(instructions, "COPY"):
        if not rest.startswith("--from"):
            for source in rest.split()[:-1]:
                assert (repository / source).exists()
                assert f"!{source}" in lines


def test_every_package_of_the_distribution_is_copied(
    instructions: list[tuple[str, str]], repository: Path
) -> None:
    copied = " ".join(of(instructions, "COPY"))
    packages = [p.parent.name for p in repository.glob("*/__init__.py")]
    shipped = set(packages) - {"benchmarks", "tests"}
    assert shipped == {"anatomy", "planner", "service"}
    assert all(f"{p} {p}" in copied for p in shipped)


def test_the_install_step_works_on_what_is_copied(
    instructions: list[tuple[str, str]], repository: Path, tmp_path: Path
) -> None:
    source, site = tmp_path / "src", tmp_path / "site"
    source.mkdir()
    for rest in of(instructions, "COPY"):
        if not rest.startswith("--from"):
            for name in rest.split()[:-1]:
                copy = shutil.copytree if (repository / name).is_dir() else shutil.copy
                copy(repository / name, source / name)
    step = next(rest for rest in of(instructions, "RUN") if rest.startswith("pip install"))
    # Dependencies are those of this environment already: the step's own part is the distribution.
    offline = ["--no-deps", "--no-build-isolation", "--quiet", "--target", str(site)]
    subprocess.run(
        [sys.executable, "-m", *step.split(), *offline], cwd=source, check=True, capture_output=True
    )
    shipped = {p.relative_to(site) for p in site.rglob("*.py")}
    written = {
        p.relative_to(repository)
        for n in ("anatomy", "planner", "service")
        for p in (repository / n).rglob("*.py")
    }
    assert shipped == written
    assert {p.parent.name for p in site.glob("*/py.typed")} == {"anatomy", "planner", "service"}
    assert len(list(site.glob("seedpath-*/licenses/LICENSE"))) == 1
    assert "seedpath = service.cli.main:main" in next(site.glob("seedpath-*/entry_points.txt")).read_text()
