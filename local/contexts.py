"""Context objects to send: read from files, and varied."""

import json
from pathlib import Path
from typing import Any

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


def example(name: str, *, conversation_id: str, recipient: str) -> str:
    """Return an example context object with a conversation and a recipient of its own.

    Args:
        name: of the file in `examples/contexts`, without its extension.
        conversation_id: replaces the example's, if it has one.
        recipient: E.164 phone number that replaces the example's.
    """
    context: dict[str, Any] = json.loads(read_context(paths.EXAMPLE_CONTEXTS / f"{name}.json"))
    if "conversation_data" in context:
        context["conversation_data"]["conversation_id"] = conversation_id
    context["frontend_payload"]["recipient_data"]["recipient_tel"] = recipient
    return json.dumps(context)


def company_id(body: str) -> str:
    """Return the company id of a context object; empty if it does not contain one."""
    try:
        company = json.loads(body)["frontend_payload"]["company_data"]["company_id"]
    except (ValueError, KeyError, TypeError):
        return ""
    return company if isinstance(company, str) else ""
