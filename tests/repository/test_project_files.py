"""What others expect of a project: its licence, how to cite it, its changes, and types for its users."""

import tomllib
from pathlib import Path

import pytest
import yaml

PACKAGES = ("anatomy", "planner", "service")


@pytest.fixture(scope="module")
def pyproject(repository: Path) -> dict:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def citation(repository: Path) -> dict:
    return yaml.safe_load((repository / "CITATION.cff").read_text(encoding="utf-8"))


def test_the_licence_is_stated_alike_everywhere(repository: Path, pyproject: dict, citation: dict) -> None:
    text = (repository / "LICENSE").read_text(encoding="utf-8")
    assert text.startswith("MIT License\n")
    assert "The seedpath authors" in text
    assert pyproject["project"]["license"] == citation["license"] == "MIT"
    assert pyproject["project"]["license-files"] == ["LICENSE"]


def test_the_authors_are_stated_alike_everywhere(pyproject: dict, citation: dict) -> None:
    assert pyproject["project"]["authors"] == citation["authors"] == [{"name": "The seedpath authors"}]


def test_the_version_is_stated_alike_everywhere(repository: Path, pyproject: dict, citation: dict) -> None:
    version = pyproject["project"]["version"]
    assert citation["version"] == version
    assert version in (repository / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_citation_has_what_its_format_requires(citation: dict) -> None:
    # https://citation-file-format.github.io: the required keys.
    assert {"authors", "cff-version", "message", "title"} <= citation.keys()


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_ships_its_types(package: str, repository: Path, pyproject: dict) -> None:
    # PEP 561: the marker tells type checkers that the annotations count.
    assert (repository / package / "py.typed").read_bytes() == b""
    assert "py.typed" in pyproject["tool"]["setuptools"]["package-data"]["*"]
