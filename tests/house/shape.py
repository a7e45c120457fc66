"""How long files and functions may be, and which names a file may not have."""

import ast
from pathlib import PurePath

FILE_LINES = 300
FUNCTION_LINES = 60
DRAWERS = {"util", "utils"}


def complaints(source: str, path: PurePath) -> list[str]:
    """Files of 300 lines or more, functions of 60 or more (decorators not counted), drawers."""
    found = [f"{path}: a drawer; name the idea" for part in path.with_suffix("").parts if part in DRAWERS]
    lines = len(source.splitlines())
    if lines >= FILE_LINES:
        found.append(f"{path}: {lines} lines, the limit is under {FILE_LINES}")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = node.end_lineno - node.lineno + 1
            if lines >= FUNCTION_LINES:
                where = f"{path}:{node.lineno}: {node.name}"
                found.append(f"{where} has {lines} lines, the limit is under {FUNCTION_LINES}")
    return found
