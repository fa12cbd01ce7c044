"""The layout: each folder is small and says what it is, and at every level imports run one way."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

PACKAGES = ("anatomy", "planner", "service")
MOST_ENTRIES = 16
"""Modules and folders that one folder holds, besides its `__init__`. More is hard to survey."""


def folders(repository: Path) -> Iterator[Path]:
    for package in PACKAGES:
        for init in sorted((repository / package).rglob("__init__.py")):
            yield init.parent


def entries(folder: Path) -> list[str]:
    """What a reader sees of a folder."""
    files = [p.stem for p in folder.glob("*.py") if p.name != "__init__.py"]
    inner = [
        p.name for p in folder.iterdir() if p.is_dir() and any(p.rglob("*.*")) and p.name != "__pycache__"
    ]
    return sorted(files + inner)


def test_no_folder_has_more_entries_than_can_be_surveyed(repository: Path) -> None:
    counts = {p.relative_to(repository).as_posix(): len(entries(p)) for p in folders(repository)}
    assert len(counts) > 3 * len(PACKAGES)
    assert {folder: n for folder, n in counts.items() if not 0 < n <= MOST_ENTRIES} == {}


def test_every_folder_with_code_is_a_package(repository: Path) -> None:
    for package in PACKAGES:
        for file in (repository / package).rglob("*.py"):
            assert (file.parent / "__init__.py").is_file(), file


def test_every_folder_says_what_it_is(repository: Path) -> None:
    for folder in folders(repository):
        text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
        assert text, folder


def siblings(graph: grimp.ImportGraph, package: str) -> dict[str, set[str]]:
    """The children of a package, and which of its other children each imports, by any of its modules."""
    depth = package.count(".") + 2
    edges: dict[str, set[str]] = {child: set() for child in graph.find_children(package)}
    for child, imports in edges.items():
        for module in {child, *graph.find_descendants(child)}:
            for other in graph.find_modules_directly_imported_by(module):
                sibling = ".".join(other.split(".")[:depth])
                if sibling in edges and sibling != child:
                    imports.add(sibling)
    return edges


def test_at_every_level_imports_run_one_way(repository: Path) -> None:
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    circles = {}
    for folder in folders(repository):
        package = ".".join(folder.relative_to(repository).parts)
        try:
            TopologicalSorter(siblings(graph, package)).prepare()
        except CycleError as error:
            circles[package] = error.args[1]
    assert circles == {}


def test_a_circle_of_siblings_is_found() -> None:
    graph = grimp.ImportGraph()
    for name in ("p", "p.a", "p.a.x", "p.a.y", "p.b"):
        graph.add_module(name)
    graph.add_import(importer="p.a.x", imported="p.b")
    graph.add_import(importer="p.b", imported="p.a.y")
    with pytest.raises(CycleError):
        TopologicalSorter(siblings(graph, "p")).prepare()
