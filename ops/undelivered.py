"""Messages that the vendor accepted and did not deliver: by cause, with advice for each.

Such a message is not sent again; only a new conversation of the router writes to its recipient.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lambda_src.core import (
    AccountRefused,
    DeliveryEvent,
    DeliveryStatus,
    ProcessingError,
    RateLimited,
    RecipientOptedOut,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lambda_src.core.ports import Callbacks

STATUSES = (DeliveryStatus.UNDELIVERED, DeliveryStatus.FAILED)
"""The values of `delivery_status` of a message that was not delivered."""
FIELDS = (
    "conversation_id",
    "primary_channel",
    "company_id",
    "delivery_status",
    "delivery_error_code",
    "delivery_updated_at",
)
"""The fields of a record that the report needs."""

UNREACHABLE = "ask the tenant for another number or channel: this one cannot be reached"
SANDBOX = "a sandbox or a trial account writes to its own numbers only: use the tenant's sender"
CONTENT = "compare the template, its limits and its variables with the assistant's definition"
_ADVICE: Mapping[str, tuple[int, ...]] = {
    "use a utility template, or another channel, for US numbers": (63049,),
    "store the tenant's twilio_template_sid (secrets set)": (63016,),
    "try another sender: this one has no route to the recipient": (21612,),
    "do not write again: the recipient or the carrier blocks the sender": (30004,),
    "spam filter: change the text and its links; register the sender": (30007,),
    "use the tenant's own sender: a trial writes to its own numbers only": (21608, 63015),
    "ask the tenant for another number or channel": (
        *(21211, 21604, 21614, 21635, 30003, 30005, 30006, 63003, 63024),
    ),
    "compare the template and its limits with the assistant's definition": (
        *(21602, 21617, 21619, 21654, 21656, 21658, 63005, 63013, 63021),
    ),
}
ADVICE_BY_CODE = {str(code): advice for advice, codes in _ADVICE.items() for code in codes}
"""What an operator does about a code; another one has the advice of its class of errors."""
ADVICE_BY_CLASS: Mapping[type[ProcessingError], str] = {
    RecipientOptedOut: "do not write again: the recipient is suppressed (suppression list)",
    AccountRefused: "others fail as well: docs/runbook.md#vendoraccountrefused",
    RateLimited: "lower maximum_concurrency, or have the sender's limit raised",
}
"""What an operator does about the other codes of a class of errors."""
NO_CODE = "look its message_sid (conversation show) up in the vendor's console"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why messages were not delivered.

    Attributes:
        code: The vendor's code; empty if it reported none.
        meaning: What the code means; empty if it is not known.
        advice: What an operator does.
    """

    code: str
    meaning: str
    advice: str

    @classmethod
    def of(cls, record: Mapping[str, Any], callbacks: Callbacks | None) -> Cause | None:
        """Return the cause by a record's fields; None if its message was not reported as such.

        Args:
            record: The record's attributes, of which `FIELDS` are used.
            callbacks: Classifies the vendor's codes; None if the channel has no callbacks.
        """
        status, code = record.get("delivery_status"), str(record.get("delivery_error_code", ""))
        if status not in STATUSES:
            return None
        if not code or callbacks is None:
            return cls(code, "", NO_CODE)
        error = callbacks.classify(DeliveryEvent("", "", DeliveryStatus(status), code))
        by_class = (text for kind, text in ADVICE_BY_CLASS.items() if isinstance(error, kind))
        explained = f"read https://www.twilio.com/docs/api/errors/{code}"
        advice = ADVICE_BY_CODE.get(code) or next(by_class, explained)
        return cls(code, error.detail, advice)


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A message that was not delivered.

    Attributes:
        record: The fields of its record.
        cause: Why.
    """

    record: Mapping[str, Any]
    cause: Cause

    @property
    def at(self) -> float:
        """When that was reported, in epoch seconds; 0 if the stored time is not ISO 8601."""
        try:
            return datetime.fromisoformat(str(self.record.get("delivery_updated_at"))).timestamp()
        except ValueError:
            return 0.0


def by_cause(found: Iterable[Undelivered]) -> list[dict[str, Any]]:
    """Return one row for each cause, the most frequent first."""
    groups: defaultdict[Cause, list[Undelivered]] = defaultdict(list)
    for each in found:
        groups[each.cause].append(each)
    return [
        {
            "messages": len(group),
            "code": cause.code,
            "companies": len({each.record.get("company_id") for each in group}),
            "meaning": cause.meaning,
            "advice": cause.advice,
        }
        for cause, group in sorted(groups.items(), key=lambda pair: -len(pair[1]))
    ]
