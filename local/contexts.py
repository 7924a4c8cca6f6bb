"""Context objects to send: read from files, and varied."""

import json
import re
from pathlib import Path
from typing import Any

from local import paths
from local.errors import LocalCloudError

EXAMPLE = paths.EXAMPLE_CONTEXTS / "whatsapp.json"

GROUP_ID = re.compile(r"[!-~]{1,128}")
"""What SQS takes as a message group's id: letters, digits and punctuation of ASCII.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""


def read_context(path: Path) -> str:
    """Read a context object's file.

    Returns:
        Its text, as it goes on the queue.

    Raises:
        LocalCloudError: there is no such file, or it holds no JSON; the text says where.
    """
    try:
        text = path.read_text("utf-8")
        json.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise LocalCloudError(f"cannot read the context object {path}: {reason}") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise LocalCloudError(f"{path} is not JSON: {error.msg} at {where}") from error
    return text


def example(name: str, *, conversation_id: str, recipient: str) -> str:
    """An example context object, as a conversation of its own.

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


def message_group(body: str) -> str | None:
    """The message group of a context object: its company, so that the queue is fair to each.

    Returns:
        The company's id, as a router sets it; None where there is none that SQS takes. A message
        without a group counts as a company of its own.
    """
    try:
        company = json.loads(body)["frontend_payload"]["company_data"]["company_id"]
    except (ValueError, KeyError, TypeError):
        return None
    return company if isinstance(company, str) and GROUP_ID.fullmatch(company) else None
