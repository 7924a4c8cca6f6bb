"""What every implementation of the port `Conversations` does, be it a fake or on DynamoDB.

A test class inherits `LedgerContract` and gives the fixture `conversations`.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from lambda_src.core.contract import Status
from lambda_src.core.ledger import Claim, ConditionFailed, Entry, Intent
from lambda_src.core.ports import Conversations
from tests.unit import contexts
from tests.unit.fakes.clock import START
from tests.unit.fakes.world import KEY
from tests.unit.fakes.writer import ANSWER
from tests.unit.samples import CLAIM, ENTRY, INTENT, SENT, claim, entry, failure

CONTEXT = contexts.parse(contexts.complete())
ANOTHER = claim(owner="owner-2")
RETRY, FAILED, UNKNOWN = map(failure, (Status.RETRY, Status.FAILED, Status.SEND_UNKNOWN))

Write = Callable[[Conversations], None]


def found(conversations: Conversations) -> Entry | None:
    """What the table says of the conversation, by way of a write whose condition fails."""
    with pytest.raises(ConditionFailed) as failed:
        conversations.renew(claim(owner="nobody"), START)
    return failed.value.entry


def refuses(conversations: Conversations, write: Write) -> bool:
    """Whether the write fails by its condition, leaving the record as it was."""
    before = found(conversations)
    with pytest.raises(ConditionFailed) as failed:
        write(conversations)
    return before == failed.value.entry == found(conversations)


class LedgerContract:
    """The ledger's table of conditional writes, row by row."""

    @pytest.fixture
    def processing(self, conversations: Conversations) -> Conversations:
        """A table in which `CLAIM` holds the conversation."""
        conversations.create(CONTEXT, CLAIM)
        return conversations

    @pytest.fixture
    def sending(self, processing: Conversations) -> Conversations:
        """A table in which `CLAIM` has announced its send."""
        processing.begin_send(CLAIM, INTENT, ANSWER)
        return processing

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
        assert found(processing) == entry(owner="owner-2", attempt=2, answer=ANSWER)

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

    def test_a_sid_is_recorded_whoever_holds_the_lease(self, sending: Conversations) -> None:
        """The final write ends the conversation: sid in, answer and lease gone."""
        sending.record_sent(KEY, SENT)
        record = found(sending)
        assert record
        assert (Status.SENT, "SM1", None) == (record.status, record.sid, record.answer)

    def test_a_sid_is_recorded_over_an_unknown_send(self, sending: Conversations) -> None:
        """A late sid repairs a record that was given up as `send_unknown`."""
        sending.declare_unknown(KEY, UNKNOWN, ENTRY)
        sending.record_sent(KEY, SENT)
        record = found(sending)
        assert record
        assert Status.SENT is record.status

    def test_a_sid_needs_an_announced_send(self, processing: Conversations) -> None:
        """A record that is `processing`, or sent already, takes no sid."""
        assert refuses(processing, lambda table: table.record_sent(KEY, SENT))
        processing.begin_send(CLAIM, INTENT, ANSWER)
        processing.record_sent(KEY, SENT)
        again = replace(SENT, sid="SM2")
        assert refuses(processing, lambda table: table.record_sent(KEY, again))

    def test_failures_are_recorded_before_and_after_the_intent(
        self, sending: Conversations
    ) -> None:
        """A send that was refused for certain leaves `sending`; repeating the write is harmless."""
        sending.record_failure(CLAIM, RETRY)
        sending.record_failure(CLAIM, RETRY)
        record = found(sending)
        assert record
        assert Status.RETRY is record.status
        assert refuses(sending, lambda table: table.record_failure(CLAIM, FAILED))

    def test_a_rejection_makes_a_failed_record(self, conversations: Conversations) -> None:
        """A context object that was refused gets a record that nobody works on."""
        conversations.record_rejection(KEY, FAILED, "request-1")
        record = found(conversations)
        assert record
        assert (Status.FAILED, "", 0) == (record.status, record.owner, record.attempt)

    def test_a_rejection_changes_no_record(self, processing: Conversations) -> None:
        """A conversation that is under way is not touched by a message that was refused."""
        assert refuses(processing, lambda table: table.record_rejection(KEY, FAILED, None))

    def test_looks_are_counted(self, sending: Conversations) -> None:
        """A look counts one up from what was seen, while the send is still the same."""
        sending.count_look(KEY, ENTRY)
        record = found(sending)
        assert record
        assert record.looks == 1
        other = entry(owner="owner-2")
        assert refuses(sending, lambda table: table.count_look(KEY, other))

    def test_an_unknown_send_is_declared_by_who_saw_it(self, sending: Conversations) -> None:
        """`send_unknown` needs the send that was seen; declaring it twice is harmless."""
        other = entry(owner="owner-2")
        assert refuses(sending, lambda table: table.declare_unknown(KEY, UNKNOWN, other))
        sending.declare_unknown(KEY, UNKNOWN, ENTRY)
        sending.declare_unknown(KEY, UNKNOWN, ENTRY)
        record = found(sending)
        assert record
        assert Status.SEND_UNKNOWN is record.status

    @pytest.mark.parametrize("end", ["sending", "send_unknown", "sent"])
    def test_others_are_told_of_a_send(self, sending: Conversations, end: str) -> None:
        """A conversation that has a sid, or may yet get one, is told to the recipient's others."""
        if end == "send_unknown":
            sending.declare_unknown(KEY, UNKNOWN, ENTRY)
        if end == "sent":
            sending.record_sent(KEY, SENT)
        expected = found(sending)
        assert expected
        another = replace(KEY, conversation_id="another")
        assert (replace(expected, failure_code=""),) == sending.others(another)

    def test_others_are_not_told_of_what_was_not_sent(self, processing: Conversations) -> None:
        """A conversation that has announced no send is no concern of the others."""
        another = replace(KEY, conversation_id="another")
        assert () == processing.others(another)
        processing.record_failure(CLAIM, FAILED)
        assert () == processing.others(another)

    def test_others_are_the_recipients_and_not_oneself(self, sending: Conversations) -> None:
        """Neither the conversation itself nor anybody else's is among its others."""
        assert () == sending.others(KEY)
        assert () == sending.others(replace(KEY, primary_channel="+15550100999"))
