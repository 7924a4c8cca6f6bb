"""A batch of deliveries: each fails alone, none is forgotten, and failures come back in time."""

import pytest

from lambda_src.core.contract import Status
from lambda_src.core.delivery import Delivery
from lambda_src.core.errors import (
    AccountRefused,
    PermanentFailure,
    RateLimited,
    Step,
    TransientFailure,
)
from lambda_src.core.send_errors import FinalUpdateFailed, SendOutcomeUnknown
from tests.unit import contexts
from tests.unit.contexts import body, changed
from tests.unit.fakes.clock import START
from tests.unit.fakes.conversations import Record
from tests.unit.fakes.faults import Fault, Unforeseen
from tests.unit.fakes.world import KEY, LEASE, World

REFUSED = body(changed("frontend_payload.recipient_data.comms_consent", False))


def message(world: World, number: int, *, receive_count: int = 1) -> Delivery:
    """A delivery of the valid context object of that number's conversation."""
    document = changed("conversation_data.conversation_id", f"conversation-{number}")
    return world.delivery(
        body(document), message_id=f"message-{number}", receive_count=receive_count
    )


def handle(world: World, *deliveries: Delivery) -> list[str]:
    """The ids of the messages that must not be deleted."""
    return world.batch().handle(deliveries)


def delay(world: World, receive_count: int = 1) -> int:
    """Seconds until the first message is shown again."""
    failed = handle(world, message(world, 1, receive_count=receive_count))
    assert ["message-1"] == failed
    [seconds] = world.queue.shown_again.values()
    return seconds


def test_what_was_sent_may_be_deleted(world: World) -> None:
    """A batch without failures reports none, and changes no visibility."""
    deliveries = [message(world, number) for number in range(5)]
    assert [] == handle(world, *deliveries)
    assert (5, {}) == (len(world.sender.sent), world.queue.shown_again)


def test_an_empty_batch_is_done(world: World) -> None:
    """Nothing in, nothing out."""
    assert [] == handle(world)


def test_one_message_fails_alone(world: World) -> None:
    """A message that is refused is reported, and the others are sent."""
    refused = world.delivery(REFUSED, message_id="refused")
    assert ["refused"] == handle(world, message(world, 1), refused, message(world, 2))
    assert 2 == len(world.sender.sent)


def test_failures_are_reported_in_the_batchs_order(world: World) -> None:
    """Whichever ended first, the report follows the batch."""
    deliveries = [world.delivery("", message_id=f"bad-{n}") for n in (3, 1, 2)]
    assert ["bad-3", "bad-1", "bad-2"] == handle(world, *deliveries)


@pytest.mark.parametrize("text", ["", "not JSON", "[]", "null", "{}", '{"a": NaN}'])
def test_a_body_of_any_kind_is_a_reported_failure(world: World, text: str) -> None:
    """What cannot be read calls nobody, and is put down at once."""
    assert ["message-1"] == handle(world, world.delivery(text))
    assert {"handle-of-message-1-1": 0} == world.queue.shown_again
    assert ([], 0) == (world.writer.billed, world.sender.tries)


def test_a_refused_context_is_recorded_and_reported(world: World) -> None:
    """Where the key can be told, the record says why it ended as a dead letter."""
    assert ["message-1"] == handle(world, world.delivery(REFUSED))
    assert world.record.failure
    assert (Status.FAILED, "consent_not_given") == (
        world.record.status,
        world.record.failure.code,
    )


def test_a_message_already_sent_may_be_deleted(world: World) -> None:
    """A second delivery of a sent message is acknowledged."""
    handle(world, message(world, 1))
    assert [] == handle(world, message(world, 1, receive_count=2))
    assert 1 == len(world.sender.sent)


def test_a_failed_heartbeat_reports_a_sent_message(world: World) -> None:
    """Sent, but perhaps delivered again by now: reported, and acknowledged next time."""
    world.heartbeat.unkept = frozenset({"message-1"})
    assert ["message-1"] == handle(world, message(world, 1), message(world, 2))
    assert 2 == len(world.sender.sent)
    assert {} == world.queue.shown_again


def test_a_failed_heartbeat_reports_a_failed_message_once(world: World) -> None:
    """Two reasons to report a message are one report."""
    world.heartbeat.unkept = frozenset({"message-1"})
    assert ["message-1"] == handle(world, world.delivery(REFUSED))


def test_every_message_is_kept_until_the_last_one_ended(world: World) -> None:
    """The heartbeat holds all messages of the batch, and beats while any is worked on."""
    kept: list[dict[str, str]] = []
    world.while_writing(lambda: kept.append(dict(world.heartbeat.kept)))
    handle(world, message(world, 1), message(world, 2))
    expected = {"message-1": "handle-of-message-1-1", "message-2": "handle-of-message-2-1"}
    assert [expected, expected] == kept


def test_visibility_is_set_after_the_heartbeat_has_stopped(world: World) -> None:
    """A late beat would undo the backoff."""
    handle(world, world.delivery(REFUSED))
    assert ["heartbeat started", "heartbeat stopped", "visibility set"] == world.journal


def test_the_heartbeat_stops_even_if_the_batch_cannot_be_worked_on(world: World) -> None:
    """Nothing goes on beating for a batch that has ended in an error of our own."""

    def end_everything() -> None:
        raise SystemExit

    world.while_writing(end_everything)
    with pytest.raises(SystemExit):
        handle(world, message(world, 1))
    assert ["heartbeat started", "heartbeat stopped"] == world.journal


def test_a_permanent_failure_is_shown_again_at_once(world: World) -> None:
    """It gets to the dead letters in seconds."""
    world.sender.fail(PermanentFailure("twilio_21211", Step.SEND))
    assert 0 == delay(world)


@pytest.mark.parametrize(("receive_count", "longest"), [(1, 10), (2, 20), (4, 80), (9, 900)])
def test_a_transient_failure_backs_off(world: World, receive_count: int, longest: int) -> None:
    """Twice as long with each receive, at least half of it, and never beyond the longest."""
    world.writer.fail(TransientFailure("openai_500", Step.AI))
    assert longest / 2 <= delay(world, receive_count) <= longest


@pytest.mark.parametrize("error", [RateLimited, AccountRefused])
def test_a_rate_limit_backs_off_longer(world: World, error: type[TransientFailure]) -> None:
    """Whoever asks for patience, or refuses the account, gets more of it."""
    world.writer.fail(error("openai_429", Step.AI))
    assert 30 <= delay(world) <= 60


def test_a_vendor_that_says_when_is_heeded(world: World) -> None:
    """A Retry-After longer than our own backoff is kept to."""
    world.writer.fail(RateLimited("openai_429", Step.AI, retry_after=120))
    assert 120 == delay(world)


def test_a_message_held_elsewhere_comes_back_when_the_lease_ends(world: World) -> None:
    """About the rest of the other worker's lease."""
    world.conversations.records[KEY] = Record(
        KEY, Status.PROCESSING, START, owner="other", attempt=1, lease_expires_at=START + LEASE
    )
    document = body(contexts.valid())
    assert ["message-1"] == handle(world, world.delivery(document))
    [seconds] = world.queue.shown_again.values()
    assert LEASE <= seconds <= LEASE + 1


def test_an_unknown_outcome_comes_back_past_its_deadline(world: World) -> None:
    """When the sender has given up for certain."""
    world.sender.fail(SendOutcomeUnknown("twilio_500", Step.SEND))
    assert world.timing.send_span <= delay(world) <= world.timing.send_span + 1


def test_a_failed_final_write_is_reported(world: World) -> None:
    """Sent, not recorded: comes back to be repaired."""
    world.conversations.fail("record_sent", Fault.REFUSED)
    assert delay(world) > 0
    assert 1 == len(world.sender.sent)
    assert FinalUpdateFailed.recorded_status is None


@pytest.mark.parametrize("call", ["create", "begin_send", "record_sent"])
def test_an_unforeseen_error_never_escapes(world: World, call: str) -> None:
    """Whatever goes wrong with one message, it is reported, and the other one is sent."""
    world.conversations.fail(call, Fault.UNFORESEEN)
    failed = handle(world, message(world, 1), message(world, 2))
    assert 1 == len(failed)
    assert [f"handle-of-{failed[0]}-1"] == list(world.queue.shown_again)


def test_an_unforeseen_error_of_the_vendors_never_escapes(world: World) -> None:
    """An exception that no adapter translated fails one message."""
    world.writer.fail(Unforeseen())
    world.sender.fail(Unforeseen())
    failed = handle(world, *[message(world, number) for number in range(3)])
    assert 2 == len(failed)
    assert 1 == len(world.sender.sent)
