"""Whether a record holds what a body said, by a reader of its own."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

ATTRIBUTES = {
    "project_data": "frontend_payload.project_data",
    "recipient_last_name": "frontend_payload.recipient_data.recipient_last_name",
    "recipient_email": "frontend_payload.recipient_data.recipient_email",
    "comms_consent": "frontend_payload.recipient_data.comms_consent",
    "request_id": "frontend_payload.request_data.request_id",
    "company_name": "company_data_payload.company_name",
    "company_rep": "company_data_payload.company_rep",
    "ai_config": "company_data_payload.ai_config",
    "channel_config": "company_data_payload.channel_config",
    "auto_queue_odd": "company_data_payload.auto_queue_odd",
    "rate_limits": "company_data_payload.rate_limits",
    "router_version": "metadata.router_version",
}
"""Where the attributes of a record stand in the context object."""


@dataclass(frozen=True)
class Number:
    """A number as it was written."""

    text: str

    def is_same(self, stored: object) -> bool:
        """Whether a stored value is that number, or its text."""
        if isinstance(stored, Number):
            stored = stored.text
        if stored == self.text:
            return True
        if isinstance(stored, str | Decimal):
            try:
                return Decimal(self.text) == Decimal(stored)
            except ArithmeticError:
                return False
        return False


def read(text: str) -> Any:
    """A JSON text with its numbers as they were written."""
    return json.loads(text, parse_int=Number, parse_float=Number)


def differences(body: str, record: dict[str, Any]) -> Iterator[str]:
    """The attributes in which a record differs from what a body said."""
    document = read(body)
    for attribute, path in ATTRIBUTES.items():
        said: Any = document
        for name in path.split("."):
            said = said.get(name) if isinstance(said, dict) else None
        if not _is_same(said, record.get(attribute)):
            yield attribute


def _is_same(said: Any, stored: Any) -> bool:
    pending = [(said, stored)]  # and no recursion: bodies are deeper than the stack
    while pending:
        parts = _parts(*pending.pop())
        if parts is None:
            return False
        pending.extend(parts)
    return True


def _parts(said: Any, stored: Any) -> list[tuple[Any, Any]] | None:
    """The pairs of parts that must be the same, None where the whole is not."""
    match said:
        case dict() | list() if isinstance(stored, str):
            return [(said, read(stored))]  # kept as the JSON text of that part
        case dict():
            names = {_whole_characters(name): value for name, value in said.items()}
            has_same = isinstance(stored, dict) and names.keys() == stored.keys()
            return [(names[name], stored[name]) for name in names] if has_same else None
        case list():
            has_same = isinstance(stored, list) and len(said) == len(stored)
            return list(zip(said, stored, strict=True)) if has_same else None
    return [] if _is_same_scalar(said, stored) else None


def _is_same_scalar(said: Any, stored: Any) -> bool:
    match said:
        case Number():
            return said.is_same(stored)
        case str():
            return isinstance(stored, str) and _whole_characters(said) == stored
    return bool(said is stored)


def _whole_characters(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
