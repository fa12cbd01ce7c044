"""Array shapes and types in signatures, checked while tests run.

An import hook decorates every function and class of the three packages with `jaxtyped(beartype)`, as
jaxtyping's own hook does, but for functions that numba compiles: numba takes a function's source, cannot
compile the checking wrapper, and checks types itself. jaxtyping's own hook offers no such exception.
"""

import ast
import inspect
import sys
from collections.abc import Sequence
from functools import wraps
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType, UnionType
from typing import Any, TypeVar, cast, get_args

import numpy as np
from beartype import BeartypeConf, beartype
from beartype.door import die_if_unbearable
from jaxtyping import AbstractArray, jaxtyped

T = TypeVar("T", bound=Any)

COMPILED = frozenset(
    {"njit", "jit", "vectorize", "guvectorize", "cfunc", "overload", "loop", "jit_checked", "inlined"}
)
"""Numba's decorators, and the planner's own of `anatomy.runtime.jit`."""

CONF = BeartypeConf(is_pep484_tower=True, violation_type=TypeError)
"""Types as mypy sees them: an int is a float."""
CHECKED = beartype(conf=CONF)

_CHECK = "__import__('shape_checks').checked"


def checked(decorated: T) -> T:
    """Check types in each call, and shapes where some stand: one name means one length within one call.

    jaxtyping's own decorator binds the arguments and checks them twice, which doubles the tests' time. It
    checks the fields of dataclasses alone, after their construction.
    """
    if isinstance(decorated, type):
        return cast(T, jaxtyped(decorated, typechecker=CHECKED))
    inner = CHECKED(decorated)
    annotations = decorated.__annotations__.values()
    if not _has_shape(*annotations):
        return inner

    @wraps(decorated)
    def in_own_scope(*args: object, **named: object) -> object:
        with jaxtyped("context"):
            return inner(*args, **named)

    whole = cast(T, in_own_scope)
    return _once_by_form(decorated, whole) if all(map(_depends_on_form, annotations)) else whole


def _once_by_form(decorated: T, whole: T) -> T:
    """As `whole`, but calls whose arguments and result have forms that passed before are not checked again.

    Only for annotations that accept a value by its form. Some tests call small functions a million times.
    """
    passed = set[object]()
    of_arguments = inspect.signature(decorated).bind
    annotations = decorated.__annotations__

    @wraps(decorated)
    def once(*args: object, **named: object) -> object:
        arguments = (tuple(map(_form, args)), tuple((name, _form(value)) for name, value in named.items()))
        if arguments not in passed:
            result = whole(*args, **named)
        else:
            result = decorated(*args, **named)
            if (arguments, _form(result)) in passed:
                return result
            with jaxtyped("context"):
                values = of_arguments(*args, **named).arguments | {"return": result}
                for name, annotation in annotations.items():
                    if name in values:
                        die_if_unbearable(values[name], annotation, conf=CONF)
        passed.update((arguments, (arguments, _form(result))))
        return result

    return cast(T, once)


def _form(value: object) -> object:
    """What decides whether an annotation of one class or one array accepts a value."""
    return (type(value), value.dtype, value.shape) if isinstance(value, np.ndarray) else type(value)


def _depends_on_form(annotation: object) -> bool:
    """Whether it is a class, an array, or a union of these: whether it looks into no container."""
    parts = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    return all(part is None or isinstance(part, type) for part in parts)


def _has_shape(*annotations: object) -> bool:
    """Whether any of them is or holds one of jaxtyping's arrays, or is a text and may do so."""
    return any(
        isinstance(a, str)
        or (isinstance(a, type) and issubclass(a, AbstractArray))
        or _has_shape(*(a if isinstance(a, list) else get_args(a)))
        for a in annotations
    )


def _annotated(node: ast.FunctionDef) -> bool:
    a = node.args
    every = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
    return node.returns is not None or any(argument.annotation is not None for argument in every)


def _name(decorator: ast.expr) -> str:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


class _Decorate(ast.NodeTransformer):
    """Adds the check innermost to functions, and outermost to classes, after `@dataclass` made `__init__`."""

    def _check_at(self, node: ast.stmt) -> ast.expr:
        check = ast.parse(_CHECK, mode="eval").body
        for part in ast.walk(check):
            ast.copy_location(part, node)
            # On one line: a call that spans lines is booked to its last, which would count as run on import.
            if isinstance(part, ast.expr):
                part.end_lineno, part.end_col_offset = part.lineno, part.col_offset
        return check

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        if COMPILED.isdisjoint(map(_name, node.decorator_list)):
            self.generic_visit(node)
            if _annotated(node):
                node.decorator_list.append(self._check_at(node))
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self.generic_visit(node)
        node.decorator_list.insert(0, self._check_at(node))
        return node


class _Loader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        # Compiled afresh each time: checked bytecode must never reach a __pycache__ that the product reads.
        path = self.get_filename(fullname)
        tree = _Decorate().visit(ast.parse(self.get_data(path), path))
        return compile(tree, path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    def __init__(self, packages: Sequence[str]) -> None:
        self._packages = frozenset(packages)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in self._packages:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


def install(*packages: str) -> None:
    """Check every function and class of `packages` from now on. They must not have been imported yet."""
    early = [name for name in sys.modules if name.partition(".")[0] in packages]
    if early:
        raise RuntimeError(f"imported before their shapes could be checked: {', '.join(sorted(early))}")
    sys.meta_path.insert(0, _Finder(packages))
