"""The coverage gate: files where a wrong answer could hide have every line and branch run by the tests.

Run after the tests, on the data they left: `python tests/coverage_gate.py`. Which files: pyproject.toml,
tool.coverage.run.include.
"""

import json
import sys
import tempfile
import tomllib
from pathlib import Path

from coverage import Coverage

ROOT = Path(__file__).parents[1]


def wanted_files(root: Path) -> list[str]:
    """Files under the gate, relative to `root`. A pattern that fits no file is an error, not a pass."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["coverage"]["run"]["include"]
    files: list[str] = []
    for pattern in patterns:
        matching = sorted(p.relative_to(root).as_posix() for p in root.glob(pattern))
        if not matching:
            raise SystemExit(f"coverage gate: no file fits {pattern!r} of pyproject.toml")
        files += [file for file in matching if file not in files]
    return files


SHOWN = 20
"""Gaps named for one file; more are counted."""


def _few(items: list[object]) -> str:
    listed = ", ".join(map(str, items[:SHOWN])) or "none"
    return listed if len(items) <= SHOWN else f"{listed} and {len(items) - SHOWN} more"


def gaps(report: dict[str, dict[str, dict[str, list[object]]]], files: list[str]) -> list[str]:
    """One line for each file that has lines or branches no test ran."""
    missing = []
    for file in files:
        if file not in report["files"]:
            missing.append(f"{file}: never imported by any test")
            continue
        lines, branches = (report["files"][file][f"missing_{kind}"] for kind in ("lines", "branches"))
        if lines or branches:
            missing.append(f"{file}: never run: lines {_few(lines)}; branches {_few(branches)}")
    return missing


def main() -> int:
    """Print the total and every gap; 0 only if there is none."""
    coverage = Coverage(data_file=ROOT / ".coverage", config_file=ROOT / "pyproject.toml")
    coverage.load()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "coverage.json"
        total = coverage.json_report(outfile=str(file))
        report = json.loads(file.read_text(encoding="utf-8"))
    files = wanted_files(ROOT)
    missing = gaps(report, files)
    print(f"coverage: {total:.1f} % of lines and branches; {len(files)} files are held to 100 %")
    for line in missing:
        print(f"coverage gate: {line}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
