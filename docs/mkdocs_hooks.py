"""For the site alone: what GitHub's Markdown has and MkDocs has not."""

import re

_OUTWARD = re.compile(r"\[(?P<text>[^\]]+)\]\(\.\./(?P<path>[^)#]+)(?:#[^)]*)?\)")
_TESTED = re.compile(r"^```python run$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: object) -> str:
    """Called by MkDocs with each page before it is rendered.

    A link to a file outside of docs/ becomes that file's path; a block that the tests run is a block like any other.
    """
    return _TESTED.sub("```python", _OUTWARD.sub(_path, markdown))


def _path(link: re.Match[str]) -> str:
    text, path = link["text"], f"`{link['path']}`"
    return path if text.strip("`").endswith(link["path"].rpartition("/")[2]) else f"{text} ({path})"
