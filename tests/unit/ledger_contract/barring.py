"""The rows of the contract about recipients: who opted out, and who was erased."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from lambda_src.core.contract import Status
from lambda_src.core.errors import RecipientErased, RecipientSuppressed
from lambda_src.core.ports import Conversations
from tests.unit.fakes.clock import START
from tests.unit.fakes.world import KEY
from tests.unit.ledger_contract.probe import CONTEXT, FAILED, RETRY, Tables, found, refuses
from tests.unit.samples import CLAIM, ENTRY, claim, failure

OPTED_OUT = replace(failure(Status.FAILED, "twilio_21610"), suppresses=True)
NEXT = replace(KEY, conversation_id="the next one")
NEXT_CONTEXT = replace(CONTEXT, key=NEXT)
SOMEBODY = replace(KEY, primary_channel="+447700900999")

Erase = Callable[[float], None]


class Barring(Tables):
    """Who is not to be written to."""

    @pytest.fixture
    def suppressed(self, sending: Conversations) -> Conversations:
        """A table in which the vendor said that the recipient opted out."""
        sending.record_failure(CLAIM, OPTED_OUT)
        return sending

    def test_an_opt_out_is_recorded_with_its_conversation(self, suppressed: Conversations) -> None:
        """The record is `failed`, and the recipient's next conversation is not claimed."""
        record = found(suppressed)
        assert record
        assert (Status.FAILED, OPTED_OUT.code) == (record.status, record.failure_code)
        with pytest.raises(RecipientSuppressed):
            suppressed.create(NEXT_CONTEXT, claim(key=NEXT))
        suppressed.record_rejection(NEXT, FAILED, None, START)  # so there was no record yet

    def test_an_opt_out_needs_the_conversation(self, sending: Conversations) -> None:
        """Who lost the conversation suppresses nobody."""
        assert refuses(sending, lambda table: table.record_failure(claim(attempt=2), OPTED_OUT))
        sending.create(NEXT_CONTEXT, claim(key=NEXT))

    def test_an_opt_out_is_recorded_once(self, suppressed: Conversations) -> None:
        """Repeating the write is harmless."""
        suppressed.record_failure(CLAIM, OPTED_OUT)
        with pytest.raises(RecipientSuppressed):
            suppressed.create(NEXT_CONTEXT, claim(key=NEXT))

    def test_an_opt_out_is_the_recipients_alone(self, suppressed: Conversations) -> None:
        """Others are written to as before."""
        suppressed.create(replace(CONTEXT, key=SOMEBODY), claim(key=SOMEBODY))

    def test_a_record_that_stands_goes_first(self, suppressed: Conversations) -> None:
        """A conversation that has come to an end says so, whoever opted out since."""
        assert refuses(suppressed, lambda table: table.create(CONTEXT, claim(owner="owner-2")))

    def test_what_waits_for_its_retry_is_turned_away(self, processing: Conversations) -> None:
        """A record that another conversation's opt-out overtook is not claimed, but ended."""
        processing.record_failure(CLAIM, RETRY)
        seen = found(processing)
        assert seen
        processing.create(NEXT_CONTEXT, claim(key=NEXT))
        processing.record_failure(claim(key=NEXT), OPTED_OUT)

        with pytest.raises(RecipientSuppressed):
            processing.take_over(claim(owner="owner-2", attempt=2), seen)
        assert seen == found(processing)
        processing.turn_away(seen, FAILED)

        record = found(processing)
        assert record
        assert Status.FAILED is record.status

    def test_nobody_is_turned_away_who_is_worked_on(self, processing: Conversations) -> None:
        """A record that changed since it was seen stays as it is."""
        other = replace(ENTRY, status=Status.RETRY)
        assert refuses(processing, lambda table: table.turn_away(other, FAILED))
        other = replace(ENTRY, owner="owner-2")
        assert refuses(processing, lambda table: table.turn_away(other, FAILED))

    def test_what_was_asked_for_before_an_erasure_comes_to_nothing(
        self, conversations: Conversations, erase: Erase
    ) -> None:
        """Neither a claim nor a rejection brings an erased recipient back into the table."""
        erase(START)
        before = claim(asked_at=START - 1)
        with pytest.raises(RecipientErased):
            conversations.create(CONTEXT, before)
        with pytest.raises(RecipientErased):
            conversations.record_rejection(KEY, FAILED, None, START - 1)
        assert found(conversations) is None

    def test_what_is_asked_for_after_an_erasure_is_done(
        self, conversations: Conversations, erase: Erase
    ) -> None:
        """Whoever agreed again is written to again."""
        erase(START)
        conversations.create(CONTEXT, claim(asked_at=START + 0.001))
        record = found(conversations)
        assert record
        assert Status.PROCESSING is record.status

    def test_an_opt_out_survives_an_erasure(self, suppressed: Conversations, erase: Erase) -> None:
        """What was asked for before is erased, what is asked for after is suppressed."""
        erase(START)
        with pytest.raises(RecipientErased):
            suppressed.create(NEXT_CONTEXT, claim(key=NEXT, asked_at=START))
        with pytest.raises(RecipientSuppressed):
            suppressed.create(NEXT_CONTEXT, claim(key=NEXT, asked_at=START + 1))
