"""A send whose outcome nobody knows: what is known of it, and the two ways out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambda_src.core.contract import Status
from lambda_src.core.ledger import Entry, SentRecord
from lambda_src.core.message import Answer, OutgoingMessage
from lambda_src.core.timing import SKEW_SECONDS
from ops import register_writes as writes
from ops.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Collection

    from lambda_src.services.dynamodb_update import Update
    from ops.register import Record
    from ops.twilio_lookup import Listed

LIST_LAG_SECONDS = 3600
"""For so long after a send its absence from Twilio's list proves nothing; how long the list really
lags is not documented."""
SID = re.compile(r"(SM|MM)[0-9a-fA-F]{32}")


@dataclass(frozen=True)
class UnknownSend:
    """A conversation that ended `send_unknown`, as it was read.

    Attributes:
        record: Its record.
        entry: The ledger's reading of it.
        channel: The channel's name.
    """

    record: Record
    entry: Entry
    channel: str

    @classmethod
    def of(cls, record: Record, channel: str) -> UnknownSend:
        """Take a record that waits for a decision.

        Raises:
            OperatorError: It does not.
        """
        if record.entry is None or record.entry.status is not Status.SEND_UNKNOWN:
            raise OperatorError(f"nothing is to be decided: the record says {record.status}")
        return cls(record, record.entry, channel)

    @property
    def announced_at(self) -> float:
        """When the send was announced, in epoch seconds; 0 where the record does not say."""
        return self.entry.intent.at if self.entry.intent else 0.0

    @property
    def listed_by(self) -> float:
        """When Twilio must list the message if it has it, in epoch seconds."""
        deadline = self.entry.intent.deadline if self.entry.intent else 0.0
        return max(self.announced_at, deadline) + LIST_LAG_SECONDS

    @property
    def since(self) -> float:
        """Since when to look, in epoch seconds."""
        return self.announced_at - SKEW_SECONDS

    @property
    def credentials_reference(self) -> str:
        """The tenant's Twilio secret."""
        return self._config(f"{self.channel}_credentials_id")

    @property
    def answer(self) -> Answer:
        """What was to be sent.

        Raises:
            OperatorError: The record does not hold it any more.
        """
        if self.entry.answer is None:
            raise OperatorError("the record does not hold what was to be sent: others changed it")
        return self.entry.answer

    @property
    def message(self) -> OutgoingMessage:
        """The message as Twilio would list it."""
        return OutgoingMessage(
            self._config(f"company_{self.channel}_number"),
            self.entry.key.primary_channel,
            body=self.answer.text,
            variables=self.answer.variables,
        )

    def sent(self, found: Listed | None, taken: Collection[str], now: float) -> Update:
        """The change that records a message found at Twilio.

        Args:
            found: What Twilio has of the sid; None if nothing.
            taken: Sids of the recipient's other conversations.
            now: Epoch seconds.

        Raises:
            OperatorError: That message is not this conversation's.
        """
        if found is None:
            raise OperatorError("the tenant's Twilio account has no message of that sid")
        if not found.is_to(self.entry.key.primary_channel):
            raise OperatorError("the message of that sid went to somebody else")
        if found.sid in taken:
            raise OperatorError("the message of that sid is recorded as another conversation's")
        duration = round(max(0.0, self.announced_at - self.entry.created_at) * 1000)
        sent = SentRecord(found.sid, self.answer, self.announced_at, now, duration)
        return writes.record_sent(self.entry, sent)

    def not_sent(self, candidates: Collection[str], now: float) -> Update:
        """The change that releases the conversation for one new send.

        Args:
            candidates: Sids at Twilio that may be this message, and are no other conversation's.
            now: Epoch seconds.

        Raises:
            OperatorError: It may have been sent, or it is too early to tell.
        """
        if candidates:
            raise OperatorError(
                f"Twilio has {', '.join(sorted(candidates))}, which reads like this message:"
                " look at it in the console, and resolve with --sent"
            )
        if now < self.listed_by:
            minutes = (self.listed_by - now) / 60
            raise OperatorError(
                f"too early to tell: Twilio's list may lag, so come back in {minutes:.0f} minutes;"
                " nothing is lost by waiting"
            )
        return writes.release(self.entry, now)

    def _config(self, name: str) -> str:
        try:
            value: str = self.record.attributes["channel_config"][self.channel][name]
        except (KeyError, TypeError):
            raise OperatorError(f"the record does not hold {name}: others changed it") from None
        return value


def check_sid(sid: str) -> None:
    """Make sure that a text is a message's sid.

    Raises:
        OperatorError: It is none.
    """
    if not SID.fullmatch(sid):
        raise OperatorError("--sent: expected SM or MM and 32 hexadecimal digits")
