"""Erase a person: find and delete everything that an environment stores about one recipient.

The recipient is marked first (`Suppressions.mark_erased`), so that no copy of an earlier request
can store anything about them again. Records are deleted next, each after what the vendors store of
it, then messages. All spellings of the recipient are found: those of the channel, and those of
messages that were rejected because of them.

Records with a send in progress stay: a record that is `sending` or `send_unknown` is the only
protection against a second send, and one that a worker holds is about to change.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Self

from lambda_src.core import PHONE, ConditionFailed, RejectedContext, Status, Step
from lambda_src.services.dynamodb import deserialize, items, serialize, spellings
from lambda_src.services.dynamodb_service import map_errors
from ops.errors import OperatorError
from ops.queues import QueueScanner
from ops.suppressions import ERASED, Suppressions
from ops.vendor_copies import FOUND, RECORD_ATTRIBUTES, VendorCopies, VendorCopy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from lambda_src.core import Addressing
    from ops.audit import AuditContext
    from ops.deployment import Deployment
    from ops.queues import QueueMessage

STATE_ATTRIBUTES = ("primary_channel", "conversation_id", "conversation_status", "lease_expires_at")
"""Record attributes that identify a record and decide whether it is in use."""
MIN_DIGITS = 7
"""Least digits by which a number without its country is recognized."""
_NUMBERS = re.compile(
    r"\+?[(\d][\d\s()./\-\u00ad\u200b-\u200f\u2010-\u2015\u2060-\u2064\ufeff]{5,}\d"
)
"""Phone numbers in a text."""


class Likeness(IntEnum):
    """Whether something is about the person, in increasing certainty."""

    OTHER = 0
    SIMILAR = 1
    OWN = 2


@dataclass(frozen=True, slots=True)
class Person:
    """The recipient to erase.

    Attributes:
        addressings: Those of all channels.
        spellings: The recipient's addresses on them; the first is the one that was asked for.
    """

    addressings: tuple[Addressing, ...]
    spellings: tuple[str, ...]

    @classmethod
    def identify(cls, typed: str, addressings: Iterable[Addressing]) -> Self:
        """Return the person with an address as the operator typed it.

        Raises:
            OperatorError: It is no address of any channel.
        """
        addressings = tuple(dict.fromkeys(addressings))
        found: dict[str, None] = {}
        for addressing in addressings:
            try:
                address = addressing.normalize(typed)
            except ValueError:
                continue
            found |= dict.fromkeys(spellings(addressing, address))
        if not found:
            expected = " or ".join(dict.fromkeys(each.recipient.words for each in addressings))
            raise OperatorError(f"the recipient: expected {expected}, found other text")
        return cls(addressings, tuple(found))

    def compare(self, address: str) -> Likeness:
        """Compare with the address of a record or a message, which may be a rejected one."""
        if any(set(spellings(each, address)) & set(self.spellings) for each in self.addressings):
            return Likeness.OWN
        if address.strip().casefold() in {each.casefold() for each in self.spellings}:
            return Likeness.SIMILAR
        if any(re.fullmatch(each.recipient.pattern, address) for each in self.addressings):
            return self._compare_digits(_digits(address))
        return max(self._compare_digits(_digits(address)), self.find_in(address))

    def find_in(self, text: str) -> Likeness:
        """Look for the person in a text, such as a body that cannot be parsed."""
        known = {*self.spellings, *filter(_is_long, self._own_digits)}
        folded = text.casefold()  # a channel's canonical addresses may have another case
        if any(each.casefold() in folded for each in known):
            return Likeness.OWN
        found = (self._compare_digits(_digits(each)) for each in _NUMBERS.findall(text))
        return max(found, default=Likeness.OTHER)

    @property
    def _own_digits(self) -> set[str]:
        return {_digits(each) for each in self.spellings} - {""}

    def _compare_digits(self, digits: str) -> Likeness:
        own = self._own_digits
        if digits in own:
            return Likeness.OWN
        # As dialled within the country, or with its trunk zero after the country's code.
        national = digits.lstrip("0")
        is_national = _is_long(national) and any(each.endswith(national) for each in own)
        with_zero = {f"{each[:at]}0{each[at:]}" for each in own for at in (1, 2, 3)}
        return Likeness.SIMILAR if is_national or digits in with_zero else Likeness.OTHER


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was erased, or would be; contains no personal data.

    Attributes:
        at: Time, ISO 8601.
        who: ARN of the operator.
        why: The reason given, such as the number of the person's request.
        conversations: Ids of the erased records.
        vendors: What OpenAI and the channels' vendors store of the records, and what was done.
        open: Ids of the records that stay until their send, their worker or their vendor is ready.
        removed: Number of deleted messages, by channel and queue.
        in_flight: Number of messages in flight, by channel and queue. They may be theirs;
            those about the person are rejected when they are delivered.
        similar: Conversations and messages that stay, of an address that may be the person's.
        is_similar_kept: Whether the operator decided that those are not the person's.
        suppressed: Channels on which the person's suppression stays.
        earlier: When earlier erasures of the person removed something, ISO 8601.
    """

    at: str
    who: str
    why: str
    conversations: tuple[str, ...] = ()
    vendors: tuple[VendorCopy, ...] = ()
    open: tuple[str, ...] = ()
    removed: Mapping[str, int] = field(default_factory=dict)
    in_flight: Mapping[str, int] = field(default_factory=dict)
    similar: tuple[str, ...] = ()
    is_similar_kept: bool = False
    suppressed: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()

    @property
    def is_found(self) -> bool:
        """Whether the environment knows the person, now or at an earlier erasure."""
        stored = (*self.conversations, *self.open, *self.suppressed, *self.earlier)
        return bool(stored) or any(self.removed.values())

    @property
    def remaining(self) -> tuple[VendorCopy, ...]:
        """What the vendors still store, except what would be deleted."""
        return tuple(each for each in self.vendors if not each.is_deleted and each.outcome != FOUND)

    @property
    def is_complete(self) -> bool:
        """Whether the person was found and nothing is left."""
        is_undecided = bool(self.similar) and not self.is_similar_kept
        is_left = bool(self.open or self.remaining) or any(self.in_flight.values())
        return self.is_found and not is_left and not is_undecided


@dataclass(slots=True)
class Progress:
    """What an erasure has done so far; correct at any moment, so that it may be interrupted.

    The attributes are those of `Receipt`.
    """

    conversations: list[str] = field(default_factory=list)
    vendors: list[VendorCopy] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    removed: dict[str, int] = field(default_factory=dict)
    in_flight: dict[str, int] = field(default_factory=dict)
    similar: list[str] = field(default_factory=list)
    suppressed: list[str] = field(default_factory=list)
    earlier: tuple[str, ...] = ()

    def receipt(self, audit: AuditContext, *, is_similar_kept: bool = False) -> Receipt:
        """Return the receipt of what was done so far."""
        return Receipt(
            at=items.timestamp(audit.at),
            who=audit.who,
            why=audit.why,
            conversations=tuple(self.conversations),
            vendors=tuple(self.vendors),
            open=tuple(self.open),
            removed=self.removed,
            in_flight=self.in_flight,
            similar=tuple(self.similar),
            is_similar_kept=is_similar_kept,
            suppressed=tuple(self.suppressed),
            earlier=self.earlier,
        )


class Erasure:
    """Erases one person from all channels of one environment.

    Args:
        client: A DynamoDB client.
        deployments: Every channel of the environment.
        typed: The person's number or address, as the operator typed it.
        audit: Who erases, why, and when: later requests are not affected.
        includes_similar: Whether what is similar to the address is the person's, too.

    Raises:
        OperatorError: The address is no channel's.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        deployments: Sequence[Deployment],
        typed: str,
        audit: AuditContext,
        *,
        includes_similar: bool = False,
    ) -> None:
        self._client = client
        self._deployments = deployments
        self._table_name = deployments[0].settings.conversations_table
        self._person = Person.identify(typed, (each.parts.addressing for each in deployments))
        self._audit = audit
        self._least = Likeness.SIMILAR if includes_similar else Likeness.OWN
        self._vendors = VendorCopies(*deployments)
        self._suppressions = {
            each.channel: Suppressions(
                client, self._table_name, each.channel, each.parts.addressing
            )
            for each in deployments
        }

    def survey(self) -> Progress:
        """Return what `erase` would erase, without changing anything."""
        found = Progress()
        self._run(found, change=False)
        return found

    def erase(self, progress: Progress) -> None:
        """Erase everything about the person; may be interrupted and repeated.

        Args:
            progress: Updated during the work, for a receipt after an interruption.
        """
        self._mark("erasure begun")
        self._run(progress, change=True)
        removed = sum(progress.removed.values())
        if progress.conversations or removed:
            self._mark(f"{ERASED} {len(progress.conversations)} records, {removed} messages")

    def _mark(self, what: str) -> None:
        for suppressions in self._suppressions.values():
            suppressions.mark_erased(self._person.spellings[0], self._audit, what)

    def _run(self, progress: Progress, *, change: bool) -> None:
        person = self._person.spellings[0]
        known = [(name, each.erasures(person)) for name, each in self._suppressions.items()]
        progress.earlier = tuple(sorted({at for _, times in known for at in times}))
        for record in self._records():
            likeness = self._person.compare(record["primary_channel"])
            if likeness >= self._least:
                self._erase(record, progress, change=change)
            elif likeness:
                progress.similar.append(record["conversation_id"])
        for deployment in self._deployments:
            self._sweep(deployment, progress, change=change)
        progress.suppressed += [
            name for name, each in self._suppressions.items() if each.find(person)
        ]

    def _records(self) -> Iterator[dict[str, Any]]:
        """Yield the records of the person's addresses, then those of all rejected ones."""
        known = self._person.spellings
        for spelling in known:
            yield from self._records_of(spelling)
        # A rejected spelling may be any text, which a query cannot find.
        rows = self._rows(
            "scan",
            ("primary_channel",),
            FilterExpression="attribute_exists(conversation_status)",
        )
        found = filter(self._person.compare, (row["primary_channel"] for row in rows))
        for address in sorted({*found}.difference(known)):
            yield from self._records_of(address)

    def _records_of(self, address: str) -> Iterator[dict[str, Any]]:
        return self._rows(
            "query",
            (*STATE_ATTRIBUTES, *RECORD_ATTRIBUTES),
            KeyConditionExpression="primary_channel = :recipient",
            ExpressionAttributeValues=serialize({":recipient": address}),
            ConsistentRead=True,
        )

    def _rows(
        self, operation: Any, attributes: tuple[str, ...], **options: Any
    ) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator(operation).paginate(
            TableName=self._table_name, ProjectionExpression=", ".join(attributes), **options
        )
        return (deserialize(row) for page in pages for row in page["Items"])

    def _erase(self, record: Mapping[str, Any], progress: Progress, *, change: bool) -> None:
        """Delete a record and what the vendors store of it, unless it is in use."""
        conversation = record["conversation_id"]
        if _is_in_use(record, self._audit.at):
            progress.open.append(conversation)
            return
        if change:
            self._note_find(progress)
        # Before the record, which alone has the ids.
        copies = self._vendors.delete(record) if change else self._vendors.find(record)
        progress.vendors += copies
        is_pending = any(copy.is_temporary for copy in copies)
        if is_pending or (change and not self._delete(record)):
            progress.open.append(conversation)
        else:
            progress.conversations.append(conversation)

    def _note_find(self, progress: Progress) -> None:
        """Note a find before its erasure, so that the next one knows of an interrupted one."""
        if not progress.conversations and not any(progress.removed.values()):
            self._mark(f"{ERASED} something was found")

    def _delete(self, record: Mapping[str, Any]) -> bool:
        """Delete a record unless it is in use by now; return whether it is deleted."""
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
                            ":now": items.to_decimal(self._audit.at),
                        }
                    ),
                ),
            )
        except ConditionFailed:
            return False
        return True

    def _sweep(self, deployment: Deployment, progress: Progress, *, change: bool) -> None:
        sqs = deployment.aws.sqs
        for name, url in deployment.queues.items():
            queue, scanner = f"{deployment.channel} {name}", QueueScanner(sqs, url)
            is_shared = url == deployment.settings.handoff_queue_url
            progress.removed[queue] = 0
            with scanner:
                for message in (message for batch in scanner.batches() for message in batch):
                    if is_shared and deployment.is_other_channels(message.body):
                        continue
                    likeness = self._compare(message, deployment)
                    if likeness >= self._least:
                        if change:
                            self._note_find(progress)
                            scanner.delete(message)
                        progress.removed[queue] += 1
                    elif likeness:
                        progress.similar.append(f"message {message.message_id} in {queue}")
            progress.in_flight[queue] = scanner.in_flight()

    def _compare(self, message: QueueMessage, deployment: Deployment) -> Likeness:
        """Compare a message's recipient.

        A message to another recipient that mentions the person is not theirs. A message without a
        readable recipient can never be sent, and is theirs if it contains a spelling.
        """
        event = deployment.parse_event(message.body)
        if event.recipient:
            return self._person.compare(event.recipient)
        try:
            key = deployment.parse(message.body).key
        except RejectedContext as rejected:
            if rejected.key is None:
                return self._person.find_in(message.body)
            key = rejected.key
        return self._person.compare(key.primary_channel)


def _digits(text: str) -> str:
    """Return the digits of a phone number as people type it; empty for other text."""
    digits = PHONE.tidy(text).removeprefix("+")
    return digits if digits.isascii() and digits.isdecimal() else ""


def _is_long(digits: str) -> bool:
    return len(digits) >= MIN_DIGITS


def _is_in_use(record: Mapping[str, Any], now: float) -> bool:
    status = record.get("conversation_status")
    is_leased = status == Status.PROCESSING and float(record.get("lease_expires_at", 0)) > now
    return is_leased or status in {Status.SENDING, Status.SEND_UNKNOWN}
