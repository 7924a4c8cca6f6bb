"""Settling a send whose outcome is unknown: found, looked for again, or declared; never resent."""

import pytest

from lambda_src.core.contract import Status
from lambda_src.core.errors import (
    CredentialsRefused,
    LedgerUnavailable,
    PermanentFailure,
    ProcessingError,
    Step,
    TransientFailure,
)
from lambda_src.core.flow import Outcome
from lambda_src.core.send_errors import FinalUpdateFailed, SendDeclaredUnknown, SendOutcomeUnknown
from tests.unit import contexts
from tests.unit.fakes.clock import START
from tests.unit.fakes.faults import Fault, Unforeseen
from tests.unit.fakes.world import KEY, World
from tests.unit.open_sends import come_back, pending

LAST = 10
SPAN = World().timing.send_span


def test_a_message_found_at_the_vendor_is_recorded(unsettled: World) -> None:
    """The sid is the truth: the record is repaired, and nothing is sent or asked again."""
    assert Outcome.SETTLED is unsettled.process(receive_count=2)
    assert (Status.SENT, unsettled.sender.sent[0].sid) == (
        unsettled.record.status,
        unsettled.record.sid,
    )
    assert (1, 1) == (unsettled.sender.tries, len(unsettled.writer.billed))


def test_a_settled_record_tells_the_times_of_the_send(unsettled: World) -> None:
    """Sent when it was announced, after the time that took; recorded when it was found."""
    unsettled.clock.advance(3600)
    unsettled.begin_invocation()
    unsettled.process(receive_count=2)
    sent = unsettled.record.sent
    assert sent
    assert (START + 2, 2000) == (sent.sent_at, sent.processing_time_ms)
    assert unsettled.clock() == sent.recorded_at


def test_before_the_deadline_nobody_looks(unsettled: World) -> None:
    """The sender may be at it still: the message comes back when it cannot be any more."""
    unsettled.clock.advance(-SPAN + 5)
    unsettled.sender.fail_listing(Unforeseen())
    error = pending(unsettled)
    assert ("not_yet_looked_for", SPAN - 5) == (error.code, error.again_in)


def test_the_last_receive_looks_at_once(unsettled: World) -> None:
    """No delivery is to come: nobody waits for the deadline."""
    unsettled.clock.advance(-SPAN + 5)
    unsettled.sender.is_listing = False
    with pytest.raises(SendDeclaredUnknown):
        unsettled.process(receive_count=LAST)


def test_an_unlisted_message_is_looked_for_with_growing_delays(unsettled: World) -> None:
    """Looks are counted in the record, and each waits longer for the list to catch up."""
    unsettled.sender.is_listing = False
    delays = []
    for count in (2, 3, 4):
        error = pending(unsettled, receive_count=count)
        delays.append(error.again_in)
        come_back(unsettled, error)
    assert [15.0, 60.0, 300.0] == delays
    assert (Status.SENDING, 3) == (unsettled.record.status, unsettled.record.looks)


def test_after_all_looks_a_person_is_called(unsettled: World) -> None:
    """Looked for often enough: declared unknown, with the count of looks, and never sent again."""
    unsettled.sender.is_listing = False
    for count in (2, 3, 4):
        come_back(unsettled, pending(unsettled, receive_count=count))
    with pytest.raises(SendDeclaredUnknown) as declared:
        unsettled.process(receive_count=5)
    assert {"looks": 3} == declared.value.fields
    assert (Status.SEND_UNKNOWN, 1) == (unsettled.record.status, unsettled.sender.tries)


def test_a_message_listed_late_is_found_by_a_later_look(unsettled: World) -> None:
    """The list lagged; the next look records the sid."""
    unsettled.sender.is_listing = False
    come_back(unsettled, pending(unsettled))
    unsettled.sender.is_listing = True
    assert Outcome.SETTLED is unsettled.process(receive_count=3)


def test_the_last_receive_declares_what_it_does_not_find(unsettled: World) -> None:
    """No look is to come: however few there were, a person decides."""
    unsettled.sender.is_listing = False
    with pytest.raises(SendDeclaredUnknown):
        unsettled.process(receive_count=LAST)
    assert Status.SEND_UNKNOWN is unsettled.record.status


def test_a_look_that_could_not_be_finished_is_not_begun(unsettled: World) -> None:
    """Too late in the function: the message comes back at once, and nothing counts as a look."""
    unsettled.function_ends_at = unsettled.clock() + unsettled.timing.look_reserve - 0.1
    with pytest.raises(TransientFailure) as late:
        unsettled.process(receive_count=2)
    assert ("out_of_time", 0) == (late.value.code, late.value.again_in)
    assert (Status.SENDING, 0) == (unsettled.record.status, unsettled.record.looks)


def test_the_last_receive_declares_what_it_has_no_time_to_look_for(unsettled: World) -> None:
    """No look is to come, and there is no time for one: a person decides."""
    unsettled.function_ends_at = unsettled.clock() + unsettled.timing.look_reserve - 0.1
    with pytest.raises(SendDeclaredUnknown):
        unsettled.process(receive_count=LAST)


def test_a_send_that_never_went_out_is_declared_unknown(world: World) -> None:
    """An outcome that is unknown stays unknown; the vendor's list is no proof of absence."""
    world.sender.fail(SendOutcomeUnknown("twilio_500", Step.SEND))
    with pytest.raises(SendOutcomeUnknown):
        world.process()
    world.clock.advance(SPAN)
    with pytest.raises(SendDeclaredUnknown):
        world.process(receive_count=LAST)
    assert ([], 1) == (world.sender.sent, world.sender.tries)


@pytest.mark.parametrize(
    "error",
    [
        TransientFailure("twilio_unreachable", Step.SETTLE),
        TransientFailure("twilio_20005", Step.SETTLE, alarm=True),
    ],
)
def test_a_list_that_cannot_be_read_is_no_look(unsettled: World, error: ProcessingError) -> None:
    """An error while looking is tried again with backoff, and counts for nothing."""
    unsettled.sender.fail_listing(error)
    with pytest.raises(TransientFailure):
        unsettled.process(receive_count=2)
    assert (Status.SENDING, 0) == (unsettled.record.status, unsettled.record.looks)


@pytest.mark.parametrize("error", [TransientFailure("twilio_503", Step.SETTLE), Unforeseen()])
def test_a_list_that_cannot_be_read_on_the_last_receive_calls_a_person(
    unsettled: World, error: Exception
) -> None:
    """Whatever goes wrong with the last look, the send is declared unknown."""
    unsettled.sender.fail_listing(error)
    with pytest.raises(SendDeclaredUnknown):
        unsettled.process(receive_count=LAST)
    assert Status.SEND_UNKNOWN is unsettled.record.status


def test_a_refused_token_is_read_again_for_a_look(unsettled: World) -> None:
    """Credentials that changed since the send are no obstacle."""
    unsettled.sender.fail_listing(CredentialsRefused("twilio_20003", Step.SETTLE))
    assert Outcome.SETTLED is unsettled.process(receive_count=2)
    assert [contexts.TWILIO_SECRET] == unsettled.secrets.fresh_reads


@pytest.mark.parametrize("write", ["count_look", "declare_unknown"])
def test_what_was_settled_elsewhere_calls_nobody(unsettled: World, write: str) -> None:
    """Another delivery was quicker to find the sid: the message is sent, and that is all."""
    unsettled.sender.is_listing = False
    unsettled.conversations.before[write] = lambda: unsettled.conversations.alter(
        KEY, status=Status.SENT, sid="SM1"
    )
    receive_count = 2 if write == "count_look" else LAST
    assert Outcome.SETTLED is unsettled.process(receive_count=receive_count)


def test_a_look_that_cannot_be_counted_is_tried_again(unsettled: World) -> None:
    """An uncounted look must not count: the next delivery looks as if there had been none."""
    unsettled.sender.is_listing = False
    unsettled.conversations.fail("count_look", Fault.UNAVAILABLE)
    with pytest.raises(LedgerUnavailable):
        unsettled.process(receive_count=2)
    assert 15.0 == pending(unsettled, receive_count=3).again_in


def test_a_duplicate_does_not_hasten_the_looks(unsettled: World) -> None:
    """Before the next look is due a delivery waits for it, whatever the queue shows."""
    unsettled.sender.is_listing = False
    pending(unsettled)
    unsettled.clock.advance(5)
    error = pending(unsettled, receive_count=3)
    assert ("not_yet_looked_for", 10.0, 1) == (error.code, error.again_in, unsettled.record.looks)


def test_a_secret_that_broke_meanwhile_is_waited_for(unsettled: World) -> None:
    """What is wrong with a secret can be mended: the send stays open, and backs off."""
    unsettled.secrets.fail("credentials", PermanentFailure("secret_malformed", Step.SECRETS))
    error = pending(unsettled)
    assert ("secret_malformed", None) == (error.code, error.again_in)
    assert (Status.SENDING, 0) == (unsettled.record.status, unsettled.record.looks)


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.REFUSED, Fault.UNFORESEEN])
def test_an_unknown_send_that_cannot_be_recorded_still_calls(
    unsettled: World, fault: Fault
) -> None:
    """A person is called although the record stays `sending`, which nobody sends again either."""
    unsettled.sender.is_listing = False
    unsettled.conversations.fail("declare_unknown", fault)
    with pytest.raises(SendDeclaredUnknown) as declared:
        unsettled.process(receive_count=LAST)
    assert {"looks": 0} == declared.value.fields
    assert Status.SENDING is unsettled.record.status


def test_a_found_sid_that_cannot_be_recorded_is_critical(unsettled: World) -> None:
    """The repair itself may fail: alarmed, and found again by the next delivery."""
    unsettled.conversations.fail("record_sent", Fault.REFUSED)
    with pytest.raises(FinalUpdateFailed):
        unsettled.process(receive_count=2)
    assert Outcome.SETTLED is unsettled.process(receive_count=3)


def test_a_queue_that_does_not_tell_its_limit_has_no_last_receive(unsettled: World) -> None:
    """Without the limit the growing delays end the looking."""
    unsettled.queue.error = TransientFailure("queue_unavailable", Step.SETTLE)
    unsettled.sender.is_listing = False
    assert "not_listed_yet" == pending(unsettled, receive_count=LAST).code
