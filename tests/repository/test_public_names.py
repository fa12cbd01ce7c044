"""docs/public_names.md: what other programs may import. Each name is there, and documented."""

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROW = re.compile(r"^\| `([\w.]+)` \|", re.MULTILINE)
IMPORT = re.compile(r"^\s+from ((?:anatomy|planner|service)[\w.]*) import (\w+)$", re.MULTILINE)
PAGE = Path(__file__).parents[2] / "docs" / "public_names.md"
NAMES = ROW.findall(PAGE.read_text(encoding="utf-8"))


def test_every_package_has_public_names_and_none_stands_twice() -> None:
    assert {name.partition(".")[0] for name in NAMES} == {"anatomy", "planner", "service"}
    assert sorted(NAMES) == sorted(set(NAMES))


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_can_be_imported_and_is_documented(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    public = getattr(importlib.import_module(module), attribute)
    assert not attribute.startswith("_")
    if inspect.isclass(public) or inspect.isfunction(public):
        assert public.__module__ == module, "list the module that defines it"
        assert own_docstring(public), f"{name} has no docstring"
    else:
        assert documented_value(module, attribute), f"{name} has no docstring below it"


def own_docstring(documented: type) -> bool:
    """Whether a class or function says what it is; dataclasses without a docstring have their signature."""
    text = inspect.getdoc(documented) or ""
    return bool(text) and not text.startswith(f"{documented.__name__}(")


def documented_value(module: str, name: str) -> bool:
    """Whether a string stands below a value's assignment."""
    source = inspect.getsource(importlib.import_module(module))
    return re.search(rf'^{name}\b.*?^"""', source, flags=re.MULTILINE | re.DOTALL) is not None


def test_examples_of_the_readme_use_public_names_alone(repository: Path) -> None:
    used = IMPORT.findall((repository / "README.md").read_text(encoding="utf-8"))
    assert used
    assert {f"{module}.{name}" for module, name in used} <= set(NAMES)


def test_the_packages_themselves_import_nothing() -> None:
    code = "import sys, anatomy, planner, service; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert set(loaded.split()) & {"jaxtyping", "numba", "numpy", "pydantic", "scipy", "trimesh"} == set()
