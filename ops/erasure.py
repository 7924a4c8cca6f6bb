"""Erase a person: find and delete everything that an environment stores about one recipient.

The recipient is marked first (`Suppressions.mark_erased`), so that no copy of an earlier request
can store anything about them again. Records are deleted next, then messages.

Records with a send in progress stay: a record that is `sending` or `send_unknown` is the only
protection against a second send, and one that a worker holds is about to change.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lambda_src.core import ConditionFailed, RejectedContext, Status, Step
from lambda_src.services.dynamodb import deserialize, items, map_errors, serialize
from ops.queues import QueueScanner
from ops.suppressions import Suppressions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from lambda_src.core import ContextObject
    from ops.audit import AuditContext
    from ops.deployment import Deployment
    from ops.queues import QueueMessage

RECEIPT_ATTRIBUTES = (
    "conversation_id",
    "conversation_status",
    "thread_id",
    "message_sid",
    "lease_expires_at",
)
"""Record attributes that are read: ids and states, which a receipt may contain."""


@dataclass(frozen=True, slots=True)
class ErasureTarget:
    """A channel that may store something about a person.

    Attributes:
        channel: The channel's name, such as `whatsapp`.
        queues: The channel's queue and dead-letter queue, by their names in the receipt.
        parse: Parses a body as the deployed function does.
    """

    channel: str
    queues: Mapping[str, QueueScanner]
    parse: Callable[[str], ContextObject]

    @classmethod
    def of(cls, deployment: Deployment) -> ErasureTarget:
        """Return the target of a deployed channel."""
        sqs = deployment.aws.sqs
        queues = {
            "queue": QueueScanner(sqs, deployment.settings.queue_url),
            "dead letters": QueueScanner(sqs, deployment.dead_letter_queue_url),
        }
        return cls(deployment.channel, queues, deployment.parse)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was erased, or would be; contains no personal data.

    Attributes:
        at: Time, ISO 8601.
        who: ARN of the operator.
        why: The reason given, such as the number of the person's request.
        conversations: Ids of the erased records.
        threads: Ids of what OpenAI stores of them; the operator deletes it there.
        messages: Sids of what Twilio stores of them; the operator deletes it there.
        open: Ids of the records that stay until their send or their worker has ended.
        removed: Number of deleted messages, by channel and queue.
        in_flight: Number of messages in flight, by channel and queue. They may be about anybody;
            those about the person are rejected when they are delivered.
        suppressed: Channels on which the person's suppression stays.
    """

    at: str
    who: str
    why: str
    conversations: tuple[str, ...] = ()
    threads: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    removed: Mapping[str, int] = field(default_factory=dict)
    in_flight: Mapping[str, int] = field(default_factory=dict)
    suppressed: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left; if not, the erasure must be repeated later."""
        return not self.open and not any(self.in_flight.values())


@dataclass(slots=True)
class Progress:
    """What an erasure has done so far; correct at any moment, so that it may be interrupted.

    Attributes:
        erased: Deleted records, by `RECEIPT_ATTRIBUTES`.
        open: Records that stay for now, likewise.
        removed: Number of deleted messages, by channel and queue.
        in_flight: Number of messages in flight, by channel and queue.
        suppressed: Channels on which the person's suppression stays.
    """

    erased: list[Mapping[str, Any]] = field(default_factory=list)
    open: list[Mapping[str, Any]] = field(default_factory=list)
    removed: dict[str, int] = field(default_factory=dict)
    in_flight: dict[str, int] = field(default_factory=dict)
    suppressed: list[str] = field(default_factory=list)

    def receipt(self, audit: AuditContext) -> Receipt:
        """Return the receipt of what was done so far."""
        return Receipt(
            at=items.timestamp(audit.at),
            who=audit.who,
            why=audit.why,
            conversations=_values(self.erased, "conversation_id"),
            threads=_values(self.erased, "thread_id"),
            messages=_values(self.erased, "message_sid"),
            open=_values(self.open, "conversation_id"),
            removed=self.removed,
            in_flight=self.in_flight,
            suppressed=tuple(self.suppressed),
        )


class Erasure:
    """Erases recipients from all channels of one environment.

    Args:
        client: A DynamoDB client.
        table_name: The conversations table.
        targets: Every channel of the environment.
    """

    def __init__(
        self, client: DynamoDBClient, table_name: str, targets: Sequence[ErasureTarget]
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._targets = targets

    def survey(self, recipient: str, audit: AuditContext) -> Receipt:
        """Return what `erase` would erase, without changing anything."""
        found = Progress()
        self._run(recipient, audit, found, change=False)
        return found.receipt(audit)

    def erase(
        self, recipient: str, audit: AuditContext, progress: Progress | None = None
    ) -> Receipt:
        """Erase everything about a recipient; may be interrupted and repeated.

        Args:
            recipient: Number (E.164) or address; a number is also searched without its plus sign.
            audit: Who erases, why, and when: later requests are not affected.
            progress: Updated during the work, for a receipt after an interruption.
        """
        progress = progress or Progress()
        self._mark(recipient, audit, "erasure begun")
        self._run(recipient, audit, progress, change=True)
        removed = sum(progress.removed.values())
        self._mark(recipient, audit, f"erased: {len(progress.erased)} records, {removed} messages")
        return progress.receipt(audit)

    def _mark(self, recipient: str, audit: AuditContext, what: str) -> None:
        for target in self._targets:
            self._suppressions(target).mark_erased(recipient, audit, what)

    def _run(
        self, recipient: str, audit: AuditContext, progress: Progress, *, change: bool
    ) -> None:
        spellings = _spellings(recipient)
        for record in [record for each in spellings for record in self._records(each)]:
            progress.erased.append(record)  # before the delete: its ids are stored nowhere else
            if not self._erase(record, audit.at, change=change):
                progress.open.append(progress.erased.pop())
        self._sweep(spellings, progress, change=change)
        progress.suppressed += [
            target.channel for target in self._targets if self._suppressions(target).find(recipient)
        ]

    def _suppressions(self, target: ErasureTarget) -> Suppressions:
        return Suppressions(self._client, self._table_name, target.channel)

    def _records(self, recipient: str) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression="primary_channel = :recipient",
            ProjectionExpression=", ".join(("primary_channel", *RECEIPT_ATTRIBUTES)),
            ExpressionAttributeValues=serialize({":recipient": recipient}),
            ConsistentRead=True,
        )
        return (deserialize(row) for page in pages for row in page["Items"])

    def _erase(self, record: Mapping[str, Any], now: float, *, change: bool) -> bool:
        """Delete a record unless it is in use; return whether it is deleted, or would be."""
        if not change:
            return not _is_in_use(record, now)
        key = {name: record[name] for name in ("primary_channel", "conversation_id")}
        try:
            map_errors(
                Step.RECORD,
                lambda: self._client.delete_item(
                    TableName=self._table_name,
                    Key=serialize(key),
                    ConditionExpression="NOT conversation_status IN (:sending, :unknown)"
                    " AND (NOT conversation_status = :processing OR lease_expires_at <= :now)",
                    ExpressionAttributeValues=serialize(
                        {
                            ":sending": Status.SENDING,
                            ":unknown": Status.SEND_UNKNOWN,
                            ":processing": Status.PROCESSING,
                            ":now": items.to_decimal(now),
                        }
                    ),
                ),
            )
        except ConditionFailed:
            return False
        return True

    def _sweep(self, spellings: Sequence[str], progress: Progress, *, change: bool) -> None:
        for target in self._targets:
            for name, scanner in target.queues.items():
                queue = f"{target.channel} {name}"
                progress.removed[queue] = 0
                with scanner:
                    messages = (message for batch in scanner.batches() for message in batch)
                    for message in messages:
                        if not _is_about(message, spellings, target.parse):
                            continue
                        if change:
                            scanner.delete(message)
                        progress.removed[queue] += 1
                progress.in_flight[queue] = scanner.in_flight()


def _spellings(recipient: str) -> tuple[str, ...]:
    """Return how records and messages may spell a recipient: rejected ones lack the plus sign."""
    plain = recipient.strip()
    return (plain, plain[1:]) if plain.startswith("+") else (plain,)


def _is_about(
    message: QueueMessage, spellings: Sequence[str], parse: Callable[[str], ContextObject]
) -> bool:
    """Return whether a message is addressed to a recipient.

    A message to another recipient that mentions the person is not. A message without a readable
    recipient can never be sent, and is about the person if it contains a spelling.
    """
    try:
        key = parse(message.body).key
    except RejectedContext as rejected:
        if rejected.key is None:
            return any(spelling in message.body for spelling in spellings)
        key = rejected.key
    return key.primary_channel in spellings


def _is_in_use(record: Mapping[str, Any], now: float) -> bool:
    status = record.get("conversation_status")
    is_leased = status == Status.PROCESSING and float(record.get("lease_expires_at", 0)) > now
    return is_leased or status in {Status.SENDING, Status.SEND_UNKNOWN}


def _values(records: Sequence[Mapping[str, Any]], name: str) -> tuple[str, ...]:
    return tuple(str(record[name]) for record in records if record.get(name))
