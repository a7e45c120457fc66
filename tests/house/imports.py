"""Which module may import what."""

import ast
import sys
from collections.abc import Iterator

# What each layer may import; `errors` is everybody's. What is below a layer's layers is below it too.
LAYERS: dict[str, set[str]] = {
    "errors": set(),
    "molecules": {"errors"},
    "datasets": {"errors", "molecules"},
    "diffusion": {"errors"},
    "nn": {"errors", "molecules"},
    "training": {"errors", "molecules", "datasets", "diffusion", "nn"},
    "screening": {"errors", "molecules", "diffusion", "nn"},
    "evaluation": {"errors", "molecules", "datasets"},
    "pipelines": {"errors", "molecules", "diffusion", "nn", "screening"},
    "audit": {"errors", "molecules", "datasets", "diffusion", "nn", "screening", "evaluation"},
}
# These see every layer, and no layer sees them.
TOP = {"", "__main__", "cli"}
# Foreign worlds with a gate: the only layers that import them.
GATES: dict[str, set[str]] = {"rdkit": {"molecules", "evaluation"}, "e3nn": {"nn"}}
# Layers that import nothing foreign but this.
ONLY: dict[str, set[str]] = {"diffusion": {"torch"}, "errors": set()}


def layer_of(module: str) -> str:
    """The part of a dotted name after `molscore`: `molscore.nn.model` -> `nn`; the package itself -> empty."""
    return (module.split(".") + [""])[1]


def imported(source: str, module: str, is_package: bool = False) -> Iterator[str]:
    """Dotted names that a module's source imports at any depth, relative ones resolved."""
    parts = module.split(".")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            kept = len(parts) - node.level + is_package
            base = parts[:kept] if node.level else []
            origin = ".".join(base + ([node.module] if node.module else []))
            # `from molscore import nn` names a layer, `from molscore.nn import Model` a thing inside one.
            yield from (f"{origin}.{alias.name}" if origin == "molscore" else origin for alias in node.names)


def complaints(source: str, module: str, is_package: bool = False) -> list[str]:
    """Imports of a module that its layer does not allow."""
    layer = layer_of(module)
    if layer not in TOP and layer not in LAYERS:
        return [f"{module}: no layer is called '{layer}'"]
    found = [*_dynamic(source, module)]
    for target in sorted(set(imported(source, module, is_package))):
        root = target.split(".")[0]
        if root == "molscore":
            found += _inward(module, layer, target)
        elif root not in sys.stdlib_module_names:
            found += _outward(module, layer, root)
    return found


def _inward(module: str, layer: str, target: str) -> list[str]:
    other = layer_of(target)
    if target == "molscore.__version__" or layer in TOP or other == layer or other in LAYERS[layer]:
        return []
    return [f"{module}: {layer} may not import {target}"]


def _outward(module: str, layer: str, root: str) -> list[str]:
    if layer not in GATES.get(root, {layer}):
        return [f"{module}: {root} is imported only under {sorted(GATES[root])}"]
    if layer in ONLY and root not in ONLY[layer]:
        return [f"{module}: {layer} imports {sorted(ONLY[layer]) or 'nothing foreign'}, not {root}"]
    return []


def _dynamic(source: str, module: str) -> Iterator[str]:
    """Imports by string, which the rules cannot see, and lazy attributes: for the package's front door alone."""
    if module == "molscore":
        return
    for node in ast.walk(ast.parse(source)):
        called = node.func if isinstance(node, ast.Call) else None
        if getattr(called, "attr", getattr(called, "id", "")) in {"import_module", "__import__"}:
            yield f"{module}: imports by string"
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == "__getattr__":
            yield f"{module}: lazy module attributes belong to molscore/__init__.py"
