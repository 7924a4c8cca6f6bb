"""Rebuild a context object from its record, so that nothing else must be kept of a held message."""

import copy
import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from lambda_src.core.contract import CONVERTED_VALUES, REBUILT, Step
from lambda_src.core.errors import UnrecognizedRecord

RECORDED_PREFIXES = ("auto_queue_", "rate_limits")
"""Name prefixes of company fields that are copied to the record without being interpreted."""

COMPANY_FIELDS = (
    "company_id",
    "project_id",
    "company_name",
    "project_name",
    "company_rep",
    "message_guidance",
    "project_status",
    "allowed_channels",
    "ai_config",
    "channel_config",
)
REQUEST_FIELDS = ("request_id", "channel_method", "initial_request_timestamp")
RECIPIENT_PREFIX = "recipient_"
CONSENT = "comms_consent"
REQUIRED = (
    "conversation_id",
    *("company_id", "project_id", "company_name", "project_name", "project_status"),
    *("allowed_channels", "ai_config", "channel_config", "request_id", "channel_method", CONSENT),
)
"""The attributes of every record whose message was accepted."""


def rebuild_context(record: Mapping[str, Any]) -> str:
    """Return the context object of a record as JSON text.

    Its parser returns for it what it returned for the message itself. Fields that are not recorded
    are left out: unknown ones, the router's `api_key` and `conversation_status`. The metadata say
    that it was rebuilt.

    Args:
        record: The record's attributes, with numbers as decimals.

    Raises:
        UnrecognizedRecord: It lacks attributes that every accepted message has, or its
            `converted_values` do not fit it.
    """
    missing = [name for name in REQUIRED if name not in record]
    if missing:
        raise _incomplete(f"expected the attributes {', '.join(missing)}, found nothing")
    fields = _as_sent(record)
    recipient = {
        name: value
        for name, value in fields.items()
        if name.startswith(RECIPIENT_PREFIX) or name == CONSENT
    }
    company = {
        name: value
        for name, value in fields.items()
        if name in COMPANY_FIELDS or name.startswith(RECORDED_PREFIXES)
    }
    document = {
        "metadata": {**_some(fields, "router_version"), REBUILT: True},
        "conversation_data": _some(fields, "conversation_id"),
        "frontend_payload": {
            "company_data": _some(fields, "company_id", "project_id"),
            "recipient_data": recipient,
            "request_data": _some(fields, *REQUEST_FIELDS),
            **_some(fields, "project_data"),
        },
        "company_data_payload": company,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=_number)


def first_asked_at(record: Mapping[str, Any]) -> int:
    """Return when a record's message was first asked for, in epoch milliseconds.

    It is the router's request or the record's creation, whichever is earlier: an erasure after that
    applies to every copy of the message.

    Raises:
        UnrecognizedRecord: The record does not say when it was created.
    """
    created = _epoch_ms(record.get("created_at"))
    if created is None:
        raise _incomplete("created_at: expected a time in ISO 8601 form, found another value")
    requested = _epoch_ms(record.get("initial_request_timestamp"))
    return created if requested is None else min(created, requested)


def _as_sent(record: Mapping[str, Any]) -> Mapping[str, Any]:
    paths = record.get(CONVERTED_VALUES)
    if not paths:
        return record
    changed = copy.deepcopy(dict(record))
    try:
        for *parents, last in paths:
            container: Any = changed
            for name in parents:
                container = container[_index(container, name)]
            key = _index(container, last)
            value = container[key]
            container[key] = json.loads(value) if isinstance(value, str) else float(value)
    except (LookupError, TypeError, ValueError):
        detail = f"{CONVERTED_VALUES}: expected paths of values in the record, found another path"
        raise _incomplete(detail) from None
    return changed


def _index(container: object, name: str) -> str | int:
    return int(name) if isinstance(container, list) else name


def _some(fields: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: fields[name] for name in names if name in fields}


def _number(value: object) -> float:
    if not isinstance(value, Decimal):
        raise _incomplete("expected values of JSON, found another type")
    return int(value) if value == value.to_integral_value() else float(value)


def _epoch_ms(text: object) -> int | None:
    """Return a time's milliseconds; None if it is missing, invalid or without its time zone."""
    try:
        moment = datetime.fromisoformat(str(text))
        return int(moment.timestamp() * 1000) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _incomplete(detail: str) -> UnrecognizedRecord:
    return UnrecognizedRecord("record_incomplete", Step.DELIVERY, f"record: {detail}")
