"""Twilio's status callbacks: what they report, and whether they are Twilio's.

https://www.twilio.com/docs/messaging/guides/track-outbound-message-status and
https://www.twilio.com/docs/usage/security#validating-requests
"""

from __future__ import annotations

import re
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from twilio.request_validator import RequestValidator

from lambda_src.core import (
    PHONE,
    DeliveryEvent,
    DeliveryStatus,
    DropReason,
    PermanentFailure,
    Step,
)
from lambda_src.services.twilio.errors import CODES, NO_REFUSALS, Refusal, classify

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lambda_src.core import Callback, ProcessingError
    from lambda_src.services.secrets_manager_service import TwilioCredentials

MAX_PARAMETERS = 200
"""Twilio sends about twenty, and adds others without notice."""
MESSAGE_SID = re.compile(r"[SM]M[0-9a-fA-F]{32}")
ERROR_CODE = re.compile(r"[1-9][0-9]{3,5}")

STATUSES = {
    **dict.fromkeys(("accepted", "scheduled", "queued", "sending"), DeliveryStatus.QUEUED),
    "sent": DeliveryStatus.SENT,
    "delivered": DeliveryStatus.DELIVERED,
    "read": DeliveryStatus.READ,
    "undelivered": DeliveryStatus.UNDELIVERED,
    **dict.fromkeys(("failed", "canceled"), DeliveryStatus.FAILED),
}


class TwilioCallbacks:
    """Implements the port `Callbacks` with Twilio's status callbacks.

    Args:
        prefix: What precedes a recipient's number in `To`.
        refusals: The channel's own error codes.
    """

    def __init__(self, prefix: str = "", refusals: Mapping[int, Refusal] = NO_REFUSALS) -> None:
        self._prefix = prefix
        self._refusals = refusals

    def read(self, callback: Callback) -> DeliveryEvent | None:
        """Return what a callback reports, before it is verified; None if it is unreadable."""
        form = _parse_form(callback.body)
        to, sid, status = (form.single(name) for name in ("To", "MessageSid", "MessageStatus"))
        is_number = to.startswith(self._prefix) and re.fullmatch(
            PHONE.pattern, to.removeprefix(self._prefix)
        )
        if not is_number or not MESSAGE_SID.fullmatch(sid) or not status:
            return None
        return self.event(to, sid, status, form.single("ErrorCode"))

    def event(self, to: str, sid: str, status: str, code: str) -> DeliveryEvent:
        """Return what Twilio reports about a message, in the runtime's terms."""
        return DeliveryEvent(
            recipient=to.removeprefix(self._prefix),
            vendor_id=sid,
            status=STATUSES.get(status),
            error_code=code if ERROR_CODE.fullmatch(code) else "",
        )

    def verify(self, credentials: TwilioCredentials, callback: Callback) -> DropReason | None:
        """Return why a callback is not Twilio's about a message of that account, or None.

        The signature covers the exact URL and every parameter.
        """
        form = _parse_form(callback.body)
        if not credentials.auth_token:
            return DropReason.NO_TOKEN
        if form.single("AccountSid") != credentials.account_sid:
            return DropReason.FOREIGN_ACCOUNT
        validator = RequestValidator(credentials.auth_token)  # type: ignore[no-untyped-call]
        is_valid = validator.validate(callback.url, form, callback.signature)  # type: ignore[no-untyped-call]
        return None if is_valid else DropReason.SIGNATURE_INVALID

    def classify(self, event: DeliveryEvent) -> ProcessingError:
        """Return the error of a message that was accepted and then not delivered."""
        code = int(event.error_code or 0)
        if code in self._refusals or code in CODES:
            return classify(HTTPStatus.BAD_REQUEST, code, Step.DELIVERY, self._refusals)
        name = f"twilio_{event.error_code or event.status}"
        return PermanentFailure(name, Step.DELIVERY, "accepted, and not delivered")


class _Form:
    """A form's parameters, several of one name included, as the SDK's validator reads them."""

    def __init__(self, parameters: Sequence[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in parameters:
            self._values.setdefault(name, []).append(value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def getall(self, name: str) -> list[str]:
        """Return every value of a parameter."""
        return self._values[name]

    def single(self, name: str) -> str:
        """Return a parameter's only value; empty if there is none or several."""
        values = self._values.get(name, [])
        return values[0] if len(values) == 1 else ""


@lru_cache(maxsize=16)  # a callback is read, and then verified once or twice
def _parse_form(body: str) -> _Form:
    """Parse a form's body; one that is not a form is empty."""
    try:
        return _Form(
            parse_qsl(body, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
        )
    except ValueError:
        return _Form(())
