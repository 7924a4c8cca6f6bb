"""SES's events: what they report about a message that SES accepted.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html. They are
authentic, since only the configuration set's topic may put them on the events queue.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from lambda_src.core import (
    DeliveryEvent,
    DeliveryStatus,
    PermanentFailure,
    RecipientOptedOut,
    Step,
    VendorEvent,
    decode_reference,
)
from lambda_src.services.ses.request import CONVERSATION_TAG, INTENT_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_src.core import Addressing, ProcessingError

BOUNCES = {
    "General": "bounce_general",
    "NoEmail": "bounce_no_email",
    "Suppressed": "bounce_suppressed",
    "OnAccountSuppressionList": "bounce_on_suppression_list",
    "OnTenantSuppressionList": "bounce_on_suppression_list",
    "UnsubscribedRecipient": "bounce_unsubscribed",
}
"""The error codes of permanent bounces; any other is `bounce_permanent`."""
_OBJECTS = {"Rendering Failure": "failure", "DeliveryDelay": "deliveryDelay"}
"""The object of an event type, where its name differs from the type's in more than case."""
_INTENT = re.compile(r"[A-Za-z0-9_-]{1,256}")


class _Report(NamedTuple):
    status: DeliveryStatus | None = None
    error_code: str = ""
    opted_out: bool = False


class SesEvents:
    """Implements the port `VendorEvents` with SES's events.

    Args:
        addressing: The channel's, for the recipient's address.
    """

    def __init__(self, addressing: Addressing) -> None:
        self._addressing = addressing

    def read(self, document: Mapping[str, Any]) -> VendorEvent | None:
        """Return what an event reports; None if it is not one of a message of this product."""
        try:
            kind, mail = document["eventType"], document["mail"]
            details = document.get(_OBJECTS.get(kind, kind.lower()), {})
            (destination,) = mail["destination"]
            (conversation,) = mail["tags"][CONVERSATION_TAG]
            (intent_id,) = mail["tags"][INTENT_TAG]
            conversation_id = decode_reference(conversation)
            recipient = self._addressing.normalize(destination)
            at = datetime.fromisoformat(details.get("timestamp") or mail["timestamp"])
            message_id = mail["messageId"]
            is_ours = (
                _INTENT.fullmatch(intent_id)
                and message_id
                and isinstance(message_id, str)
                and at.tzinfo is not None
            )
            report = _report(kind, details)
        except (KeyError, ValueError, TypeError, AttributeError):
            return None
        if not is_ours:
            return None
        return VendorEvent(
            conversation_id,
            intent_id,
            DeliveryEvent(recipient, message_id, report.status, report.error_code),
            at.timestamp(),
            report.opted_out,
        )

    def classify(self, event: DeliveryEvent) -> ProcessingError:
        """Return the error of a message that was accepted and then not delivered.

        After a permanent bounce SES itself sends no further message to the address.
        """
        name = f"ses_{event.error_code or event.status}"
        if event.status is DeliveryStatus.UNDELIVERED:
            detail = "the address bounces permanently"
            return RecipientOptedOut(name, Step.DELIVERY, detail)
        return PermanentFailure(name, Step.DELIVERY, "accepted, and then rejected by SES")


def _report(kind: str, details: Mapping[str, Any]) -> _Report:
    match kind:
        case "Delivery":
            return _Report(DeliveryStatus.DELIVERED)
        case "Bounce" if details["bounceType"] == "Permanent":
            code = BOUNCES.get(str(details.get("bounceSubType")), "bounce_permanent")
            return _Report(DeliveryStatus.UNDELIVERED, code)
        case "Reject":
            return _Report(DeliveryStatus.FAILED, "reject")
        case "Rendering Failure":
            return _Report(DeliveryStatus.FAILED, "rendering_failure")
        case "Complaint":
            # A report of not-spam corrects an earlier classification as spam.
            return _Report(opted_out=details.get("complaintFeedbackType") != "not-spam")
    return _Report()
