"""Nothing is ever unpickled."""

import ast

PICKLERS = {"cPickle", "cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
PICKLING_CALLS = {"read_pickle", "to_pickle"}


def complaints(source: str, where: str) -> list[str]:
    """Imports of pickle and its like; `torch.load` without `weights_only=True`; `allow_pickle`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.split(".")[0] in PICKLERS]
            found += [f"{where}:{node.lineno}: imports {name}" for name in names]
        elif isinstance(node, ast.ImportFrom):
            found += [f"{where}:{node.lineno}: {reason}" for reason in _from(node)]
        elif isinstance(node, ast.Call):
            found += [f"{where}:{node.lineno}: {reason}" for reason in _call(node)]
    return found


def _from(node: ast.ImportFrom) -> list[str]:
    origin = (node.module or "").split(".")[0]
    if origin in PICKLERS and not node.level:
        return [f"imports {origin}"]
    # A bare `load` could not be told from the safe one of safetensors.
    return ["imports load from torch"] if node.module == "torch" and "load" in {a.name for a in node.names} else []


def _call(node: ast.Call) -> list[str]:
    called = ast.unparse(node.func)
    keywords = {keyword.arg: getattr(keyword.value, "value", None) for keyword in node.keywords}
    if called == "torch.load" and keywords.get("weights_only") is not True:
        return ["torch.load without weights_only=True"]
    if called.split(".")[-1] in PICKLING_CALLS:
        return [f"{called} pickles"]
    if "allow_pickle" in keywords and keywords["allow_pickle"] is not False:
        return [f"{called} with allow_pickle"]
    return []
