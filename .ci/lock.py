"""Write requirements.lock: the newest versions of everything that satisfy pyproject.toml together."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEADER = """\
# Exact versions that the tests pass with: run time, test, dev and bench, with all they need in turn.
# Written by `make lock`; used as a constraint by make, CI and the Dockerfile.
"""


def main() -> None:
    """Ask pip for one resolution of all extras, and keep names and versions only."""
    command = ["pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    asked = subprocess.run(
        [sys.executable, "-m", *command, ".[test,dev,bench]"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    packages = [item["metadata"] for item in json.loads(asked.stdout)["install"]]
    pins = sorted(f"{p['name'].lower().replace('_', '-')}=={p['version']}" for p in packages)
    lines = [pin for pin in pins if not pin.startswith("seedpath==")]
    (ROOT / "requirements.lock").write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
