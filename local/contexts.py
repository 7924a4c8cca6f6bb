"""Context objects to send: read from files, and varied."""

import json
import uuid
from pathlib import Path
from typing import Any

from lambda_src.channels import parts_of
from local import paths
from local.errors import LocalCloudError
from ops.console import decode_text
from ops.errors import OperatorError

EXAMPLE = paths.EXAMPLE_CONTEXTS / "whatsapp.json"


def read_context(path: Path) -> str:
    """Read a context object from a file.

    Returns:
        The file's text, without a byte order mark.

    Raises:
        LocalCloudError: the file cannot be read or is not JSON; the text says where.
    """
    try:
        text = decode_text(path.read_bytes(), str(path))
        json.loads(text)
    except OSError as error:
        raise LocalCloudError(f"cannot read the context object {path}: {error.strerror}") from error
    except OperatorError as error:
        raise LocalCloudError(str(error)) from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise LocalCloudError(f"{path} is not JSON: {error.msg} at {where}") from error
    return text


def example(name: str, *, conversation_id: str, recipient: str = "") -> str:
    """Return an example context object with a conversation and a recipient of its own.

    Args:
        name: of the file in `examples/contexts`, without its extension.
        conversation_id: replaces the example's, if it has one.
        recipient: address that replaces the example's; empty to keep that one.
    """
    body = read_context(paths.EXAMPLE_CONTEXTS / f"{name}.json")
    context: dict[str, Any] = json.loads(body)
    if "conversation_data" in context:
        context["conversation_data"]["conversation_id"] = conversation_id
    if recipient:
        field = parts_of(channel_name(body)).addressing.recipient_field
        context["frontend_payload"]["recipient_data"][field] = recipient
    return json.dumps(context)


def with_new_ids(body: str) -> str:
    """Return a context object with another conversation id and request id, where it has one."""
    context, new = json.loads(body), f"local-{uuid.uuid4().hex[:8]}"
    for part, name in (("conversation_data", "conversation_id"), ("request_data", "request_id")):
        parent = context if part == "conversation_data" else context.get("frontend_payload", {})
        if name in parent.get(part, {}):
            parent[part][name] = new
    return json.dumps(context)


def with_numbered_recipient(body: str, number: int) -> str:
    """Return a context object for another recipient, the same one for the same number.

    Of a phone number the last three digits are replaced; an e-mail address gets a tag.
    """
    context = json.loads(body)
    field = parts_of(channel_name(body)).addressing.recipient_field
    recipient = context["frontend_payload"]["recipient_data"]
    local, at, domain = recipient[field].partition("@")
    recipient[field] = f"{local}+{number}@{domain}" if at else f"{local[:-3]}{number % 1000:03}"
    return json.dumps(context)


def company_id(body: str) -> str:
    """Return the company id of a context object; empty if it does not contain one."""
    return text_at(body, "frontend_payload", "company_data", "company_id")


def channel_name(body: str) -> str:
    """Return the name of a context object's channel; empty if it does not contain one."""
    return text_at(body, "frontend_payload", "request_data", "channel_method")


def text_at(body: str, *path: str) -> str:
    """Return a text of a context object; empty if there is none at this path."""
    try:
        value = json.loads(body)
        for name in path:
            value = value[name]
    except (ValueError, LookupError, TypeError):
        return ""
    return value if isinstance(value, str) else ""
