"""What may befall a channel between two deliveries, or during one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from tests.services.channel import CONVERSATION, Channel


@contextmanager
def refused(channel: Channel, operation: str, code: str, *, containing: str = "") -> Iterator[None]:
    """Let the table refuse an operation whose request holds a text."""

    def refuse(params: dict[str, Any], **_: object) -> None:
        if containing in str(params["body"]):
            raise ClientError({"Error": {"Code": code, "Message": "made to fail"}}, operation)

    name = f"before-call.dynamodb.{operation}"
    events = channel.table_client().meta.events
    events.register(name, refuse)
    try:
        yield
    finally:
        events.unregister(name, refuse)


def lapse_the_sender(channel: Channel, conversation: str = CONVERSATION) -> None:
    """Let the time pass in which the announced send may still be under way."""
    channel.set_fields(conversation, send_deadline=0)
