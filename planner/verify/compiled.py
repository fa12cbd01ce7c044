"""How verification's loops are compiled: by numba, cached on disk, without the interpreter's lock."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

from anatomy.runtime.jit_cache import use_versioned_cache

use_versioned_cache()

F = TypeVar("F", bound=Callable[..., Any])


def loop(function: F) -> F:
    """Compile one function."""
    compiled: Any = njit(cache=True, nogil=True)(function)
    return cast(F, compiled)
