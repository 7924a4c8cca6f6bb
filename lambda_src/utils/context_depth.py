"""How deep JSON text is nested: looked at before it is read, since readers recurse."""

import re
from collections.abc import Iterator

DEEPEST = 500
"""Levels of nesting that every later reader and writer of the document bears, recursing."""

# A string that never ends is one to the end of the text, and nothing is given back (`++`, `*+`):
# otherwise each quote in it would be tried as the beginning of another.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


def cut_below(levels: int, text: str) -> tuple[str, bool]:
    """Replace what is nested deeper than that by null.

    Args:
        levels: Objects and arrays that may stand in one another.
        text: JSON; other text comes back as some other text.

    Returns:
        The text, and whether anything was replaced.
    """
    if text.count("[") + text.count("{") <= levels:
        return text, False
    parts = list(_kept(levels, text))
    return ("null".join(parts), True) if len(parts) > 1 else (text, False)


def _kept(levels: int, text: str) -> Iterator[str]:
    """The stretches of a text between those that lie too deep."""
    depth, start = 0, 0
    for token in _STRING_OR_BRACKET.finditer(text):
        if token[0] in "[{":
            if depth == levels:
                yield text[start : token.start()]
            depth += 1
        elif token[0] in "]}":
            depth -= 1
            if depth == levels:
                start = token.end()
    yield text[start:] if depth <= levels else ""
