"""Code in Markdown pages: which blocks run, and whether the commands they show exist."""

import re
import shlex
from collections.abc import Callable
from typing import NamedTuple

FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<code>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
END_OF_COMMAND = {"|", "||", "&&", ";", ">", ">>", "<", "2>", "&"}


class Block(NamedTuple):
    """One fenced block: its language, the words after the language, the code."""

    language: str
    marks: tuple[str, ...]
    code: str


def blocks(markdown: str) -> list[Block]:
    """Fenced code blocks, in order. A Python block marked `run` (```python run) is executed by the tests."""
    found = []
    for match in FENCE.finditer(markdown):
        language, *marks = match["info"].split() or [""]
        found.append(Block(language, tuple(marks), match["code"]))
    return found


def commands(markdown: str) -> list[list[str]]:
    """Arguments of each `molscore …` line of the bash blocks; pipes and redirections cut off."""
    found = []
    for block in blocks(markdown):
        if block.language not in {"bash", "sh", "console"}:
            continue
        for line in block.code.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if words[:1] == ["molscore"]:
                stop = next((i for i, word in enumerate(words) if word in END_OF_COMMAND), len(words))
                found.append(words[1:stop])
    return found


def complaints(arguments: list[str], help_of: Callable[[str], str | None]) -> list[str]:
    """What a command line names that `--help` does not know; `help_of(subcommand)` is None where there is none."""
    subcommand = arguments[0] if arguments and not arguments[0].startswith("-") else ""
    text = help_of(subcommand)
    if text is None:
        return [f"molscore {subcommand}: no such command"]
    options = (word.split("=")[0] for word in arguments if re.match(r"--?[A-Za-z]", word))
    return [
        f"molscore {subcommand}: no option {option}"
        for option in options
        if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text)
    ]
