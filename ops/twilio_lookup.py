"""What Twilio tells about an account and its messages; nothing here sends."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from lambda_src.core.errors import Step
from lambda_src.services.twilio_errors import meaning
from lambda_src.services.twilio_http import PhasedHttpClient
from lambda_src.services.twilio_service import FAILURES
from ops.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from lambda_src.services.secret_forms import TwilioCredentials

T = TypeVar("T")


@dataclass(frozen=True)
class Listed:
    """A message as Twilio has it; `to` is its address there."""

    sid: str
    status: str
    created: datetime | None
    to: str

    def is_to(self, recipient: str) -> bool:
        """Whether it went to a number, on whatever channel."""
        return self.to.rpartition(":")[2] == recipient


class TwilioLookup:
    """Asks Twilio with a tenant's credentials.

    Args:
        timeout: Seconds for each request.
        base_url: Scheme and host of a local server, or empty.
    """

    def __init__(self, timeout: float, base_url: str) -> None:
        self._http_client = PhasedHttpClient(timeout, base_url)

    def message(self, credentials: TwilioCredentials, sid: str) -> Listed | None:
        """A message by its sid; None if the account has none of it.

        Raises:
            ProcessingError: Twilio refuses the request.
            OperatorError: Twilio cannot be asked.
        """
        found = _asked(lambda: self._client(credentials).messages(sid).fetch())
        if found is None:
            return None
        return Listed(str(found.sid), str(found.status), found.date_created, str(found.to))

    def account_status(self, credentials: TwilioCredentials) -> str:
        """The account's status, `active` if all is well; the cheapest call that proves a token.

        Raises:
            ProcessingError: Twilio refuses the credentials.
            OperatorError: Twilio cannot be asked.
        """
        client = self._client(credentials)
        account = _asked(lambda: client.api.accounts(credentials.account_sid).fetch())
        return str(account.status) if account else "missing"

    def _client(self, credentials: TwilioCredentials) -> Client:
        return Client(  # type: ignore[no-untyped-call]
            credentials.account_sid, credentials.auth_token, http_client=self._http_client
        )


def _asked(call: Callable[[], T]) -> T | None:
    try:
        return call()
    except TwilioRestException as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return None
        raise meaning(error.status, error.code, Step.SETTLE) from None
    except FAILURES as error:
        raise OperatorError(f"Twilio cannot be asked now: {type(error).__name__}") from None
