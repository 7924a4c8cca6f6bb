"""Erasing a person: everything that the system keeps about one recipient, found and removed.

Marks come first (`Suppressions.mark_erased`): from then on nothing that was asked for before brings
the recipient back, wherever a copy of it still travels. Then records go, then messages.

What may just be on its way to the person stays: a record that is `sending` or `send_unknown` is all
that keeps its message from being sent twice, and one that a worker holds is about to change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lambda_src.core.contract import Status
from lambda_src.core.errors import Step
from lambda_src.core.ledger import ConditionFailed
from lambda_src.services import conversation_item as item
from lambda_src.services.dynamodb_errors import translated
from lambda_src.services.dynamodb_values import deserialized, serialized
from ops.erasure_matching import is_for, spellings_of
from ops.erasure_receipt import Progress
from ops.suppressions import Suppressions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from lambda_src.core.context import ContextObject
    from ops.erasure_receipt import Receipt
    from ops.letters import Letter, Letters
    from ops.register_writes import Signature

SHOWN = ("conversation_id", "conversation_status", "thread_id", "message_sid", "lease_expires_at")
"""What is read of a record, and may stand in a receipt: ids and states."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a channel may keep something about a person.

    Attributes:
        channel: Such as `whatsapp`.
        queues: The channel's queue and its dead-letter queue, by what a receipt calls them.
        parse: As the deployed function reads bodies.
    """

    channel: str
    queues: Mapping[str, Letters]
    parse: Callable[[str], ContextObject]


class Erasure:
    """Erases recipients from one environment, on all of its channels.

    Args:
        client: A DynamoDB client.
        table_name: The conversations table.
        places: Every channel of the environment.
    """

    def __init__(self, client: DynamoDBClient, table_name: str, places: Sequence[Place]) -> None:
        self._client = client
        self._table_name = table_name
        self._places = places

    def survey(self, recipient: str, signature: Signature) -> Receipt:
        """What `erase` would erase; nothing is changed."""
        found = Progress()
        self._go(recipient, signature, found, change=False)
        return found.receipt(signature)

    def erase(self, recipient: str, signature: Signature, done: Progress | None = None) -> Receipt:
        """Erase everything that is kept about a recipient; safe to interrupt, and to repeat.

        Args:
            recipient: The number (E.164) or address; it is looked for without its plus, too.
            signature: Who does so, why, and when: what is asked for later is not touched.
            done: Follows what is done, for whoever wants to know should it be called off.
        """
        done = done or Progress()
        self._mark(recipient, signature, "erasure begun")
        self._go(recipient, signature, done, change=True)
        what = f"erased: {len(done.erased)} records, {sum(done.removed.values())} messages"
        self._mark(recipient, signature, what)
        return done.receipt(signature)

    def _mark(self, recipient: str, signature: Signature, what: str) -> None:
        for place in self._places:
            self._suppressions(place).mark_erased(recipient, signature, what)

    def _go(self, recipient: str, signature: Signature, found: Progress, *, change: bool) -> None:
        spellings = spellings_of(recipient)
        for record in [record for each in spellings for record in self._records(each)]:
            found.erased.append(record)  # before it goes: afterwards its ids stand nowhere else
            if not self._erase(record, signature, change=change):
                found.open.append(found.erased.pop())
        self._sweep(spellings, found, change=change)
        found.suppressed += [
            place.channel for place in self._places if self._suppressions(place).find(recipient)
        ]

    def _suppressions(self, place: Place) -> Suppressions:
        return Suppressions(self._client, self._table_name, place.channel)

    def _records(self, recipient: str) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression="primary_channel = :recipient",
            ProjectionExpression=", ".join(("primary_channel", *SHOWN)),
            ExpressionAttributeValues=serialized({":recipient": recipient}),
            ConsistentRead=True,
        )
        return (deserialized(row) for page in pages for row in page["Items"])

    def _erase(self, record: Mapping[str, Any], signature: Signature, *, change: bool) -> bool:
        """Erase a record that nothing is under way for; whether there is none any more."""
        if not change:
            return not _is_open(record, signature.at)
        key = {name: record[name] for name in ("primary_channel", "conversation_id")}
        try:
            translated(
                Step.RECORD,
                lambda: self._client.delete_item(
                    TableName=self._table_name,
                    Key=serialized(key),
                    ConditionExpression="NOT conversation_status IN (:sending, :unknown)"
                    " AND (NOT conversation_status = :processing OR lease_expires_at <= :now)",
                    ExpressionAttributeValues=serialized(
                        {
                            ":sending": Status.SENDING,
                            ":unknown": Status.SEND_UNKNOWN,
                            ":processing": Status.PROCESSING,
                            ":now": item.number(signature.at),
                        }
                    ),
                ),
            )
        except ConditionFailed:
            return False
        return True

    def _sweep(self, spellings: Sequence[str], found: Progress, *, change: bool) -> None:
        for place in self._places:
            for name, letters in place.queues.items():
                queue = f"{place.channel} {name}"
                found.removed[queue] = 0
                with letters:
                    for letter in _of_person(letters, spellings, place):
                        if change:
                            letters.remove(letter)
                        found.removed[queue] += 1
                found.in_flight[queue] = letters.in_flight()


def _of_person(letters: Letters, spellings: Sequence[str], place: Place) -> Iterator[Letter]:
    for batch in letters.batches():
        yield from (letter for letter in batch if is_for(letter, spellings, place.parse))


def _is_open(record: Mapping[str, Any], now: float) -> bool:
    status = record.get("conversation_status")
    is_held = status == Status.PROCESSING and float(record.get("lease_expires_at", 0)) > now
    return is_held or status in {Status.SENDING, Status.SEND_UNKNOWN}
