"""docs/nomenclature.md: every term stands there once, in alphabetical order."""

import re
from pathlib import Path

import pytest

Tables = list[tuple[str, list[str]]]


@pytest.fixture(scope="module")
def tables(repository: Path) -> Tables:
    """Each table's title, and the first cells of its rows."""
    rows_by_table: Tables = []
    text = (repository / "docs" / "nomenclature.md").read_text(encoding="utf-8")
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        title, _, *rows = (line.strip("| ").split(" | ")[0] for line in block.splitlines())
        rows_by_table.append((title, rows))
    return rows_by_table


def key(term: str) -> str:
    """Letters and digits only, without case: where a reader looks for it."""
    return re.sub(r"[^a-z0-9]", "", term.lower())


def test_every_table_is_in_alphabetical_order(tables: Tables) -> None:
    assert {title for title, _ in tables} == {"field", "frame", "mark", "suffix", "symbol", "term"}
    for title, terms in tables:
        if title in ("frame", "suffix", "term"):
            assert terms == sorted(terms, key=key), title


def test_every_term_stands_there_once(tables: Tables) -> None:
    terms = [term.lower() for title, rows in tables if title != "field" for term in rows]
    assert sorted(terms) == sorted(set(terms))


def test_marks_are_those_that_the_code_uses(tables: Tables, repository: Path) -> None:
    # A capital letter in brackets that is no subscript: "value [U]", and with its method "[C, ...]".
    used = {
        mark
        for package in ("anatomy", "planner", "service")
        for path in (repository / package).rglob("*.py")
        for mark in re.findall(r"(?<=\s)\[([A-Z])[],]", path.read_text(encoding="utf-8"))
    }
    listed = {row.strip("`[]") for title, rows in tables if title == "mark" for row in rows}
    assert used - {"B", "P", "V"} == listed
