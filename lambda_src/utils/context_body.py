"""A queue message's body as a JSON object that every later part can hold, or the one error."""

import json
import math
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from lambda_src.core.rejection import Problem, RejectedContext
from lambda_src.utils.context_problems import kind

LONGEST_NUMBER = 4_000
"""Digits of a whole number that is read as one; Python itself refuses those of more than 4,300."""

_HALF_CHARACTER = re.compile(r"\\u[dD][89A-Fa-f]|[\ud800-\udfff]")


def decoded(body: str) -> dict[str, Any]:
    """The object that a body holds.

    Numbers that Python cannot hold are kept as their text, halves of characters are replaced.

    Raises:
        RejectedContext: It is no JSON, or no object.
    """
    try:
        document = json.loads(
            body, parse_constant=_no_constant, parse_float=_finite, parse_int=_countable
        )
        if _HALF_CHARACTER.search(body):
            document = _without_lone_surrogates(document)
    except ValueError:
        # Without its cause: the decoder's error carries the whole body.
        raise _whole("body_not_json", "JSON text", "other text") from None
    except RecursionError:
        raise _whole("body_not_json", "JSON text", "JSON nested too deeply to be read") from None
    if not isinstance(document, dict):
        raise _whole("body_not_object", "an object", kind(document))
    return document


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float | str:
    """A number, or its text where it is too large for one."""
    number = float(text)
    return number if math.isfinite(number) else text


def _countable(text: str) -> int | str:
    """A whole number, or its text where it is too long for one."""
    return int(text) if len(text) <= LONGEST_NUMBER else text


def _without_lone_surrogates(document: object) -> Any:
    text = json.dumps(document, ensure_ascii=False)
    return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _whole(code: str, expected: str, found: str) -> RejectedContext:
    return RejectedContext(code, [Problem(code, "body", expected, found)])


def is_deeper_than(levels: int, document: object) -> bool:
    """Whether a document has more levels of nesting than that."""
    layer = [document]
    for _ in range(levels):
        layer = [part for whole in layer for part in _parts(whole)]
        if not layer:
            return False
    return True


def _parts(whole: object) -> Iterable[object]:
    if isinstance(whole, dict):
        return whole.values()
    return whole if isinstance(whole, list) else ()
