"""Units in docs/nomenclature.md: each number in the service's JSON has one."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.settings import Settings
from service.web.app import create_app


@pytest.fixture(scope="module")
def properties(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, dict[str, Any]]]:
    """Every property of every schema in openapi.json, with its own schema."""
    document = create_app(Settings(data_dir=tmp_path_factory.mktemp("data"))).openapi()
    schemas = document["components"]["schemas"].values()
    return [item for schema in schemas for item in schema.get("properties", {}).items()]


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


def test_every_number_has_a_unit(repository: Path, properties: list[tuple[str, dict[str, Any]]]) -> None:
    text = (repository / "docs" / "nomenclature.md").read_text(encoding="utf-8")
    suffixes = tuple(cell.strip("`") for cell in table(text, "suffix"))
    named = {name for cell in table(text, "field") for name in re.findall(r"`(\w+)`", cell)}
    numbers = {name for name, schema in properties if "number" in types_in(schema)}
    assert {name for name in numbers if not name.endswith(suffixes)} - named == set()
    fields = {name for name, _ in properties}
    assert named - fields == set(), "explains what is no longer there"
