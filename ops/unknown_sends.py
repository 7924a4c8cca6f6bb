"""Sends of unknown outcome: what the record and Twilio say, and the two decisions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambda_src.core import OutgoingMessage, SentRecord, Status
from lambda_src.core.time_budget import CLOCK_SKEW_SECONDS
from lambda_src.services.dynamodb_service import ConversationsTable
from lambda_src.services.secret_schemas import TwilioCredentials
from lambda_src.services.secrets_manager_service import ChannelSecrets
from ops import conversations
from ops.credential_checks import TwilioLookup
from ops.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Collection

    from lambda_src.core import Answer, LedgerRecord
    from lambda_src.services.dynamodb import Update
    from ops.conversations import ConversationRecord
    from ops.credential_checks import TwilioMessage
    from ops.deployment import Deployment

LIST_LAG_SECONDS = 3600
"""How long a message may be missing from Twilio's list; Twilio does not document the real lag."""
SID = re.compile(r"(SM|MM)[0-9a-fA-F]{32}")


@dataclass(frozen=True)
class UnknownSend:
    """A conversation that ended `send_unknown`, as it was read.

    Attributes:
        record: Its record.
        ledger: The ledger's view of the record.
        channel: The channel's name.
    """

    record: ConversationRecord
    ledger: LedgerRecord
    channel: str

    @classmethod
    def from_record(cls, record: ConversationRecord, channel: str) -> UnknownSend:
        """Accept a record that is `send_unknown`.

        Raises:
            OperatorError: It is not.
        """
        if record.ledger is None or record.ledger.status is not Status.SEND_UNKNOWN:
            raise OperatorError(f"there is nothing to decide: the record is {record.status}")
        return cls(record, record.ledger, channel)

    @property
    def intent_at(self) -> float:
        """When the intent to send was recorded, in epoch seconds; 0 if the record has none."""
        return self.ledger.intent.at if self.ledger.intent else 0.0

    @property
    def listed_by(self) -> float:
        """When Twilio's list must contain the message if it was accepted, in epoch seconds."""
        deadline = self.ledger.intent.deadline if self.ledger.intent else 0.0
        return max(self.intent_at, deadline) + LIST_LAG_SECONDS

    @property
    def since(self) -> float:
        """Start of the lookup, in epoch seconds."""
        return self.intent_at - CLOCK_SKEW_SECONDS

    @property
    def credentials_reference(self) -> str:
        """Name or ARN of the tenant's Twilio secret."""
        return self._config(f"{self.channel}_credentials_id")

    @property
    def answer(self) -> Answer:
        """The AI's answer that was to be sent.

        Raises:
            OperatorError: The record lacks it.
        """
        if self.ledger.answer is None:
            raise OperatorError(
                "the record lacks the message's text: another program has changed it"
            )
        return self.ledger.answer

    @property
    def message(self) -> OutgoingMessage:
        """The message as Twilio would list it."""
        return OutgoingMessage(
            self._config(f"company_{self.channel}_number"),
            self.ledger.key.primary_channel,
            body=self.answer.text,
            variables=self.answer.variables,
        )

    def mark_sent(
        self, found: TwilioMessage | None, recorded: Collection[str], now: float
    ) -> Update:
        """Return the update that records a message found at Twilio.

        Args:
            found: Twilio's message of the sid; None if there is none.
            recorded: Sids of the recipient's other conversations.
            now: Epoch seconds.

        Raises:
            OperatorError: The message does not belong to this conversation.
        """
        if found is None:
            raise OperatorError("the tenant's Twilio account has no message with that sid")
        if not found.is_to(self.ledger.key.primary_channel):
            raise OperatorError("the message with that sid went to another recipient")
        if found.sid in recorded:
            raise OperatorError("the message with that sid belongs to another conversation")
        duration = round(max(0.0, self.intent_at - self.ledger.created_at) * 1000)
        sent = SentRecord(found.sid, self.answer, self.intent_at, now, duration)
        return conversations.record_sent(self.ledger, sent, self.channel)

    def release(self, candidates: Collection[str], now: float) -> Update:
        """Return the update that releases the conversation for one new send.

        Args:
            candidates: Sids at Twilio that may be this message and belong to no other conversation.
            now: Epoch seconds.

        Raises:
            OperatorError: It may have been sent, or it is too early to decide.
        """
        if candidates:
            raise OperatorError(
                f"Twilio lists {', '.join(sorted(candidates))} with matching content:"
                " check it in Twilio's console, then resolve with --sent"
            )
        if now < self.listed_by:
            minutes = (self.listed_by - now) / 60
            raise OperatorError(
                "too early to decide: Twilio's list may lag. Try again in"
                f" {minutes:.0f} minutes; waiting loses nothing"
            )
        return conversations.release(self.ledger, now)

    def _config(self, name: str) -> str:
        try:
            value: str = self.record.attributes["channel_config"][self.channel][name]
        except (KeyError, TypeError):
            raise OperatorError(
                f"the record lacks {name}: another program has changed it"
            ) from None
        return value


@dataclass(frozen=True)
class Findings:
    """What Twilio and the table say about an unknown send.

    Attributes:
        candidates: Messages at Twilio with matching content, the oldest first.
        recorded: Sids that the recipient's other conversations have.
    """

    candidates: tuple[TwilioMessage, ...]
    recorded: frozenset[str]

    @property
    def unassigned(self) -> frozenset[str]:
        """Sids of the candidates that no other conversation has."""
        return frozenset(found.sid for found in self.candidates) - self.recorded


class VendorLookup:
    """Looks up an unknown send at Twilio, with the runtime's own matching.

    Args:
        deployment: The channel.
        unknown: The send.
    """

    def __init__(self, deployment: Deployment, unknown: UnknownSend) -> None:
        settings = deployment.settings
        self._unknown = unknown
        self._twilio = TwilioLookup(settings.twilio_timeout_seconds, settings.twilio_base_url)
        self._sender = deployment.parts.make_sender(settings)
        self._table = ConversationsTable(
            deployment.aws.dynamodb,
            settings.conversations_table,
            settings.version,
            channel=deployment.channel,
        )
        self._secrets = ChannelSecrets(
            deployment.aws.secretsmanager,
            settings.secret_prefixes,
            deployment.parts.read_credentials,
        )

    def findings(self) -> Findings:
        """Find the messages with matching content, and the sids of other conversations."""
        credentials, unknown = self._credentials, self._unknown
        sids = self._sender.find(credentials, unknown.message, since=unknown.since)
        found = (self._twilio.message(credentials, sid) for sid in sids)
        related = self._table.related_records(unknown.ledger.key)
        recorded = frozenset(record.sid for record in related if record.sid)
        return Findings(tuple(each for each in found if each), recorded)

    def message(self, sid: str) -> TwilioMessage | None:
        """Return one message of the tenant's account; None if there is none."""
        return self._twilio.message(self._credentials, sid)

    @property
    def _credentials(self) -> TwilioCredentials:
        credentials = self._secrets.credentials(self._unknown.credentials_reference)
        if not isinstance(credentials, TwilioCredentials):
            raise OperatorError("only sends through Twilio can be looked up")
        return credentials


def check_sid(sid: str) -> None:
    """Check that a text has the form of a message sid.

    Raises:
        OperatorError: It has not.
    """
    if not SID.fullmatch(sid):
        raise OperatorError("--sent: expected SM or MM and 32 hexadecimal digits")
