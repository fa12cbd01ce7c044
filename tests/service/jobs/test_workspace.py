"""Workspace: one place wires files, records and job table, for server, studies and workers."""

import ast
import sys
from pathlib import Path

from checkout import ROOT

from service.jobs.workspace import UNLIMITED, limits_of, workspace_of
from service.settings import Settings

PART_CLASSES = {"JobTable", "Library", "Quota"}

MAINTENANCE_MODULES = {"service/maintenance/store_check.py", "service/maintenance/store_rebuild.py"}
"""They examine existing files and rows, and accept no uploads and no jobs."""


def parts_created_in(file: Path) -> set[str]:
    """Which of PART_CLASSES a module instantiates."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {call.id for call in calls if isinstance(call, ast.Name) and call.id in PART_CLASSES}


def test_server_studies_and_workers_are_wired_in_one_place() -> None:
    modules = {
        file.relative_to(ROOT).as_posix()
        for file in (ROOT / "service").rglob("*.py")
        if parts_created_in(file)
    }
    assert modules - MAINTENANCE_MODULES == {"service/jobs/workspace.py"}


def test_the_limits_are_those_of_the_settings_by_default(tmp_path: Path) -> None:
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
