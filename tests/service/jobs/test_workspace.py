"""Workspace: one place puts files, records and job table together, for whoever works with them."""

import ast
import sys
from pathlib import Path

from checkout import ROOT

from service.jobs.workspace import UNLIMITED, limits_of, workspace_of
from service.settings import Settings

PARTS = {"JobTable", "Library", "Quota"}

OF_ONE_PURPOSE = {"service/maintenance/store_check.py", "service/maintenance/store_rebuild.py"}
"""They look at files and rows that are given, and let nobody keep or order anything."""


def made_in(file: Path) -> set[str]:
    """Which of PARTS a module makes."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {call.id for call in calls if isinstance(call, ast.Name) and call.id in PARTS}


def test_server_studies_and_workers_are_wired_in_one_place() -> None:
    makers = {file.relative_to(ROOT).as_posix() for file in (ROOT / "service").rglob("*.py") if made_in(file)}
    assert makers - OF_ONE_PURPOSE == {"service/jobs/workspace.py"}


def test_the_limits_are_those_of_the_settings_unless_others_are_given(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", max_jobs=3, max_bytes_of_owner=2)
    limits = limits_of(settings)
    assert (limits.max_jobs, limits.max_bytes_of_owner) == (3, 2)
    assert {UNLIMITED.max_jobs, UNLIMITED.max_jobs_of_owner, UNLIMITED.max_finished_jobs} == {sys.maxsize}
    workspace = workspace_of(settings)
    try:
        assert workspace.settings is settings
        assert (tmp_path / "data" / "cases").is_dir()
    finally:
        workspace.database.close()
