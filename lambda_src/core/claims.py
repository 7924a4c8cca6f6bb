"""Claiming a conversation: one worker at a time, and nobody after the message was sent."""

from dataclasses import dataclass, replace

from lambda_src.core.context import ContextObject
from lambda_src.core.contract import Status
from lambda_src.core.errors import (
    AlreadyEnded,
    BusyElsewhere,
    LeaseLost,
    RecipientSuppressed,
    RecordForeign,
    Step,
    TransientFailure,
)
from lambda_src.core.ledger import Claim, ConditionFailed, Decision, Entry, Intent, decide
from lambda_src.core.message import Answer
from lambda_src.core.ports import Clock, Conversations


@dataclass(frozen=True, slots=True)
class Claims:
    """The ledger's writes around a claim; `lease_seconds` is how long one lasts unrenewed."""

    conversations: Conversations
    clock: Clock
    lease_seconds: float

    def take(self, context: ContextObject, owner: str, asked_at: float) -> Claim | Entry:
        """Claim the conversation for the delivery `owner` of what was asked for at that time.

        Returns:
            The claim, or the entry of a conversation whose message is sent or `sending`.

        Raises:
            RecordForeign: The conversation is another channel's.
            BusyElsewhere: Another worker holds a live lease.
            AlreadyEnded: The record is `failed` or `send_unknown`.
            RecipientSuppressed: The recipient opted out; tells the record that stands, if one does.
            RecipientErased: The recipient was erased since then.
            ProcessingError: The table did not answer, or took the record for too large.
        """
        now = self.clock()
        claim = Claim(context.key, owner, 1, now + self.lease_seconds, now, asked_at=asked_at)
        try:
            self.conversations.create(context, claim)
        except ConditionFailed as found:
            _check_channel(found.entry, context.channel)
            return self._take_existing(claim, found.entry, races=3)
        return claim

    def _take_existing(self, claim: Claim, entry: Entry | None, races: int) -> Claim | Entry:
        if entry is None or races == 0:
            raise TransientFailure("claim_contended", Step.CLAIM)
        match decide(entry, claim.owner, claim.started_at):
            case Decision.GO_ON:
                return replace(claim, attempt=entry.attempt, answer=entry.answer)
            case Decision.TAKE_OVER:
                return self._take_over(claim, entry, races)
            case Decision.WAIT:
                rest = entry.lease_expires_at - claim.started_at
                raise BusyElsewhere("lease_held", Step.CLAIM, again_in=rest)
            case Decision.GIVE_UP:
                raise AlreadyEnded(f"already_{entry.status}", Step.CLAIM)
            case Decision.SETTLE | Decision.ACKNOWLEDGE:
                return entry

    def _take_over(self, claim: Claim, seen: Entry, races: int) -> Claim | Entry:
        taken = replace(
            claim,
            attempt=seen.attempt + 1,
            answer=seen.answer,
            last_failure=seen.failure_code,
        )
        try:
            self.conversations.take_over(taken, seen)
        except ConditionFailed as found:
            return self._take_existing(claim, found.entry, races - 1)
        except RecipientSuppressed as suppressed:
            suppressed.seen = seen
            raise
        return taken

    def renew(self, claim: Claim) -> float:
        """Extend the lease from now on, and return when it ends, in epoch seconds.

        Raises:
            LeaseLost: The conversation is another worker's by now.
        """
        expires_at = self.clock() + self.lease_seconds
        try:
            self.conversations.renew(claim, expires_at)
        except ConditionFailed as found:
            raise LeaseLost("lease_lost", Step.CLAIM) from found
        return expires_at

    def announce(self, claim: Claim, intent: Intent, answer: Answer) -> None:
        """Write down that the message is about to be sent, and with it the answer.

        The answer's checkpoint and the intent are one write: nothing happens between them.

        Raises:
            LeaseLost: The conversation is another worker's by now; nothing may be sent.
        """
        try:
            self.conversations.begin_send(claim, intent, answer)
        except ConditionFailed as found:
            if not _is_own(found.entry, claim, Status.SENDING):
                raise LeaseLost("lease_lost", Step.SEND) from found

    def keep_answer(self, claim: Claim, answer: Answer) -> None:
        """Keep an answer that cannot be sent this time, so that it is not asked for again.

        Raises:
            LeaseLost: The conversation is another worker's by now.
        """
        try:
            self.conversations.store_answer(claim, answer)
        except ConditionFailed as found:
            raise LeaseLost("lease_lost", Step.AI) from found


def _check_channel(entry: Entry | None, channel: str) -> None:
    # A phone has one key on several channels: what one of them sent, another did not.
    if entry and not entry.may_be_on(channel):
        detail = f"channel_method: expected {channel}, found another channel"
        raise RecordForeign("record_of_another_channel", Step.CLAIM, detail)


def _is_own(entry: Entry | None, claim: Claim, status: Status) -> bool:
    # The SDK repeats a write whose answer was lost; its condition then finds the write itself.
    return bool(entry and entry.status is status and entry.owner == claim.owner)
