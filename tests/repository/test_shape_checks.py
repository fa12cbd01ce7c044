import os
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from shape_checks import _Finder, install

SOURCE = '''
from dataclasses import dataclass
import numpy as np
from jaxtyping import Float
from numba import njit

@njit(cache=True, nogil=True)
def halved(x: Float[np.ndarray, "n 3"], out: Float[np.ndarray, " n"]) -> None:
    for i in range(x.shape[0]):
        out[i] = 0.5 * x[i, 0]

def own(function):
    """A decorator of another name, as long as what it compiles is not annotated."""
    return njit(cache=True)(function)

@own
def doubled(x):
    return 2.0 * x

def first(x: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """Half of the first column."""
    out = np.empty(x.shape[0])
    halved(x, out)
    return out

def longer(x: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """One value too many."""
    return np.empty(x.shape[0] + 1)

def repeated(x: Float[np.ndarray, " n"], times: int | None) -> Float[np.ndarray, " n"]:
    """As many as there were, but only once."""
    return np.tile(x, times or 1)

def lengths(x: Float[np.ndarray, "n 3"], y: Float[np.ndarray, " n"], scale: float) -> list[int]:
    """How many there are."""
    return [len(x), len(first(np.ones((7, 3)))), len(y)]

def half(number: float) -> int:
    """No shape stands here."""
    return number / 2

@dataclass(frozen=True, eq=False)
class Pair:
    x: Float[np.ndarray, "n 3"]
    y: Float[np.ndarray, " n"]

    @property
    def total(self) -> float:
        return float(self.y.sum())
'''


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "checked_example.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [_Finder(["checked_example"]), *sys.meta_path])
    yield import_module("checked_example")
    del sys.modules["checked_example"]


@pytest.mark.interpreted
def test_compiled_kernels_run_beside_checked_functions(checked) -> None:
    assert checked.first(np.ones((4, 3))).tolist() == [0.5] * 4
    assert checked.doubled(1.5) == 3.0
    compiled = hasattr(checked.halved, "py_func")
    assert compiled == (os.environ.get("NUMBA_DISABLE_JIT") != "1")


def test_a_wrong_shape_is_refused(checked) -> None:
    with pytest.raises(TypeError, match="first"):
        checked.first(np.ones((4, 2)))


def test_a_wrong_dtype_is_refused(checked) -> None:
    with pytest.raises(TypeError, match="first"):
        checked.first(np.ones((4, 3), dtype=int))


def test_the_shape_of_a_result_agrees_with_that_of_the_arguments(checked) -> None:
    with pytest.raises(TypeError, match="longer"):
        checked.longer(np.ones((4, 3)))


def test_a_result_of_another_shape_is_refused_after_calls_that_passed(checked) -> None:
    """Calls of forms that passed are not checked again. Other forms are."""
    for _ in range(2):
        assert len(checked.repeated(np.ones(4), 1)) == 4
    with pytest.raises(TypeError, match="Float"):
        checked.repeated(np.ones(4), 2)
    assert len(checked.repeated(np.ones(5), 1)) == 5
    assert len(checked.repeated(x=np.ones(5), times=None)) == 5
    for wrong in (np.ones((4, 1)), np.ones(4, int), [1.0] * 4):
        with pytest.raises(TypeError, match="repeated"):
            checked.repeated(wrong, 1)
    with pytest.raises(TypeError, match="repeated"):
        checked.repeated(np.ones(4), 1.5)
    with pytest.raises(TypeError, match="Float"):
        checked.repeated(np.ones(4), 3)


def test_names_of_lengths_hold_within_one_call(checked) -> None:
    assert checked.lengths(np.ones((4, 3)), np.ones(4), 1) == [4, 7, 4]
    with pytest.raises(TypeError, match="lengths"):
        checked.lengths(np.ones((4, 3)), np.ones(5), 1)


def test_types_are_checked_where_no_shape_stands(checked) -> None:
    with pytest.raises(TypeError, match="lengths"):
        checked.lengths(np.ones((4, 3)), np.ones(4), "1")
    with pytest.raises(TypeError, match="half"):
        checked.half("4")
    with pytest.raises(TypeError, match="half"):
        checked.half(4.0)


def test_the_shapes_of_a_dataclass_must_agree(checked) -> None:
    assert checked.Pair(np.ones((4, 3)), np.ones(4)).total == 4.0
    with pytest.raises(TypeError, match="Pair"):
        checked.Pair(np.ones((4, 3)), np.ones(5))


def test_no_checked_bytecode_is_written(checked) -> None:
    assert not list(Path(checked.__file__).parent.glob("__pycache__/checked_example.cpython-*.pyc"))


def test_the_product_is_checked() -> None:
    from anatomy.geometry.frames import lps_from_ras

    with pytest.raises(TypeError, match="lps_from_ras"):
        lps_from_ras(np.eye(3))


def test_installing_too_late_is_refused() -> None:
    import anatomy.geometry.frames  # noqa: F401

    with pytest.raises(RuntimeError, match=r"anatomy\.geometry\.frames"):
        install("anatomy")
