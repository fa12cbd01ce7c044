"""The command line as a test runs it: in a process of its own, or in this one."""

import subprocess
import sys

import pytest
from checkout import ROOT

from service.cli import main as cli


def seedpath(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service.cli", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one message of a command that must end with status 2."""
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    last = err.splitlines()[-1]
    assert last.startswith("seedpath: error: ")
    assert "Traceback" not in err and err.count("error:") == 1
    return last
