"""From a queue message's body to a frozen context object, or one error that lists it all."""

import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lambda_src.core.context import ContextObject, RecordKey
from lambda_src.core.errors import Problem, RejectedContext
from lambda_src.utils.context_model import Reader, context_model
from lambda_src.utils.wire_types import LONGEST_KEY

INVALID = "context_invalid"
MOST_TELLING = ("wrong_channel",)
"""Codes that explain the other problems, and so stand for all of them."""
KINDS: dict[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "an array",
    dict: "an object",
    type(None): "null",
}
EXPECTED = {
    "string_type": "a string",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "int_type": "a whole number",
}
"""Our words for what pydantic calls by Python's."""
DEEPEST = 500
"""Levels of nesting that every later reader and writer of the document bears, recursing."""
LONGEST_NUMBER = 4_000
"""Digits of a whole number that is read as one; Python itself refuses those of more than 4,300."""

_HALF_CHARACTER = re.compile(r"\\u[dD][89A-Fa-f]|[\ud800-\udfff]")
_FIELD_NAME = re.compile(r"[A-Za-z0-9_\[\]]{1,64}")


class ContextParser:
    """Parses the bodies of one channel's queue.

    Args:
        channel: The channel's name, e.g. `whatsapp`.
        is_own_secret: Whether a secret reference lies within the channel's prefixes.
    """

    def __init__(self, channel: str, is_own_secret: Callable[[str], bool]) -> None:
        self._model = context_model(channel)
        self._settings = {"reader": Reader(channel, is_own_secret)}

    def __call__(self, body: str) -> ContextObject:
        """Parse one body.

        Raises:
            RejectedContext: Everything wrong with it, and the record's key where it can be told.
        """
        document = _decoded(body)
        if _is_deeper_than(DEEPEST, document):
            raise _too_deep(document)
        try:
            payload = self._model.model_validate(document, context=self._settings)
        except ValidationError as error:
            raise _rejection(document, error) from None
        return payload.context_object()


def _decoded(body: str) -> dict[str, Any]:
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
        raise _whole("body_not_object", "an object", _kind(document))
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


def _is_deeper_than(levels: int, document: object) -> bool:
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


def _too_deep(document: dict[str, Any]) -> RejectedContext:
    problem = Problem(INVALID, "body", f"at most {DEEPEST} levels of nesting", "more")
    return RejectedContext(INVALID, [problem], key=_key(document), request_id=_request_id(document))


def _rejection(document: dict[str, Any], error: ValidationError) -> RejectedContext:
    problems = [_problem(details) for details in error.errors(include_url=False)]
    return RejectedContext(
        _code(problems), problems, key=_key(document), request_id=_request_id(document)
    )


def _problem(details: ErrorDetails) -> Problem:
    field = _path(details["loc"])
    if details["type"] == "missing":
        return Problem(INVALID, field, "a value", "nothing")
    told = details.get("ctx", {}).get("expected")
    code = details["type"] if told and details["type"] != "literal_error" else INVALID
    words = details["msg"].removeprefix("Input should be ")
    return Problem(
        code, field, told or EXPECTED.get(details["type"], words), _kind(details["input"])
    )


def _path(location: Sequence[int | str]) -> str:
    """A field's path; names that the message made up are told only where they look like one."""
    parts = map(str, location)
    return ".".join(part if _FIELD_NAME.fullmatch(part) else "?" for part in parts) or "body"


def _code(problems: Sequence[Problem]) -> str:
    codes = {problem.code for problem in problems}
    telling = [code for code in MOST_TELLING if code in codes]
    if telling:
        return telling[0]
    return codes.pop() if len(codes) == 1 else INVALID


def _key(document: dict[str, Any]) -> RecordKey | None:
    recipient = _dig(document, "frontend_payload", "recipient_data", "recipient_tel")
    conversation = _dig(document, "conversation_data", "conversation_id")
    if recipient and conversation:
        return RecordKey(recipient, conversation)
    return None


def _request_id(document: dict[str, Any]) -> str | None:
    return _dig(document, "frontend_payload", "request_data", "request_id")


def _dig(document: object, *path: str) -> str | None:
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    is_key = isinstance(document, str) and 0 < len(document.encode()) <= LONGEST_KEY
    return document if isinstance(document, str) and is_key else None


def _kind(value: object) -> str:
    if value == "":
        return "an empty string"
    return KINDS.get(type(value), "another value")
