"""How the planner's loops are compiled.

`error_model="numpy"`: a division by zero gives infinity instead of raising, so loops carry no checks. No loop
is parallel in itself: `anatomy.runtime.parallel.parallel_for` gives ranges of rows to threads.

Loops carry no annotations: numba reads none, and compiles a loop for whatever arrays it is given. What they
take stands in their docstrings, and `# type: ignore[no-untyped-def]` marks each.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def jit(function: F) -> F:
    """Compile one function, cached on disk, without the interpreter's lock."""
    return cast(F, njit(cache=True, nogil=True, error_model="numpy")(function))


def jit_inline(function: F) -> F:
    """As `jit`, and made part of what calls it: passing SearchFields costs more than most functions do."""
    return cast(F, njit(cache=True, nogil=True, error_model="numpy", forceinline=True)(function))
