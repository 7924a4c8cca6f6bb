"""Variants that mistake who may work on a conversation."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import ClassVar

from lambda_src.core.claims import Claims
from lambda_src.core.context import ContextObject
from lambda_src.core.contract import Status
from lambda_src.core.delivery import Delivery
from lambda_src.core.errors import BusyElsewhere
from lambda_src.core.flow import MessageFlow, Outcome
from lambda_src.core.ledger import Claim, ConditionFailed, Entry, Intent
from lambda_src.core.message import Answer
from lambda_src.core.ports import Conversations, Heartbeat
from tests.faults.variants.around_conversations import AroundConversations

Misreading = Callable[[Claim, Entry], Entry]
"""What a claim takes the record that it found for."""


class Misread(AroundConversations):
    """A record that stands in a claim's way is taken for another."""

    def __init__(self, table: Conversations, misreading: Misreading) -> None:
        super().__init__(table)
        self._misreading = misreading

    def create(self, context: ContextObject, claim: Claim) -> None:
        """Write the first record."""
        with self._misread(claim):
            super().create(context, claim)

    def take_over(self, claim: Claim, seen: Entry) -> None:
        """Hold a record as it was seen."""
        with self._misread(claim):
            super().take_over(claim, seen)

    @contextmanager
    def _misread(self, claim: Claim) -> Iterator[None]:
        try:
            yield
        except ConditionFailed as found:
            entry = self._misreading(claim, found.entry) if found.entry else None
            raise ConditionFailed(entry) from found


def as_held(claim: Claim, found: Entry) -> Entry:
    """A lease that has lapsed is still another worker's."""
    if found.status is not Status.PROCESSING:
        return found
    return replace(found, lease_expires_at=max(found.lease_expires_at, claim.lease_expires_at))


def as_sent(_claim: Claim, found: Entry) -> Entry:
    """Any record there is means that the message was sent."""
    return replace(found, status=Status.SENT)


class NeverRenewed(AroundConversations):
    """A lease lasts as long as it was given for, however long the work takes."""

    def renew(self, claim: Claim, expires_at: float) -> None:
        """Leave the lease as it is."""


class BusyAcknowledged(MessageFlow):
    """What another worker is at is left to it for good."""

    def process(self, delivery: Delivery, context: ContextObject, heartbeat: Heartbeat) -> Outcome:
        """Bring one delivery to its end."""
        try:
            return super().process(delivery, context, heartbeat)
        except BusyElsewhere:
            return Outcome.ALREADY_PROCESSED


class TakenOverAnyway(Claims):
    """A conversation that is to be left alone is claimed like one in `retry`."""

    taken_over: ClassVar[Status]

    def _take_existing(self, claim: Claim, entry: Entry | None, races: int) -> Claim | Entry:
        if entry and entry.status is self.taken_over and races:
            return self._take_over(claim, entry, races)
        return super()._take_existing(claim, entry, races)


class SendingTakenOver(TakenOverAnyway):
    """A send whose outcome is not recorded counts as one that did not happen."""

    taken_over = Status.SENDING


class UnknownTakenOver(TakenOverAnyway):
    """A dead letter that is redriven needs no person to release its conversation."""

    taken_over = Status.SEND_UNKNOWN


class Unclaimed(AroundConversations):
    """Nothing is written before the AI is asked: the first record is made with the announcement."""

    def __init__(self, table: Conversations) -> None:
        super().__init__(table)
        self._owed: dict[str, tuple[ContextObject, Claim]] = {}

    def create(self, context: ContextObject, claim: Claim) -> None:
        """Write nothing yet."""
        self._owed[claim.owner] = (context, claim)

    def begin_send(self, claim: Claim, intent: Intent, answer: Answer) -> None:
        """Write the first record, and announce the send."""
        if owed := self._owed.pop(claim.owner, None):
            super().create(*owed)
        super().begin_send(claim, intent, answer)
