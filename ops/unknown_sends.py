"""Sends of unknown outcome: what the record and the vendor say, and the two decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambda_src.core import DeliveryEvent, OutgoingMessage, SentRecord, Status
from lambda_src.core.delivery.reconciliation import match_sid
from lambda_src.core.time_budget import CLOCK_SKEW_SECONDS
from lambda_src.services.dynamodb_service import ConversationsTable
from ops import conversations
from ops.console import duration
from ops.credential_checks import NamedSecrets
from ops.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from lambda_src.core import Answer, Credentials, LedgerRecord
    from lambda_src.services.dynamodb import Update
    from ops.conversations import ConversationRecord
    from ops.deployment import Deployment

LIST_LAG_SECONDS = 3600
"""How long a message may be missing from a vendor's list; Twilio does not document the real lag."""


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
    def ended_by(self) -> float:
        """When the sender has certainly given up, in epoch seconds; 0 if the record has none."""
        return max(self.intent_at, self.ledger.intent.deadline if self.ledger.intent else 0.0)

    @property
    def since(self) -> float:
        """Start of the lookup, in epoch seconds."""
        return self.intent_at - CLOCK_SKEW_SECONDS

    @property
    def credentials_reference(self) -> str:
        """Name or ARN of the tenant's secret."""
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
        """The message as the vendor would list it."""
        return OutgoingMessage(
            self._config(f"company_{self.channel}_number"),
            self.ledger.key.primary_channel,
            body=self.answer.text,
            variables=self.answer.variables,
            conversation_id=self.ledger.key.conversation_id,
            intent_id=self.ledger.intent.id if self.ledger.intent else "",
            tenant=str(self.record.attributes.get("company_id", "")),
            company_name=str(self.record.attributes.get("company_name", "")),
            channel_config=self._channel_config,
        )

    def mark_sent(self, vendor_id: str, now: float, *, has_lookup: bool) -> Update:
        """Return the update that records the message as sent with that vendor id."""
        duration = round(max(0.0, self.intent_at - self.ledger.created_at) * 1000)
        sent = SentRecord(vendor_id, self.answer, self.intent_at, now, duration)
        return conversations.record_sent(self.ledger, sent, self.channel, has_lookup=has_lookup)

    def release(self, now: float) -> Update:
        """Return the update that releases the conversation for one new send."""
        return conversations.release(self.ledger, now)

    def _config(self, name: str) -> str:
        value = self._channel_config.get(name)
        if not isinstance(value, str):
            raise OperatorError(f"the record lacks {name}: another program has changed it")
        return value

    @property
    def _channel_config(self) -> Mapping[str, Any]:
        config = self.record.attributes.get("channel_config")
        own = config.get(self.channel) if isinstance(config, dict) else None
        return own if isinstance(own, dict) else {}


@dataclass(frozen=True)
class Findings:
    """What the vendor and the table say about an unknown send.

    Attributes:
        vendor: The vendor's name.
        has_list: Whether the vendor lists its messages; otherwise the operator alone decides.
        not_sent_from: From when a message that is not listed was not sent, in epoch seconds.
        candidates: What the vendor has of each message with matching content, the oldest first.
        recorded: Vendor ids that the recipient's other conversations have.
        certain: The one of the candidates that is this conversation's message by the runtime's own
            rule; empty if there is none, or another conversation may have sent it.
    """

    vendor: str
    has_list: bool
    not_sent_from: float
    candidates: tuple[DeliveryEvent, ...]
    recorded: frozenset[str]
    certain: str = ""

    @property
    def unassigned(self) -> frozenset[str]:
        """Ids of the candidates that no other conversation has."""
        return frozenset(found.vendor_id for found in self.candidates) - self.recorded

    def check_not_sent(self, now: float) -> None:
        """Check that nothing contradicts that the message was not sent.

        Args:
            now: Epoch seconds.

        Raises:
            OperatorError: It may have been sent, or it is too early to decide.
        """
        if self.unassigned:
            raise OperatorError(
                f"{self.vendor} lists {', '.join(sorted(self.unassigned))} with matching content:"
                f" check it in the console of {self.vendor}, then resolve with --sent"
            )
        if now < self.not_sent_from:
            reason = (
                f"the list of {self.vendor} may lag" if self.has_list else "it may be under way"
            )
            raise OperatorError(
                f"too early to decide: {reason}. Try again in"
                f" {duration(self.not_sent_from - now)}; waiting loses nothing"
            )


class VendorLookup:
    """Looks up unknown sends at the vendor, with the runtime's own matching.

    The vendor is asked only what it offers: without a list of messages and without a lookup by id,
    the tenants' credentials are not even read. Threads may share one.

    Args:
        deployment: The channel.
    """

    def __init__(self, deployment: Deployment) -> None:
        settings, parts = deployment.settings, deployment.parts
        self._operator, self._has_credentials = parts.operator, parts.has_credentials
        self._sender = parts.make_sender(settings) if parts.has_message_list else None
        lag = deployment.list_lag_seconds
        self._list_lag_seconds = LIST_LAG_SECONDS if lag is None else lag
        self._by_id = parts.make_status_lookup(settings) if parts.make_status_lookup else None
        self._table = ConversationsTable(
            deployment.aws.dynamodb,
            settings.conversations_table,
            settings.version,
            channel=deployment.channel,
        )
        self._secrets = NamedSecrets.of(deployment)

    @property
    def vendor(self) -> str:
        """The vendor's name."""
        return self._operator.vendor

    @property
    def has_list(self) -> bool:
        """Whether the vendor can be asked for its messages."""
        return self._sender is not None

    @property
    def has_status_lookup(self) -> bool:
        """Whether the vendor can be asked for the status of a message."""
        return self._by_id is not None

    def check_id(self, vendor_id: str) -> None:
        """Check that a text has the form of the vendor's ids.

        Raises:
            OperatorError: It has not.
        """
        expected = self._operator.message_id
        if not expected.pattern.fullmatch(vendor_id):
            raise OperatorError(f"--sent: expected {expected.description}")

    def findings(self, unknown: UnknownSend) -> Findings:
        """Find the messages with matching content, and the ids of other conversations."""
        candidates = self._candidates(unknown)
        related = self._table.related_records(unknown.ledger.key)
        return Findings(
            vendor=self.vendor,
            has_list=self.has_list,
            not_sent_from=unknown.ended_by + (self._list_lag_seconds if self._sender else 0.0),
            candidates=candidates,
            recorded=frozenset(record.vendor_id for record in related if record.vendor_id),
            certain=_certain(unknown, candidates, related),
        )

    def is_still_certain(self, unknown: UnknownSend, findings: Findings) -> bool:
        """Return whether the same message is certain, with the table's present content."""
        related = self._table.related_records(unknown.ledger.key)
        return _certain(unknown, findings.candidates, related) == findings.certain

    def check_sent(self, unknown: UnknownSend, vendor_id: str, findings: Findings) -> None:
        """Check that nothing contradicts that the message was sent with that vendor id.

        Raises:
            OperatorError: The vendor does not have it, or it does not belong to this conversation.
        """
        vendor, recipient = findings.vendor, unknown.ledger.key.primary_channel
        if self._by_id:
            found = self._by_id.look_up(self._credentials(unknown), vendor_id)
            if found is None:
                raise OperatorError(f"the tenant's account at {vendor} has no message with that id")
            if found.recipient != recipient:
                raise OperatorError("the message with that id went to another recipient")
        elif findings.has_list and vendor_id not in {
            each.vendor_id for each in findings.candidates
        }:
            raise OperatorError(f"{vendor} lists no message with that id and this content")
        if vendor_id in findings.recorded:
            raise OperatorError("the message with that id belongs to another conversation")

    def _candidates(self, unknown: UnknownSend) -> tuple[DeliveryEvent, ...]:
        if self._sender is None:
            return ()
        credentials = self._credentials(unknown)
        vendor_ids = self._sender.find(credentials, unknown.message, since=unknown.since)
        if self._by_id is None:
            recipient = unknown.ledger.key.primary_channel
            return tuple(DeliveryEvent(recipient, vendor_id, None, "") for vendor_id in vendor_ids)
        found = (self._by_id.look_up(credentials, vendor_id) for vendor_id in vendor_ids)
        return tuple(each for each in found if each)

    def _credentials(self, unknown: UnknownSend) -> Credentials:
        reference = unknown.credentials_reference if self._has_credentials else ""
        return self._secrets.credentials(reference)


def _certain(
    unknown: UnknownSend, candidates: Iterable[DeliveryEvent], related: Sequence[LedgerRecord]
) -> str:
    """Return the one message of the candidates that is the conversation's, or nothing."""
    ids = [found.vendor_id for found in candidates]
    return match_sid(ids, unknown.ledger, related) or ""
