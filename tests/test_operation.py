"""docs/operation.md: its commands are run as they stand, and what it names is there."""

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
from test_backup import Kept

from service.cli import main
from service.database.connection import Database
from service.retention.policy import Policy
from service.settings import PREFIX, Settings

NOT_TRIED = ("seedpath serve", "curl")
"""What other tests do, with a server of their own."""


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs" / "operation.md").read_text(encoding="utf-8")


def commands(page: str) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def test_every_command_of_the_page_does_what_it_is_for(
    page: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    open_database: Callable[[str, float], Database],
) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", str(tmp_path))
    data = tmp_path / "data"
    url = f"sqlite:///{data / 'seedpath.sqlite'}"
    run: list[str] = []
    kept: dict[str, bytes] = {}
    for line in commands(page):
        if line.startswith("seedpath serve"):
            # As a server that takes in a case and makes a plan.
            data.mkdir()
            served = Kept(data, url, open_database(url, 5.0))
            served.add_plan("a", served.add_case("first", "radiology"), "radiology")
            (data / "audit.jsonl").write_text("{}\n")
            kept = served.files()
            served.database.close()
        if line.startswith(NOT_TRIED):
            continue
        run.append(line)
        did, _, to = line.partition(" > ")
        words = os.path.expandvars(did).split()
        if words[0] == "export":
            name, _, value = words[1].partition("=")
            monkeypatch.setenv(name, value)
        elif words[0] == "seedpath":
            assert main(words[1:]) == 0, line
            if to:
                Path(to).write_text(capsys.readouterr().out)
        else:
            subprocess.run(["bash", "-ec", line], check=True)
    assert (data / "audit.jsonl").exists() and (tmp_path / "data.before").is_dir()
    for folder in (data, tmp_path / "tried"):
        url = f"sqlite:///{folder / 'seedpath.sqlite'}"
        assert Kept(folder, url, open_database(url, 5.0)).files() == kept
    assert len([line for line in run if line.startswith("seedpath store")]) >= 7


def test_what_the_page_names_is_there(page: str, repository: Path) -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | {"SEEDPATH_SETTINGS"}
    named = set(re.findall(r"SEEDPATH_[A-Z_]+", page))
    assert named <= known, named - known
    assert {f"{PREFIX}{field.name.upper()}" for field in fields(Policy)} <= named
    told = set(re.findall(r"`(seedpath_[a-z_]+)", page))
    source = (repository / "service" / "metrics.py").read_text(encoding="utf-8")
    assert told and all(f'"{name.removesuffix("_total")}"' in source for name in told)
    headings = re.findall(r"^#+ (.*)$", page, flags=re.MULTILINE)
    anchors = {re.sub(r"[^a-z -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for link in re.findall(r"\]\(([^)]+)\)", page):
        file, _, anchor = link.partition("#")
        assert (repository / "docs" / file).exists() if file else anchor in anchors, link
    assert "docs/operation.md" in (repository / "README.md").read_text(encoding="utf-8")
