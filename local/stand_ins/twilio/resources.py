"""Twilio's JSON of accounts and messages.

https://www.twilio.com/docs/messaging/api/message-resource and
https://www.twilio.com/docs/iam/api/account. The account's token is left out.
"""

from decimal import Decimal
from email.utils import formatdate
from typing import Any

from local.stand_ins.twilio.addresses import is_whatsapp
from local.stand_ins.twilio.delivery import Progress, progress
from local.stand_ins.twilio.errors import words_of
from local.stand_ins.twilio.messages import Message
from local.stand_ins.twilio.segments import segment_count
from local.stand_ins.twilio.settings import TwilioSettings

API = "/2010-04-01"
PRICE = Decimal("0.0079")
"""Made-up dollars of a segment."""


def account_resource(account_sid: str) -> dict[str, Any]:
    """The JSON of an account."""
    uri = f"{API}/Accounts/{account_sid}"
    epoch = formatdate(0)
    return {
        "sid": account_sid,
        "friendly_name": "Stand-in account",
        "status": "active",
        "type": "Full",
        "owner_account_sid": account_sid,
        "date_created": epoch,
        "date_updated": epoch,
        "uri": f"{uri}.json",
        "subresource_uris": {"messages": f"{uri}/Messages.json"},
    }


def message_resource(message: Message, now: float, settings: TwilioSettings) -> dict[str, Any]:
    """The JSON of a message as it stands.

    Args:
        message: The message.
        now: Seconds since the epoch.
        settings: When messages are sent and delivered.
    """
    reached = progress(message, now, settings)
    uri = f"{API}/Accounts/{message.account_sid}/Messages/{message.sid}"
    return {
        "sid": message.sid,
        "account_sid": message.account_sid,
        "messaging_service_sid": message.order.service or None,
        "api_version": API.strip("/"),
        "direction": "outbound-api",
        "to": message.order.to,
        "from": _sender(message, reached),
        "body": message.order.body,
        "num_media": str(message.order.media_count),
        "num_segments": str(_segments(message)),
        "status": reached.status,
        "error_code": reached.error_code,
        "error_message": reached.error_code and words_of(reached.error_code),
        "price": None if reached.sent is None else _price(message),
        "price_unit": "USD",
        "date_created": _rfc2822(message.created),
        "date_updated": _rfc2822(reached.updated),
        "date_sent": None if reached.sent is None else _rfc2822(reached.sent),
        "uri": f"{uri}.json",
        "subresource_uris": {"media": f"{uri}/Media.json"},
    }


def _segments(message: Message) -> int:
    return 1 if is_whatsapp(message.order.to) else segment_count(message.order.body)


def _sender(message: Message, reached: Progress) -> str | None:
    # A messaging service chooses the sender when it sends.
    return None if message.order.service and reached.sent is None else message.order.sender


def _price(message: Message) -> str:
    return f"-{PRICE * _segments(message):.5f}"


def _rfc2822(seconds: float) -> str:
    return formatdate(int(seconds)).replace("-0000", "+0000")
