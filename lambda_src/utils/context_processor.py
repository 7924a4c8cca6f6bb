"""From a queue message's body to a frozen context object, or one error that lists it all."""

from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

from pydantic import ValidationError

from lambda_src.core.channel_parts import BY_PHONE, Addressing
from lambda_src.core.context import ContextObject, RecordKey
from lambda_src.core.rejection import Problem, RejectedContext
from lambda_src.utils.context_body import decoded
from lambda_src.utils.context_model import context_model, field_names
from lambda_src.utils.context_problems import INVALID, problems_in
from lambda_src.utils.context_rules import Reader
from lambda_src.utils.wire_types import LONGEST_ID, LONGEST_KEY

MOST_TELLING = ("wrong_channel",)
"""Codes that explain the other problems, and so stand for all of them."""


class ContextParser:
    """Parses the bodies of one channel's queue.

    Args:
        channel: The channel's name, e.g. `whatsapp`.
        is_own_secret: Whether a secret reference lies within the channel's prefixes.
        addressing: What the channel's addresses are.
    """

    def __init__(
        self,
        channel: str,
        is_own_secret: Callable[[str], bool],
        addressing: Addressing = BY_PHONE,
    ) -> None:
        self._channel = channel
        self._addressing = addressing
        self._model = context_model(channel, addressing)
        self._settings = {"reader": Reader(channel, is_own_secret)}

    def __call__(self, body: str) -> ContextObject:
        """Parse one body.

        Raises:
            RejectedContext: Everything wrong with it, and the record's key where it can be told.
        """
        read = decoded(body)
        if read.problems:
            raise self._rejection(read.document, read.problems)
        try:
            payload = self._model.model_validate(read.document, context=self._settings)
        except ValidationError as error:
            problems = problems_in(error, field_names(self._channel, self._addressing))
            raise self._rejection(read.document, problems) from None
        return payload.context_object(self._addressing)

    def _rejection(self, document: dict[str, Any], problems: Sequence[Problem]) -> RejectedContext:
        key = _key(document, self._addressing.recipient_field)
        return RejectedContext(_code(problems), problems, key=key, request_id=_request_id(document))


def _code(problems: Sequence[Problem]) -> str:
    codes = {problem.code for problem in problems}
    telling = [code for code in MOST_TELLING if code in codes]
    if telling:
        return telling[0]
    return codes.pop() if len(codes) == 1 else INVALID


def _key(document: dict[str, Any], recipient_field: str) -> RecordKey | None:
    recipient = _dig(document, "frontend_payload", "recipient_data", recipient_field)
    conversation = _dig(document, "conversation_data", "conversation_id")
    if _fits(recipient, LONGEST_KEY) and _fits(conversation, LONGEST_KEY):
        return RecordKey(recipient, conversation)
    return None


def _request_id(document: dict[str, Any]) -> str | None:
    found = _dig(document, "frontend_payload", "request_data", "request_id")
    return found if _fits(found, LONGEST_ID) else None


def _dig(document: Any, *path: str) -> Any:
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _fits(value: object, longest: int) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value.encode()) <= longest
