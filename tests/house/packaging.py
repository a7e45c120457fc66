"""What pyproject.toml declares, beside what the package imports."""

import re

# Import names that differ from the distribution's.
DISTRIBUTIONS = {"sklearn": "scikit-learn", "torch_geometric": "torch-geometric"}


def declared(requirements: list[str]) -> set[str]:
    """Names of the distributions in a list of requirements."""
    return {re.match(r"[\w.-]+", requirement)[0].lower() for requirement in requirements}


def undeclared(imports: set[str], project: dict) -> set[str]:
    """Distributions that are imported but neither a dependency nor part of an extra."""
    extras = [line for lines in project.get("optional-dependencies", {}).values() for line in lines]
    return {DISTRIBUTIONS.get(root, root) for root in imports} - declared(project["dependencies"] + extras)


def unused(imports: set[str], project: dict) -> set[str]:
    """Dependencies that nothing imports."""
    return declared(project["dependencies"]) - {DISTRIBUTIONS.get(root, root) for root in imports}
