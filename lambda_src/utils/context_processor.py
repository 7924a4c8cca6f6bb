"""Parse a queue message's body into a context object, or one error that lists every problem."""

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from decimal import Decimal
from typing import Any, Self

import jiter
from pydantic import ValidationError

from lambda_src.core import (
    BY_PHONE,
    REBUILT,
    Addressing,
    ChannelParts,
    ContextObject,
    Problem,
    RecordKey,
    RejectedContext,
    json_type,
)
from lambda_src.utils.context_schema import (
    INVALID,
    MAX_ID_BYTES,
    MAX_KEY_BYTES,
    WRONG_CHANNEL,
    ChannelRules,
    context_model,
    field_names,
)

NOT_JSON = "body_not_json"

SYNTAX_PROBLEMS = {
    "duplicate key": ("body_ambiguous", "each name once in an object", "a name twice"),
    "recursion limit": (INVALID, "at most 200 levels of nesting", "more"),
    "number out of range": (NOT_JSON, "numbers of at most 4,300 digits", "a longer one"),
    "InvalidOperation": (NOT_JSON, "numbers that decimal arithmetic can represent", "another"),
    "surrogate": (NOT_JSON, "complete Unicode characters", "half of a surrogate pair"),
    "hex escape": (NOT_JSON, "complete Unicode characters", "half of a surrogate pair"),
}
"""Failure code, expected and found, by a part of jiter's error text.

Any other error means that the text is not JSON at all.
"""

EXPECTED = {
    "string_type": "a string",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "int_type": "a whole number",
}
"""JSON's terms for the errors that pydantic describes in Python's."""

OVERRIDING_CODES = (WRONG_CHANNEL,)
"""Failure codes that explain all other problems of a context object."""


class ContextParser:
    """Parses the message bodies of one channel's queue.

    Args:
        channel: The channel's name, e.g. `whatsapp`.
        is_own_secret: Returns whether a secret reference has one of the channel's prefixes.
        addressing: The format and the field of the channel's addresses.
        has_credentials: Whether a context object names a secret with the vendor's credentials.
        max_conversation_id_bytes: The longest conversation id; None: as long as a key may be.
        check_context: Yields what a context object lacks that only this channel requires, if any.
    """

    def __init__(
        self,
        channel: str,
        is_own_secret: Callable[[str], bool],
        addressing: Addressing = BY_PHONE,
        *,
        has_credentials: bool = True,
        max_conversation_id_bytes: int | None = None,
        check_context: Callable[[ContextObject], Iterable[Problem]] | None = None,
    ) -> None:
        self._addressing = addressing
        self._check_context = check_context
        self._model = context_model(
            channel, addressing, has_credentials, max_conversation_id_bytes or MAX_KEY_BYTES
        )
        self._validation_context = {"rules": ChannelRules(channel, is_own_secret)}

    @classmethod
    def for_channel(
        cls, channel: str, parts: ChannelParts, is_own_secret: Callable[[str], bool]
    ) -> Self:
        """Return the parser of a channel with these parts."""
        return cls(
            channel,
            is_own_secret,
            parts.addressing,
            has_credentials=parts.has_credentials,
            max_conversation_id_bytes=parts.max_conversation_id_bytes,
            check_context=parts.check_context,
        )

    def __call__(self, body: str) -> ContextObject:
        """Parse one body.

        Raises:
            RejectedContext: Lists every problem; has the record's key if the body contains it.
        """
        document = self._parse_json(body)
        try:
            payload = self._model.model_validate(document, context=self._validation_context)
        except ValidationError as error:
            problems = _problems(error, field_names(self._model))
            raise self._rejection(problems, document) from None
        context = payload.context_object(self._addressing)
        if self._check_context and (problems := list(self._check_context(context))):
            raise self._rejection(problems, document)
        return context

    def _parse_json(self, body: str) -> dict[str, Any]:
        try:
            document = jiter.from_json(
                body.encode(),
                catch_duplicate_keys=True,
                allow_inf_nan=False,
                float_mode="decimal",
                cache_mode="keys",  # values may be personal data
            )
        except ValueError as error:
            # Without the cause, whose text may quote the body.
            raise self._rejection([_syntax_problem(str(error))], _readable_part(body)) from None
        if not isinstance(document, dict):
            problem = Problem("body_not_object", "body", "an object", json_type(document))
            raise RejectedContext(problem.code, [problem])
        return {name: _without_decimals(value) for name, value in document.items()}

    def _rejection(self, problems: Sequence[Problem], document: Any) -> RejectedContext:
        field, form = self._addressing.recipient_field, self._addressing.recipient
        recipient = _text(document, MAX_KEY_BYTES, "frontend_payload", "recipient_data", field)
        if recipient and re.fullmatch(form.pattern, recipient):
            recipient = form.canonical(recipient)
        conversation = _text(document, MAX_KEY_BYTES, "conversation_data", "conversation_id")
        return RejectedContext(
            _summary_code(problems),
            problems,
            key=RecordKey(recipient, conversation) if recipient and conversation else None,
            request_id=_text(
                document, MAX_ID_BYTES, "frontend_payload", "request_data", "request_id"
            ),
            is_rebuilt=_value(document, "metadata", REBUILT) is True,
        )


def _without_decimals(value: Any) -> Any:
    """Convert decimals to floats, or to text if a float does not represent the same number."""
    if isinstance(value, dict):
        return {name: _without_decimals(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_without_decimals(part) for part in value]
    if isinstance(value, Decimal):
        number = float(value)
        return number if Decimal(repr(number)) == value else str(value)
    return value


def _syntax_problem(error: str) -> Problem:
    for part, (code, expected, found) in SYNTAX_PROBLEMS.items():
        if part in error:
            return Problem(code, "body", expected, found)
    return Problem(NOT_JSON, "body", "JSON text, without NaN and infinities", "other text")


def _readable_part(body: str) -> Any:
    """Read a refused body leniently, only for its record's key; repeated names are left out."""

    def unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        counts = Counter(name for name, _ in pairs)
        return {name: value for name, value in pairs if counts[name] == 1}

    try:
        return json.loads(body, parse_int=float, object_pairs_hook=unambiguous)
    except (ValueError, RecursionError):
        return None


def _text(document: Any, max_bytes: int, *path: str) -> str | None:
    """Return the text at a path; None if it is not valid Unicode text of 1 to `max_bytes` bytes."""
    text = _value(document, *path)
    if not isinstance(text, str):
        return None
    encoded = text.encode(errors="ignore")
    return text if 0 < len(encoded) <= max_bytes and encoded.decode() == text else None


def _value(document: Any, *path: str) -> Any:
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _summary_code(problems: Sequence[Problem]) -> str:
    codes = {problem.code for problem in problems}
    overriding = [code for code in OVERRIDING_CODES if code in codes]
    if overriding:
        return overriding[0]
    return codes.pop() if len(codes) == 1 else INVALID


def _problems(error: ValidationError, field_names: Collection[str]) -> list[Problem]:
    """Convert pydantic's errors, without the values; unknown names in locations become `?`."""
    problems = []
    for details in error.errors(include_url=False):
        # Names that are not the schema's come from the message and may contain personal data.
        parts = (str(p) if isinstance(p, int) or p in field_names else "?" for p in details["loc"])
        field = ".".join(parts) or "body"
        kind, terms = details["type"], details.get("ctx", {})
        if kind == "missing":
            problems.append(Problem(INVALID, field, "a value", "nothing"))
            continue
        custom = terms.get("expected")
        expected = custom or EXPECTED.get(kind) or details["msg"].removeprefix("Input should be ")
        code = kind if custom and kind != "literal_error" else INVALID
        found = terms.get("found") or json_type(details["input"])
        problems.append(Problem(code, field, expected, found))
    return problems
