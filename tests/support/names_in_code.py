"""Names in the code, read without importing it: whether `package.module.Class.name` is there."""

import ast
from pathlib import Path


def is_there(root: Path, dotted: str) -> bool:
    """Whether a dotted name is a folder, a module, or a name defined or imported in one."""
    parts = dotted.split(".")
    at = root
    for n, part in enumerate(parts):
        if (at / part).is_dir():
            at = at / part
            continue
        module = at / f"{part}.py"
        names = parts[n + 1 :] if module.is_file() else parts[n:]
        source = module if module.is_file() else at / "__init__.py"
        return source.is_file() and _holds(ast.parse(source.read_text(encoding="utf-8")).body, names)
    return True


def _holds(body: list[ast.stmt], names: list[str]) -> bool:
    if not names:
        return True
    for statement in body:
        if names[0] in _defined(statement):
            inner = statement.body if isinstance(statement, ast.ClassDef) else []
            return _holds(inner, names[1:])
    return False


def _defined(statement: ast.stmt) -> set[str]:
    match statement:
        case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
            return {statement.name}
        case ast.Assign():
            targets = [n for target in statement.targets for n in ast.walk(target)]
            return {n.id for n in targets if isinstance(n, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
        case ast.Import() | ast.ImportFrom():
            return {alias.asname or alias.name for alias in statement.names}
        case _:
            return set()
