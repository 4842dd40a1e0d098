"""Which parameters the pages read from their address, from the source: for the reference."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from core.errors import InputError

# Functions that bind a widget to a parameter they are given, and which argument that is.
HELPERS = {"switch": 0, "_several": 0, "_pills": 0, "addressed": 0, "asked": 0, "fold": 1}


def parameters(root: Path) -> set[str]:
    """Names of all parameters that the code below `root` reads from an address.

    Raises InputError for a widget that is bound to a name which cannot be seen in the source.
    """
    files = [*sorted((root / "pages").glob("*.py")), *sorted((root / "core/ui").rglob("*.py"))]
    return {name for path in files for name in _of_file(path)}


def _of_file(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.name in HELPERS:
            for node in ast.walk(function):
                node.seen = True  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _of_call(node, path)
        elif isinstance(node, ast.Subscript) and _is_address(node.value):
            yield from _literal(node.slice)
        elif isinstance(node, ast.Compare) and _is_address(node.comparators[0]):
            yield from _literal(node.left)


def _of_call(call: ast.Call, path: Path) -> Iterator[str]:
    given = {one.arg: one.value for one in call.keywords}
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    bound = given.get("bind")
    if isinstance(bound, ast.Constant) and bound.value == "query-params":
        found = list(_literal(given.get("key")))
        if not found and not getattr(call, "seen", False):
            raise InputError(f"{path.name}:{call.lineno} binds a widget to a name made on the way.")
        yield from found
    elif name in HELPERS and len(call.args) > HELPERS[name]:
        yield from _literal(call.args[HELPERS[name]])
    elif name in ("get", "pop") and _is_address(getattr(call.func, "value", None)):
        yield from _literal(call.args[0])


def _is_address(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "query_params"


def _literal(node: ast.AST | None) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
