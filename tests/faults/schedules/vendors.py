"""The AI and the channel's vendor in memory, as several workers meet them."""

from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

from lambda_src.core.message import Answer, Assignment, OutgoingMessage
from lambda_src.services.secret_forms import TwilioCredentials
from tests.unit.fakes.sender import Accepted, FakeSender
from tests.unit.fakes.writer import ANSWER, FakeWriter

if TYPE_CHECKING:
    from tests.unit.fakes.clock import FakeClock


class Vendor(FakeSender):
    """The channel's vendor, whose list may lag behind what it accepted."""

    def __init__(self, clock: "FakeClock", auth_token: str) -> None:
        super().__init__(clock, auth_token)
        self._listed_until = inf

    @property
    def is_lagging(self) -> bool:
        """Whether the list leaves out what is accepted from some time on."""
        return self._listed_until < inf

    def lag(self) -> None:
        """List nothing that is accepted from now on."""
        self._listed_until = self._clock()

    def catch_up(self) -> None:
        """List all that was accepted."""
        self._listed_until = inf

    def accept_foreign(self, message: OutgoingMessage) -> None:
        """Accept a message of somebody else to one of our recipients."""
        self.sent.append(Accepted(f"SM-foreign-{len(self.sent)}", message, self._clock()))

    def find(
        self, credentials: TwilioCredentials, message: OutgoingMessage, *, since: float
    ) -> tuple[str, ...]:
        """The sids of that message since then, as far as the list has caught up."""
        late = {a.sid for a in self.sent if a.at >= self._listed_until}
        found = super().find(credentials, message, since=since)
        return tuple(sid for sid in found if sid not in late)


class Ai(FakeWriter):
    """The AI, which writes the same to everybody, or to each conversation its own."""

    is_original = False

    def write(self, api_key: str, assignment: Assignment) -> Answer:
        """Write one message."""
        written = super().write(api_key, assignment)
        if not self.is_original:
            return written
        text = f"About {assignment.metadata['conversation_id']}: when may we call?"
        return replace(written, variables={**ANSWER.variables, "2": text})
