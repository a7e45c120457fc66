"""What a module of the package must say: docstrings, `__all__`, annotations."""

import ast
from collections.abc import Iterator

Function = ast.FunctionDef | ast.AsyncFunctionDef


def complaints(source: str, module: str) -> list[str]:
    """Missing docstrings of the module and of public functions, classes and methods; `__all__`; annotations."""
    tree = ast.parse(source)
    found = [] if ast.get_docstring(tree) else [f"{module}: no module docstring"]
    exported = _exported(tree)
    if exported is None and not module.endswith("__main__"):
        found.append(f"{module}: no __all__")
    for where, node in _public(tree):
        if not ast.get_docstring(node):
            found.append(f"{module}:{node.lineno}: {where} has no docstring")
    for node in ast.walk(tree):
        if isinstance(node, Function):
            found += [f"{module}:{node.lineno}: {node.name}: {what} has no type" for what in _untyped(node)]
    return found


def _exported(tree: ast.Module) -> ast.expr | None:
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            return node.value
    return None


def _public(tree: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Public functions, classes and methods, with dotted names; overloads and setters repeat another's docstring."""
    for node in tree.body:
        if not isinstance(node, ast.ClassDef | Function) or node.name.startswith("_"):
            continue
        if any(ast.unparse(mark).endswith(("overload", ".setter")) for mark in node.decorator_list):
            continue
        yield prefix + node.name, node
        if isinstance(node, ast.ClassDef):
            yield from _public(node, f"{prefix}{node.name}.")


def _untyped(node: Function) -> Iterator[str]:
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
    for argument in filter(None, arguments):
        if argument.annotation is None and argument.arg not in {"self", "cls"}:
            yield argument.arg
    if node.returns is None:
        yield "the result"
