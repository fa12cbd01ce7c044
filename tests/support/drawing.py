"""The drawing of docs/architecture.md, made from import contracts and from what each folder says of itself.

`python tests/run.py drawing` writes it into the page.

planner             what may be done       a package, and what it is
  evaluate          ...                    a row: it may import the rows below it, none above
  | replan          ...                    in the same row: the two may not import each other
  implant           ...
    set_report > implant > ...             the rows of a folder that has a contract of its own, top to bottom
"""

import ast
import re
import textwrap
import tomllib
from pathlib import Path

from checkout import ROOT

WIDTH = 22
"""Of the column of names: the longest, with an indent and a bar."""

TIED = "\N{NO-BREAK SPACE}"
"""Where lines must not break."""

INNER_WIDTH = 110
"""Of a line with the rows of a folder."""

Rows = dict[str, list[list[str]]]
"""By package or folder, dotted: its rows from top to bottom, each with the names that stand in it."""


def contracts(repository: Path) -> list[dict]:
    """The import contracts of pyproject.toml."""
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    return list(tomllib.loads(text)["tool"]["importlinter"]["contracts"])


def rows_of(repository: Path) -> Rows:
    """The rows of everything that has a contract of layers; "" has the packages themselves."""
    return {
        container: [re.split(r"\s*[|:]\s*", row) for row in contract["layers"]]
        for contract in contracts(repository)
        if contract["type"] == "layers"
        for container in contract.get("containers", [""])
    }


def drawing(repository: Path) -> str:
    """The drawing, as the page must hold it."""
    rows = rows_of(repository)
    lines: list[str] = []
    for package in (name for row in rows[""] for name in row):
        lines.append(f"{package:{WIDTH}}{sentence_of(repository, package)}")
        for row in rows[package]:
            for n, name in enumerate(row):
                dotted = f"{package}.{name}"
                label = f"  {'| ' if n else ''}{name}"
                lines.append(f"{label:{WIDTH}}{sentence_of(repository, dotted)}")
                if dotted in rows:
                    lines += _inner(rows[dotted])
    return "\n".join(lines)


def _inner(rows: list[list[str]]) -> list[str]:
    """The rows of a folder, in lines that break between rows alone."""
    text = " > ".join(" | ".join(row).replace(" ", TIED) for row in rows).replace(" >", f"{TIED}>")
    return [f"    {line}".replace(TIED, " ") for line in textwrap.wrap(text, INNER_WIDTH)]


def sentence_of(repository: Path, dotted: str) -> str:
    """The first sentence of a module's or folder's docstring, without its own name before it."""
    path = repository.joinpath(*dotted.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    first = re.split(r"(?<=\.)\s|\n\n", text)[0]
    return re.sub(r"^[\w ]+: ", "", " ".join(first.split()))


FENCED = re.compile(r"^```\n.*?^```\n", re.MULTILINE | re.DOTALL)
"""The drawing is the first text of its page between fences."""


if __name__ == "__main__":
    page = ROOT / "docs" / "architecture.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(FENCED.sub(lambda _: f"```\n{drawing(ROOT)}\n```\n", text, count=1), encoding="utf-8")
