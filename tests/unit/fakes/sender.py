"""The channel's vendor in memory: accepts messages, lists them, fails as it is told to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambda_src.core.errors import CredentialsRefused, Step
from lambda_src.core.send_errors import SendOutcomeUnknown
from tests.unit.fakes.faults import Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_src.core.message import OutgoingMessage
    from lambda_src.services.secret_forms import TwilioCredentials
    from tests.unit.fakes.clock import FakeClock


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message that reached the phone, and when it was accepted (epoch seconds)."""

    sid: str
    message: OutgoingMessage
    at: float

    def is_same(self, message: OutgoingMessage) -> bool:
        """Whether it is that message: same numbers, text and variables."""
        return _content(self.message) == _content(message)


class FakeSender:
    """Implements the port `Sender`.

    `sent` is what the phones show, `tries` counts requests to send, `is_listing` tells whether the
    list has caught up with what was accepted, `during` happens while a message is under way.
    """

    def __init__(self, clock: FakeClock, auth_token: str) -> None:
        self.auth_token = auth_token
        self.sent: list[Accepted] = []
        self.tries = 0
        self.is_listing = True
        self.during: Callable[[], object] = lambda: None
        self._clock = clock
        self._faults: Plan[Exception] = Plan()
        self._lost_answers: Plan[bool] = Plan()

    def fail(self, error: Exception, times: int = 1) -> None:
        """Let the next sends go wrong before anything is accepted."""
        self._faults.add("send", error, times)

    def fail_listing(self, error: Exception) -> None:
        """Let the next look at the list go wrong."""
        self._faults.add("find", error)

    def lose_answer(self) -> None:
        """Let the next send be accepted, and its answer be lost."""
        self._lost_answers.add("send", fault=True)

    def send(self, credentials: TwilioCredentials, message: OutgoingMessage) -> str:
        """Accept a message, if nothing else was asked for."""
        self.tries += 1
        self.during()
        self._begin("send", credentials)
        sid = f"SM{len(self.sent) + 1:032d}"
        self.sent.append(Accepted(sid, message, self._clock()))
        if self._lost_answers.pop("send"):
            raise SendOutcomeUnknown("twilio_answer_lost", Step.SEND)
        return sid

    def find(
        self,
        credentials: TwilioCredentials,
        message: OutgoingMessage,
        *,
        since: float,
    ) -> tuple[str, ...]:
        """The sids of that message since then, if the list has caught up."""
        self._begin("find", credentials)
        found = tuple(a.sid for a in self.sent if a.at >= since and a.is_same(message))
        return found if self.is_listing else ()

    def _begin(self, call: str, credentials: TwilioCredentials) -> None:
        if error := self._faults.pop(call):
            raise error
        if credentials.auth_token != self.auth_token:
            raise CredentialsRefused("twilio_20003", Step.SEND)


def _content(message: OutgoingMessage) -> tuple[str, str, str, dict[str, str]]:
    # Without the template's sid, which the vendor's list does not tell.
    return message.sender, message.recipient, message.body, dict(message.variables)
