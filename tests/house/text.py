"""What no committed text may hold: paths of one machine, notes to self, links to nowhere."""

import re
from pathlib import Path

# Spelled in pieces, so that this file does not hold what it looks for.
NOTES = re.compile("|".join(["TO" + "DO", "FIX" + "ME"]))
MACHINE_PATH = re.compile(r"(?<![\w.~)}])/(?:" + "|".join(["work", "root", "home", "Users"]) + r")(?![\w.-])")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def complaints(text: str, where: str) -> list[str]:
    """Lines with a note to self or with an absolute path into somebody's machine."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if NOTES.search(line):
            found.append(f"{where}:{number}: a note to self")
        if MACHINE_PATH.search(line):
            found.append(f"{where}:{number}: a path of one machine")
    return found


def broken_links(markdown: str, folder: Path) -> list[str]:
    """Relative links of a Markdown text, seen from its folder, that lead to no file."""
    targets = (link.split("#")[0] for link in LINK.findall(markdown) if "://" not in link)
    return [target for target in targets if target and not (folder / target).exists()]
