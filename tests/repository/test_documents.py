"""What documents point at is there: links between them, files, and names in the code."""

import re
from pathlib import Path

import pytest
from names_in_code import is_there

ROOTS = ("anatomy", "planner", "service", "benchmarks")
PLACEHOLDER = "/NAME.py"
FOLDERS = (*ROOTS, "tests", "docs", ".ci")
LINK = re.compile(r"\]\(([^)\s]+)\)")
FOLDER = re.compile(r"`((?:anatomy|planner|service|tests|docs|benchmarks)/[\w/-]*)`")
FILE = re.compile(r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|js|md|toml))`")
DOTTED = re.compile(rf"`((?:{'|'.join(ROOTS)})(?:\.\w+)+)(?:\(\))?`")


def documents(repository: Path) -> list[Path]:
    return [*sorted(repository.glob("*.md")), *sorted((repository / "docs").rglob("*.md"))]


def matches(page: Path, pattern: re.Pattern[str]) -> list[tuple[str, str]]:
    """What a page says by a pattern, with the page's name."""
    return [(page.name, match) for match in pattern.findall(page.read_text(encoding="utf-8"))]


def anchors(page: Path) -> set[str]:
    """Anchors that GitHub gives a page's headings: lower case, spaces to hyphens, no punctuation."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_to_files_and_headings(repository: Path) -> None:
    dead = []
    for page in documents(repository):
        for name, link in matches(page, LINK):
            if "://" in link:
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or (anchor and anchor not in anchors(target)):
                dead.append(f"{name}: {link}")
    assert dead == []


def test_files_and_folders_that_documents_name_are_there(repository: Path) -> None:
    known = {path.name for folder in FOLDERS for path in (repository / folder).rglob("*.*")}
    missing = [
        f"{name}: {file}"
        for page in documents(repository)
        for name, file in (*matches(page, FILE), *matches(page, FOLDER))
        if not ((repository / file).exists() or file in known or file.endswith(PLACEHOLDER))
    ]
    assert missing == []


def test_names_that_documents_use_are_in_the_code(repository: Path) -> None:
    missing = [
        f"{name}: {dotted}"
        for page in documents(repository)
        for name, dotted in matches(page, DOTTED)
        if not is_there(repository, dotted)
    ]
    assert missing == []


@pytest.mark.parametrize("name", ["anatomy.no_such_module", "service.client.NoSuchName"])
def test_a_name_that_is_not_there_is_found_out(name: str, repository: Path) -> None:
    assert not is_there(repository, name)
