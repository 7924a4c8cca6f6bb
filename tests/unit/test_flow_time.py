"""The flow against the clock: leases that end, workers that stall, functions that run out."""

import pytest

from lambda_src.core.contract import Status
from lambda_src.core.errors import CredentialsRefused, LeaseLost, Step, TransientFailure
from lambda_src.core.flow import Outcome
from lambda_src.core.timing import STALL_SECONDS
from lambda_src.services.secret_forms import TwilioCredentials
from tests.unit.fakes.clock import START
from tests.unit.fakes.conversations import Record
from tests.unit.fakes.secrets import FakeSecrets
from tests.unit.fakes.world import FUNCTION_TIMEOUT, KEY, LEASE, World
from tests.unit.fakes.writer import ANSWER


def test_a_lease_taken_over_while_the_ai_writes_sends_nothing(world: World) -> None:
    """Who lost the conversation leaves the record alone, and the message to its new owner."""
    theirs = Record(KEY, Status.PROCESSING, START, owner="other", attempt=2)
    world.while_writing(lambda: world.conversations.records.update({KEY: theirs}))
    with pytest.raises(LeaseLost):
        world.process()
    assert (theirs, 0) == (world.record, world.sender.tries)


def test_a_lease_that_lapsed_sends_nothing(world: World) -> None:
    """Nobody took over, but somebody may: the intent is not written."""
    world.while_writing(lambda: world.clock.advance(LEASE))
    with pytest.raises(LeaseLost):
        world.process()
    assert (Status.PROCESSING, 0) == (world.record.status, world.sender.tries)


def test_a_failure_after_a_lost_lease_is_not_recorded(world: World) -> None:
    """Another worker's record does not get our reason."""
    theirs = Record(KEY, Status.PROCESSING, START, owner="other", attempt=2)
    world.while_writing(lambda: world.conversations.records.update({KEY: theirs}))
    world.writer.fail(TransientFailure("openai_500", Step.AI))
    with pytest.raises(TransientFailure):
        world.process()
    assert theirs == world.record


def test_a_worker_that_stalls_after_its_intent_does_not_send(world: World) -> None:
    """A send begun late could still be under way when others already look for it."""
    world.conversations.before["begin_send"] = lambda: world.clock.advance(STALL_SECONDS + 0.1)
    with pytest.raises(TransientFailure, match="stalled_before_send"):
        world.process()
    assert (Status.RETRY, 0) == (world.record.status, world.sender.tries)


def test_a_worker_that_is_in_time_sends(world: World) -> None:
    """Up to the allowed stall, the send goes out."""
    world.conversations.before["begin_send"] = lambda: world.clock.advance(STALL_SECONDS)
    assert Outcome.SENT is world.process()


def test_a_second_try_with_a_fresh_secret_is_in_time_or_not_made(world: World) -> None:
    """Too late for a second try: the refusal is told, which calls a person; no secret is read."""
    world.sender.during = lambda: world.clock.advance(STALL_SECONDS + 0.1)
    world.sender.fail(CredentialsRefused("twilio_20003", Step.SEND))
    with pytest.raises(CredentialsRefused):
        world.process()
    assert (Status.RETRY, 1, []) == (world.record.status, world.sender.tries, world.sender.sent)
    assert [] == world.secrets.fresh_reads


def test_a_fresh_secret_that_comes_too_late_is_not_tried(world: World) -> None:
    """The second try must be in time as well: here the secret took too long."""
    secrets = world.secrets

    class SlowSecrets(FakeSecrets):
        def credentials(self, reference: str, *, fresh: bool = False) -> TwilioCredentials:
            world.clock.advance((STALL_SECONDS + 0.1) * fresh)
            return secrets.credentials(reference, fresh=fresh)

    world.secrets = SlowSecrets()
    world.secrets.openai_keys = secrets.openai_keys
    world.sender.fail(CredentialsRefused("twilio_20003", Step.SEND))
    with pytest.raises(CredentialsRefused):
        world.process()
    assert (Status.RETRY, 1) == (world.record.status, world.sender.tries)


def test_a_delivery_without_time_claims_nothing(world: World) -> None:
    """Too late for a send: the message comes back at once, and the table is not touched."""
    world.clock.advance(FUNCTION_TIMEOUT - world.timing.claim_reserve + 0.1)
    with pytest.raises(TransientFailure) as late:
        world.process()
    assert ("out_of_time", 0) == (late.value.code, late.value.again_in)
    assert {} == world.conversations.records


def test_an_answer_that_comes_too_late_is_kept_for_the_next_delivery(world: World) -> None:
    """No time left for the send: the answer is stored, the record says retry."""
    world.function_ends_at = START + world.timing.send_reserve + 30
    world.while_writing(lambda: world.clock.advance(30.5))
    with pytest.raises(TransientFailure) as late:
        world.process()
    assert ("out_of_time", 0) == (late.value.code, late.value.again_in)
    assert (Status.RETRY, ANSWER, 0) == (
        world.record.status,
        world.record.answer,
        world.sender.tries,
    )


def test_a_kept_answer_is_sent_by_the_next_delivery(world: World) -> None:
    """The AI is asked and billed once, whichever delivery sends."""
    world.function_ends_at = START + world.timing.send_reserve + 30
    world.while_writing(lambda: world.clock.advance(30.5))
    with pytest.raises(TransientFailure):
        world.process()
    world.begin_invocation()
    assert Outcome.SENT is world.process(receive_count=2)
    assert (1, 1) == (len(world.writer.billed), len(world.sender.sent))


def test_a_late_answer_of_a_lost_lease_is_not_kept(world: World) -> None:
    """An answer is kept by who holds the conversation, or not at all."""
    theirs = Record(KEY, Status.PROCESSING, START, owner="other", attempt=2)

    def lose_the_lease_and_time() -> None:
        world.clock.advance(FUNCTION_TIMEOUT - 1)
        world.conversations.records[KEY] = theirs

    world.while_writing(lose_the_lease_and_time)
    with pytest.raises(LeaseLost):
        world.process()
    assert theirs == world.record


def test_the_reserve_covers_the_send_and_its_record(world: World) -> None:
    """What is kept back is enough for a stall, the vendor's timeout and the final write."""
    assert world.timing.send_reserve > STALL_SECONDS + world.timing.twilio_timeout
    assert world.timing.send_span > STALL_SECONDS + world.timing.twilio_timeout
