"""A mount namespace, in which a test may mount a disk of its own, or is skipped."""

import shutil
import subprocess
from pathlib import Path

import pytest


def mount_namespace(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["unshare", "-m", *command], capture_output=True, text=True, check=False)


@pytest.fixture
def may_mount(tmp_path: Path) -> None:
    """Skips where no process can be given a view of its own of the disk: no other is read-only to root."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        pytest.skip("no unshare or nsenter on this machine: a read-only store is not tried")
    completed = mount_namespace("mount", "--bind", str(tmp_path), str(tmp_path))
    if completed.returncode != 0:
        why = completed.stderr.strip()
        pytest.skip(f"no mount namespace for this user ({why}): a read-only store is not tried")
