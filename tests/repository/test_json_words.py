"""docs/nomenclature.md and the service's JSON: each number has a unit, and each word a meaning."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.settings import Settings
from service.web.app import create_app


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs" / "nomenclature.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Every schema in openapi.json."""
    document = create_app(Settings(data_dir=tmp_path_factory.mktemp("data"))).openapi()
    return list(document["components"]["schemas"].values())


def words_in(schema: Any) -> Iterator[str]:
    """All words that a schema allows as values, at any depth, without its examples."""
    if isinstance(schema, dict):
        yield from (word for word in schema.get("enum", []) if isinstance(word, str))
        if isinstance(schema.get("const"), str):
            yield schema["const"]
        for key, part in schema.items():
            if key not in ("enum", "const", "example", "examples"):
                yield from words_in(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from words_in(part)


def types_in(schema: Any) -> Iterator[str]:
    """The JSON types that a value may hold, at any depth; those of other named schemas are left out."""
    if isinstance(schema, list):
        for part in schema:
            yield from types_in(part)
    elif isinstance(schema, dict):
        if isinstance(schema.get("type"), str):
            yield schema["type"]
        for key in ("anyOf", "oneOf", "allOf", "items", "prefixItems", "additionalProperties"):
            yield from types_in(schema.get(key))


def table(text: str, title: str) -> list[str]:
    """The first cells of a table of the page."""
    rows = re.search(rf"^\| {title} \|.*\n\|-.*\n((?:\|.*\n)+)", text, flags=re.MULTILINE)
    assert rows, title
    return [line.strip("| ").split(" | ")[0] for line in rows[1].splitlines()]


def test_every_number_has_a_unit(page: str, schemas: list[dict[str, Any]]) -> None:
    suffixes = tuple(cell.strip("`") for cell in table(page, "suffix"))
    named = {name for cell in table(page, "field") for name in re.findall(r"`(\w+)`", cell)}
    properties = [item for schema in schemas for item in schema.get("properties", {}).items()]
    numbers = {name for name, schema in properties if "number" in types_in(schema)}
    assert {name for name in numbers if not name.endswith(suffixes)} - named == set()
    assert named - {name for name, _ in properties} == set(), "explains what is no longer there"


def test_every_word_has_a_meaning(page: str, schemas: list[dict[str, Any]]) -> None:
    words = set(words_in(schemas))
    assert {"planned", "supine", "target"} <= words
    assert words - set(re.findall(r"`([^`]+)`", page)) == set()
