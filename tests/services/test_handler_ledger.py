"""The table failing, and conversations that another worker has or had."""

from tests.services.channel import Channel, context
from tests.services.mishaps import lapse_the_sender, refused


def test_failed_final_update_is_critical_and_repaired(channel: Channel) -> None:
    """A sent message whose record cannot be written is alarmed, and recorded by the redelivery."""
    body = context()
    with refused(channel, "UpdateItem", "AccessDeniedException", containing="message_sid"):
        assert [body] == channel.deliver(body)

    line = channel.events()["final_db_update_failed"]
    sid = line["message_sid"]
    assert "CRITICAL" == line["level"]
    assert "sending" == channel.record()["conversation_status"]

    lapse_the_sender(channel)
    assert [] == channel.deliver(body, receive_count=2)
    assert sid == channel.record()["message_sid"]
    assert 1 == len(channel.phone())


def test_table_that_does_not_answer_sends_nothing(channel: Channel) -> None:
    """Without a claim there is no vendor call; the message stays on the queue."""
    with refused(channel, "TransactWriteItems", "InternalServerError"):
        assert [context()] == channel.deliver(context())

    assert 0 == channel.vendor_calls()
    assert "ledger_unavailable" in channel.events()


def test_lost_intent_sends_nothing_and_is_tried_again(channel: Channel) -> None:
    """When the intent cannot be written nothing is sent, and the answer is not lost for good."""
    with refused(channel, "UpdateItem", "ThrottlingException", containing="send_intent_at"):
        channel.deliver(context())
    assert [] == channel.phone()
    assert "retry" == channel.record()["conversation_status"]

    assert [] == channel.deliver(context(), receive_count=2)
    assert 1 == len(channel.phone())


def test_busy_conversation_is_left_to_its_worker(channel: Channel) -> None:
    """A duplicate of a message that another worker holds is reported, and touches nothing."""
    channel.twilio.fail_next("20429")
    channel.deliver(context())
    channel.set_fields(conversation_status="processing", lease_expires_at=9_999_999_999)
    calls = channel.vendor_calls()

    assert [context()] == channel.deliver(context(), receive_count=2)

    assert calls == channel.vendor_calls()
    assert "busy_elsewhere" in channel.events()


def test_lapsed_lease_is_taken_over(channel: Channel) -> None:
    """A conversation whose worker died is taken over when its lease has ended."""
    channel.twilio.fail_next("20429")
    channel.deliver(context())
    channel.set_fields(conversation_status="processing", lease_expires_at=1)

    assert [] == channel.deliver(context(), receive_count=2)

    assert 1 == len(channel.phone())


def test_does_not_begin_without_time(channel: Channel) -> None:
    """Near the function's end nothing is claimed or sent; the message stays on the queue."""
    assert [context()] == channel.deliver(context(), seconds_left=5)

    assert 0 == channel.vendor_calls()
    assert channel.record() is None
