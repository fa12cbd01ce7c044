"""Compiled loops are cached by the content of their sources: changed sources never run old machine code."""

from pathlib import Path

import pytest

from anatomy.runtime.jit_cache import PACKAGES, ROOT, sources_digest


def tree(root: Path, text: str = "a = 1\n") -> Path:
    for package in PACKAGES:
        (root / package / "inner").mkdir(parents=True)
        (root / package / "inner" / "module.py").write_text(text, encoding="utf-8")
    return root


def test_the_root_contains_the_packages(repository: Path) -> None:
    assert ROOT.samefile(repository)
    assert all((ROOT / package / "__init__.py").is_file() for package in PACKAGES)


def test_a_change_of_any_source_changes_the_digest(tmp_path: Path) -> None:
    first, second = tree(tmp_path / "one"), tree(tmp_path / "two")
    assert sources_digest(first) == sources_digest(second)
    (second / PACKAGES[-1] / "inner" / "module.py").write_text("a = 2\n", encoding="utf-8")
    assert sources_digest(first) != sources_digest(second)


def test_a_moved_source_changes_the_digest(tmp_path: Path) -> None:
    first, second = tree(tmp_path / "one"), tree(tmp_path / "two")
    (second / PACKAGES[0] / "inner" / "module.py").rename(second / PACKAGES[0] / "inner" / "other.py")
    assert sources_digest(first) != sources_digest(second)


def test_a_folder_without_sources_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no source of"):
        sources_digest(tmp_path)
