"""The variant whose writes do not ask who holds the conversation."""

from collections.abc import Callable
from dataclasses import replace

from lambda_src.core.ledger import Claim, ConditionFailed, Failure, Intent
from lambda_src.core.message import Answer
from tests.faults.variants.around_conversations import AroundConversations


class Unfenced(AroundConversations):
    """A worker's writes ask for the record's state only: not for its owner, attempt or lease.

    A write that is refused is made again in the name of whoever holds the conversation by now,
    which on any table comes to the same as not asking.
    """

    def renew(self, claim: Claim, expires_at: float) -> None:
        """Extend the lease, whoever's it is."""
        _unasked(claim, lambda holder: self.table.renew(holder, expires_at))

    def store_answer(self, claim: Claim, answer: Answer) -> None:
        """Keep the AI's answer, whoever asked for it."""
        _unasked(claim, lambda holder: self.table.store_answer(holder, answer))

    def begin_send(self, claim: Claim, intent: Intent, answer: Answer) -> None:
        """Announce the send, whoever's turn it is."""
        _unasked(
            claim, lambda holder: self.table.begin_send(holder, _leased(intent, holder), answer)
        )

    def record_failure(self, claim: Claim, failure: Failure) -> None:
        """Write `failed` or `retry`, whoever is at it."""
        _unasked(claim, lambda holder: self.table.record_failure(holder, failure))


def _unasked(claim: Claim, write: Callable[[Claim], None]) -> None:
    try:
        write(claim)
    except ConditionFailed as found:
        held = found.entry
        if held is None:
            raise
        write(
            replace(
                claim,
                owner=held.owner,
                attempt=held.attempt,
                lease_expires_at=held.lease_expires_at,
            )
        )


def _leased(intent: Intent, holder: Claim) -> Intent:
    # Dated back to when the lease was valid, as the table's condition asks for.
    return replace(intent, at=min(intent.at, holder.lease_expires_at - 0.001))
