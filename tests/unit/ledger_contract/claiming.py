"""The rows of the contract up to the intent to send: claim, lease, answer, intent, rejection."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from lambda_src.core.contract import Status
from lambda_src.core.ledger import Claim, Entry, Intent
from lambda_src.core.ports import Conversations
from tests.unit.fakes.clock import START
from tests.unit.fakes.world import KEY
from tests.unit.fakes.writer import ANSWER
from tests.unit.ledger_contract.probe import (
    ANOTHER,
    CONTEXT,
    FAILED,
    RETRY,
    Tables,
    Write,
    found,
    refuses,
)
from tests.unit.samples import CLAIM, ENTRY, INTENT, SENT, claim, entry


class Claiming(Tables):
    """Who may work on a conversation, and what he may write."""

    def test_a_first_claim_makes_the_record(self, conversations: Conversations) -> None:
        """A conversation without a record gets one that is `processing`, with owner and lease."""
        assert refuses(conversations, lambda table: table.renew(CLAIM, START))
        conversations.create(CONTEXT, CLAIM)
        assert found(conversations) == ENTRY

    def test_a_record_is_made_once(self, processing: Conversations) -> None:
        """Whoever claims second learns what the first one left, even if it was himself."""
        assert refuses(processing, lambda table: table.create(CONTEXT, ANOTHER))
        assert refuses(processing, lambda table: table.create(CONTEXT, CLAIM))

    def test_a_record_is_taken_over_as_it_was_seen(self, processing: Conversations) -> None:
        """Taking over writes the new owner, attempt and lease, and keeps the rest."""
        taken = claim(owner="owner-2", attempt=2, lease_expires_at=START + 180.5)
        processing.take_over(taken, ENTRY)
        expected = entry(owner="owner-2", attempt=2, lease_expires_at=START + 180.5)
        assert found(processing) == expected

    @pytest.mark.parametrize(
        "seen",
        [
            entry(status=Status.RETRY),
            entry(owner="owner-0"),
            entry(attempt=2),
            entry(lease_expires_at=START),
        ],
        ids=["status", "owner", "attempt", "lease"],
    )
    def test_a_record_that_changed_is_not_taken_over(
        self, processing: Conversations, seen: Entry
    ) -> None:
        """One worker wins: whoever saw another state than the present one gets nothing."""
        assert refuses(processing, lambda table: table.take_over(ANOTHER, seen))

    def test_a_lease_is_extended(self, processing: Conversations) -> None:
        """Renewing moves the end of the lease, and nothing else."""
        processing.renew(CLAIM, START + 500.25)
        assert found(processing) == entry(lease_expires_at=START + 500.25)

    def test_an_answer_is_kept(self, processing: Conversations) -> None:
        """A checkpoint holds the AI's whole answer; writing it twice is the same as once."""
        processing.store_answer(CLAIM, ANSWER)
        processing.store_answer(CLAIM, ANSWER)
        assert found(processing) == entry(answer=ANSWER)

    def test_a_kept_answer_survives_a_retry_and_a_takeover(self, processing: Conversations) -> None:
        """The answer of an earlier attempt is there for the next one."""
        processing.store_answer(CLAIM, ANSWER)
        processing.record_failure(CLAIM, RETRY)
        retry = found(processing)
        assert retry == entry(status=Status.RETRY, answer=ANSWER, failure_code=RETRY.code)
        assert retry
        processing.take_over(claim(owner="owner-2", attempt=2), retry)
        assert found(processing) == replace(
            retry, status=Status.PROCESSING, owner="owner-2", attempt=2
        )

    def test_a_failure_stands_until_the_message_is_sent(self, processing: Conversations) -> None:
        """A worker that dies after taking over leaves a record that says what failed before."""
        processing.record_failure(CLAIM, RETRY)
        retry = found(processing)
        assert retry
        another = claim(owner="owner-2", attempt=2)
        processing.take_over(another, retry)
        processing.begin_send(another, INTENT, ANSWER)
        record = found(processing)
        assert record
        assert (Status.SENDING, RETRY.code) == (record.status, record.failure_code)
        processing.record_sent(KEY, SENT)
        record = found(processing)
        assert record
        assert (Status.SENT, "") == (record.status, record.failure_code)

    def test_an_intent_is_announced_with_its_answer(self, processing: Conversations) -> None:
        """One write leads to `sending`, with the answer, the intent and no look yet."""
        processing.begin_send(CLAIM, INTENT, ANSWER)
        assert found(processing) == entry(status=Status.SENDING, answer=ANSWER, intent=INTENT)

    def test_an_intent_needs_a_lease_that_lasts(self, processing: Conversations) -> None:
        """A lease that ends as the intent begins is none."""
        late = Intent(CLAIM.lease_expires_at, CLAIM.lease_expires_at + 15)
        assert refuses(processing, lambda table: table.begin_send(CLAIM, late, ANSWER))

    @pytest.mark.parametrize("other", [claim(owner="owner-2"), claim(attempt=2)])
    @pytest.mark.parametrize(
        "write",
        [
            lambda table, other: table.renew(other, START + 500),
            lambda table, other: table.store_answer(other, ANSWER),
            lambda table, other: table.begin_send(other, INTENT, ANSWER),
            lambda table, other: table.record_failure(other, FAILED),
        ],
        ids=["renew", "store_answer", "begin_send", "record_failure"],
    )
    def test_a_claim_of_another_writes_nothing(
        self,
        processing: Conversations,
        write: Callable[[Conversations, Claim], None],
        other: Claim,
    ) -> None:
        """Every write of a worker needs its own owner and its own attempt."""
        assert refuses(processing, lambda table: write(table, other))

    @pytest.mark.parametrize(
        "write",
        [
            lambda table: table.renew(CLAIM, START + 500),
            lambda table: table.store_answer(CLAIM, ANSWER),
            lambda table: table.begin_send(CLAIM, INTENT, ANSWER),
        ],
        ids=["renew", "store_answer", "begin_send"],
    )
    def test_after_the_intent_the_lease_is_done(self, sending: Conversations, write: Write) -> None:
        """Nothing that belongs to `processing` can be written once a send was announced."""
        assert refuses(sending, write)

    def test_a_rejection_makes_a_failed_record(self, conversations: Conversations) -> None:
        """A context object that was refused gets a record that nobody works on."""
        conversations.record_rejection(KEY, FAILED, "request-1", START)
        record = found(conversations)
        assert record
        assert (Status.FAILED, "", 0) == (record.status, record.owner, record.attempt)

    def test_a_rejection_changes_no_record(self, processing: Conversations) -> None:
        """A conversation that is under way is not touched by a message that was refused."""
        assert refuses(processing, lambda table: table.record_rejection(KEY, FAILED, None, START))

    def test_a_released_rejection_is_claimed(
        self, conversations: Conversations, release: Callable[[], None]
    ) -> None:
        """A refused conversation that a person released has no owner, and one worker gets it."""
        conversations.record_rejection(KEY, FAILED, "request-1", START)
        release()
        seen = found(conversations)
        assert seen
        assert (Status.RETRY, "", 0, 0.0) == (
            seen.status,
            seen.owner,
            seen.attempt,
            seen.lease_expires_at,
        )
        conversations.take_over(CLAIM, seen)
        expected = entry(created_at=FAILED.at, failure_code=FAILED.code, channel="")
        assert found(conversations) == expected
        assert refuses(conversations, lambda table: table.take_over(ANOTHER, seen))

    def test_a_released_failure_is_claimed(
        self, processing: Conversations, release: Callable[[], None]
    ) -> None:
        """A failed conversation that a person released goes on from the attempt it had."""
        processing.record_failure(CLAIM, FAILED)
        release()
        seen = found(processing)
        assert seen
        processing.take_over(claim(owner="owner-2", attempt=2), seen)
        expected = entry(owner="owner-2", attempt=2, failure_code=FAILED.code)
        assert found(processing) == expected
