"""docs/architecture.md: its drawing is that of folders and contracts, its trips lead through real code."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from drawing import contracts, drawing, rows_of
from names_in_code import is_there


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_the_drawing_shows_the_folders_and_what_they_may_import(repository: Path, page: str) -> None:
    assert f"```\n{drawing(repository)}\n```" in page, "python tests/run.py drawing writes it anew"


def test_every_module_stands_in_the_drawing(repository: Path) -> None:
    for container, rows in rows_of(repository).items():
        folder = repository.joinpath(*container.split(".")) if container else repository
        there = {p.stem for p in folder.glob("*.py")} | {p.parent.name for p in folder.glob("*/__init__.py")}
        drawn = sorted(name for row in rows for name in row)
        assert drawn == sorted(there - {"__init__", "benchmarks"}), container or "packages"


def test_every_import_contract_is_named(repository: Path, page: str) -> None:
    assert [c["name"] for c in contracts(repository) if c["type"] != "layers" and c["name"] not in page] == []


def steps(page: str) -> dict[str, list[str]]:
    """Each trip's steps: the name in the code that a numbered line begins with."""
    return {
        title: re.findall(r"^\d+\. `([\w.]+)`", text, flags=re.MULTILINE)
        for title, _, text in (section.partition("\n") for section in re.split(r"(?m)^### ", page)[1:])
    }


def test_there_are_three_trips_of_steps_in_the_code(repository: Path, page: str) -> None:
    trips = steps(page)
    assert len(trips) == 3
    for title, names in trips.items():
        assert len(names) >= 5, title
        assert [name for name in names if not is_there(repository, name)] == [], title


def test_each_step_is_used_in_the_module_of_an_earlier_one(repository: Path, page: str) -> None:
    for title, names in steps(page).items():
        for n, name in enumerate(names[1:], 1):
            if re.search(rf"`{name}` .*\(a new call\)", page):
                continue
            last = name.rpartition(".")[2]
            uses = re.compile(rf"(?<!def )(?<!class )\b{last}\b")
            earlier = [code_of(repository, step) for step in names[:n]]
            assert any(uses.search(code) for code in earlier), f"{title}: {name}"


@cache
def code_of(repository: Path, dotted: str) -> str:
    """The module that a dotted name is in, without docstrings and comments."""
    at = repository
    for part in dotted.split("."):
        if (at / f"{part}.py").is_file():
            return ast.unparse(without_docstrings((at / f"{part}.py").read_text(encoding="utf-8")))
        at = at / part
    raise AssertionError(f"{dotted} is in no module")


def without_docstrings(source: str) -> ast.Module:
    """The module's code: strings that stand alone are left out."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [part for part in body if not is_docstring(part)] or [ast.Pass()]
    return tree


def is_docstring(part: ast.stmt) -> bool:
    """Whether a statement is a string that stands alone."""
    return isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)
