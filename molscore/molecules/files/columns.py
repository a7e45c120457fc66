"""Finding the SMILES column of a table by its name."""

from collections.abc import Sequence

from molscore.errors import InputError

__all__ = ["is_smiles_name", "smiles_column", "unique_names"]

_NAMES = (
    "smiles",
    "canonical_smiles",
    "isomeric_smiles",
    "can_smiles",
    "smiles_string",
    "input_smiles",
    "molecule_smiles",
    "smi",
)


def is_smiles_name(name: str) -> bool:
    """Whether a column of this name holds SMILES strings, by custom."""
    return name.strip().lower().replace(" ", "_") in _NAMES


def smiles_column(names: Sequence[str], wanted: str | None, source: str) -> str:
    """Name of the SMILES column: the one asked for, else the most usual name present, whatever its case.

    Raises `InputError` that lists the columns there are.
    """
    if wanted is not None:
        matches = [name for name in names if name == wanted] or [n for n in names if n.lower() == wanted.lower()]
        if len(matches) == 1:
            return matches[0]
        problem = f"no column {wanted!r}"
    else:
        folded = [name.strip().lower().replace(" ", "_") for name in names]
        for usual in _NAMES:
            if usual in folded:
                return names[folded.index(usual)]
        problem = "no column of SMILES found"
    listed = ", ".join(names[:50]) + (" …" if len(names) > 50 else "")
    raise InputError(f"{source}: {problem}; its columns are {listed or 'none'}")


def unique_names(names: Sequence[str]) -> list[str]:
    """Header with blank names filled in and repeated ones numbered, as pandas does: ``a, a.1``."""
    seen: set[str] = set()
    unique = []
    for index, name in enumerate(names):
        base = name.strip() or f"column_{index}"
        candidate, copy = base, 0
        while candidate in seen:
            copy += 1
            candidate = f"{base}.{copy}"
        seen.add(candidate)
        unique.append(candidate)
    return unique
