"""The flow where nothing goes wrong: what is written, asked for and sent, and nothing else."""

from dataclasses import replace

import pytest

from lambda_src.core.contract import Status
from lambda_src.core.errors import AlreadyEnded
from lambda_src.core.flow import Outcome
from lambda_src.core.ledger import Intent
from lambda_src.core.message import OutgoingMessage
from lambda_src.core.rejection import RejectedContext
from tests.unit import contexts
from tests.unit.fakes.clock import START
from tests.unit.fakes.conversations import Record
from tests.unit.fakes.world import FIRST_CONTACT, KEY, LEASE, TWILIO, World
from tests.unit.fakes.writer import ANSWER
from tests.unit.samples import failure


def stands(world: World, status: Status) -> None:
    """Let an earlier delivery have left that status."""
    world.conversations.records[KEY] = Record(KEY, status, START, owner="earlier", attempt=1)


def test_a_context_object_becomes_one_message(world: World) -> None:
    """A template message with the AI's variables goes from the company to the recipient."""
    assert Outcome.SENT is world.process()
    expected = OutgoingMessage(
        contexts.SENDER, contexts.RECIPIENT, template_sid="HX1", variables=ANSWER.variables
    )
    assert [expected] == [accepted.message for accepted in world.sender.sent]


def test_a_secret_without_a_template_sends_free_text(world: World) -> None:
    """Where no template is named, the AI's text is the message."""
    credentials = replace(TWILIO, template_sid=None)
    world.secrets.twilio_credentials.stored[contexts.TWILIO_SECRET] = credentials
    world.assistants.definitions["first_contact"] = replace(FIRST_CONTACT, variables={})
    world.writer.answer = replace(ANSWER, text="Hello Amara", variables={})
    world.process()
    expected = OutgoingMessage(contexts.SENDER, contexts.RECIPIENT, body="Hello Amara")
    assert [expected] == [accepted.message for accepted in world.sender.sent]


def test_a_clean_run_writes_three_times(world: World) -> None:
    """Claim, intent with the answer, record: no write more than the rules need."""
    world.process()
    assert ["create", "begin_send", "record_sent"] == world.conversations.writes


def test_a_clean_run_asks_and_tries_once(world: World) -> None:
    """One answer is paid for and one send is tried, with secrets out of the cache."""
    world.process()
    assert (1, 1, []) == (len(world.writer.billed), world.sender.tries, world.secrets.fresh_reads)


def test_the_record_tells_what_was_sent(world: World) -> None:
    """Sid, answer, time and duration stand in the final write."""
    world.while_writing(lambda: world.clock.advance(2.5))
    world.process()
    sent = world.record.sent
    assert sent
    assert (Status.SENT, world.sender.sent[0].sid) == (world.record.status, world.record.sid)
    assert (ANSWER, START + 2.5, 2500) == (sent.answer, sent.sent_at, sent.processing_time_ms)


def test_the_first_record_keeps_the_context(world: World) -> None:
    """The claim carries the context object's attributes into the table."""
    context = contexts.parse(contexts.complete())
    world.assistants.definitions["first_contact"] = FIRST_CONTACT
    world.writer.answer = replace(ANSWER, variables={"1": "Amara"})
    world.process(context)
    assert context.attributes == world.record.attributes


def test_the_intent_stands_before_the_send(world: World) -> None:
    """While the message is under way, the record says so, and until when."""
    seen: list[Record] = []
    world.sender.during = lambda: seen.append(world.record)
    world.process()
    [record] = seen
    assert (Status.SENDING, ANSWER) == (record.status, record.answer)
    assert Intent(START, START + world.timing.send_span) == record.intent


def test_the_lease_is_renewed_while_the_ai_writes(world: World) -> None:
    """With each heartbeat the lease lasts its full length again."""
    expiries: list[float] = []

    def write_slowly() -> None:
        world.clock.advance(25)
        world.heartbeat.beat()
        expiries.append(world.record.lease_expires_at)

    world.while_writing(write_slowly)
    world.process()
    assert [START + 25 + LEASE] == expiries
    assert [] == world.heartbeat.renewal_errors


def test_no_lease_is_renewed_once_the_send_was_announced(world: World) -> None:
    """From the intent on the deadline counts, and no beat writes."""
    world.sender.during = world.heartbeat.beat
    world.process()
    assert "renew" not in world.conversations.writes
    assert {} == world.heartbeat.leases


def test_an_answer_of_an_earlier_attempt_is_sent(world: World) -> None:
    """A conversation in retry with a kept answer is sent without asking the AI again."""
    kept = replace(ANSWER, message_id="resp_kept")
    stands(world, Status.RETRY)
    world.conversations.alter(KEY, answer=kept, failure=failure(Status.RETRY))
    assert Outcome.SENT is world.process(receive_count=2)
    assert ["take_over", "begin_send", "record_sent"] == world.conversations.writes
    assert ([], 1) == (world.writer.billed, len(world.sender.sent))
    assert world.record.sent
    assert "resp_kept" == world.record.sent.answer.message_id


def test_a_sent_message_is_not_sent_again(world: World) -> None:
    """A second delivery of a message that was sent does nothing, and may be deleted."""
    world.process()
    assert Outcome.ALREADY_PROCESSED is world.process(receive_count=2)
    assert (1, 1, 1) == (len(world.sender.sent), len(world.writer.billed), world.sender.tries)


@pytest.mark.parametrize("status", [Status.FAILED, Status.SEND_UNKNOWN])
def test_an_ended_conversation_asks_nobody(world: World, status: Status) -> None:
    """What failed for good, or is for a person to decide, calls neither AI nor vendor."""
    stands(world, status)
    with pytest.raises(AlreadyEnded):
        world.process(receive_count=2)
    assert ([], 0) == (world.writer.billed, world.sender.tries)
    assert (status, []) == (world.record.status, world.conversations.writes)


def test_a_refused_context_is_recorded_where_its_key_is_known(world: World) -> None:
    """A rejection writes `failed`, with its reason and the router's request."""
    rejected = RejectedContext("consent_not_given", [], key=KEY, request_id="request-1")
    world.flow.reject(world.delivery(), rejected)
    assert world.record.failure
    assert (Status.FAILED, "consent_not_given", "parse", "request-1") == (
        world.record.status,
        world.record.failure.code,
        world.record.failure.step,
        world.record.request_id,
    )


def test_a_refused_context_without_a_key_writes_nothing(world: World) -> None:
    """Where nobody can tell whose message it was, the table stays as it is."""
    world.flow.reject(world.delivery(), RejectedContext("body_not_json", []))
    assert {} == world.conversations.records
