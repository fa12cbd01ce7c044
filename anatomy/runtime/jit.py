"""Just-in-time compilation of loops with numba.

numba takes long to load: besides this module only `planner.verify.compiled` imports it.

`error_model="numpy"`: a division by zero gives infinity instead of raising, so loops contain no checks. No
loop is parallel in itself: `anatomy.runtime.parallel.parallel_for` gives ranges of rows to threads.

Loops have no annotations: numba reads none, and compiles a loop for the arrays that it is given. Docstrings
describe the arguments, and `# type: ignore[no-untyped-def]` marks each loop.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

from anatomy.runtime.jit_cache import use_versioned_cache

use_versioned_cache()

F = TypeVar("F", bound=Callable[..., Any])


def jit(function: F) -> F:
    """Compile one function. The result is cached on disk, and runs without the interpreter's lock."""
    return cast(F, njit(cache=True, nogil=True, error_model="numpy")(function))


def jit_checked(function: F) -> F:
    """As `jit`, where a division by zero raises as in Python."""
    return cast(F, njit(cache=True, nogil=True)(function))


def jit_inline(function: F) -> F:
    """As `jit`, and inlined into its caller: passing SearchFields costs more than most functions do."""
    return cast(F, njit(cache=True, nogil=True, error_model="numpy", forceinline=True)(function))
