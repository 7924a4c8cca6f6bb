"""What happens to messages, told by the lines that the runtime really logs about it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from botocore.exceptions import ClientError

from lambda_src import index
from local.stand_ins.faults import Fault
from tests.services.channel import Channel, context, recipient_data
from tests.services.mishaps import lapse_the_sender, refused


@dataclass(frozen=True)
class Story:
    """One thing that happens.

    Attributes:
        play: Lets it happen, to conversations of its own.
        counted: How many of its lines each metric filter of `dev` counts.
    """

    play: Callable[[Channel], None]
    counted: Mapping[str, int] = field(default_factory=dict)


def fail_the_final_update(channel: Channel) -> None:
    """A message is sent and its record cannot be written."""
    with refused(channel, "UpdateItem", "AccessDeniedException", containing="message_sid"):
        channel.deliver(context(conversation_id="unrecorded"))


def lose_a_send(channel: Channel) -> None:
    """A send stays unaccounted for until the last delivery."""
    channel.twilio.fail_next(Fault.reset())
    channel.deliver(context(conversation_id="lost"))
    lapse_the_sender(channel, "lost")
    channel.deliver(context(conversation_id="lost"), receive_count=10)


def run_out_of_money(channel: Channel) -> None:
    """OpenAI refuses the account."""
    channel.openai.fail_next("insufficient_quota")
    channel.deliver(context(conversation_id="unpaid"))


def miss_a_beat(channel: Channel) -> None:
    """A message is sent while the queue refuses to keep it invisible."""
    with _beats_refused():
        channel.deliver(context(conversation_id="visible"))


def fail_for_the_seventh_time(channel: Channel) -> None:
    """A failure that should have passed has not, and most deliveries are used up."""
    channel.openai.fail_next("rate_limit_exceeded")
    channel.deliver(context(conversation_id="stubborn"), receive_count=7)


def send(channel: Channel) -> None:
    """A message is sent."""
    channel.deliver(context(conversation_id="sent"))


def send_and_settle(channel: Channel) -> None:
    """A message is sent, the answer is lost, and Twilio's list tells of it."""
    channel.twilio.fail_next(Fault.reset(effect_applied=True))
    channel.deliver(context(conversation_id="settled"))
    lapse_the_sender(channel, "settled")
    channel.deliver(context(conversation_id="settled"), receive_count=2)


def send_and_deliver_again(channel: Channel) -> None:
    """A message is sent, and its queue message is delivered once more."""
    channel.deliver(context(conversation_id="twice"))
    channel.deliver(context(conversation_id="twice"), receive_count=2)


def fail_without_alarm(channel: Channel) -> None:
    """Messages are refused, or to be tried again, or left to another worker."""
    channel.deliver("no context object", receive_count=9)
    channel.openai.fail_next("rate_limit_exceeded")
    channel.deliver(context(conversation_id="patient"), receive_count=6)
    channel.twilio.fail_next("21211")
    channel.deliver(context(conversation_id="unreachable"))
    channel.deliver(context(conversation_id="unreachable"), receive_count=9)
    channel.set_fields("patient", conversation_status="processing", lease_expires_at=9_999_999_999)
    channel.deliver(context(conversation_id="patient"), receive_count=9)


def opt_out(channel: Channel) -> None:
    """Twilio says that somebody opted out, and another message to them is turned away."""

    def address(document: dict[str, Any]) -> None:
        recipient_data(document)["recipient_tel"] = "+447700900777"

    channel.twilio.fail_next("21610")
    channel.deliver(context(address, conversation_id="opted out"))
    channel.deliver(context(address, conversation_id="turned away"))


def send_and_fail_without_alarm(channel: Channel) -> None:
    """Everyday life."""
    send(channel)
    fail_without_alarm(channel)


STORIES: Mapping[str, Story] = {
    # First, while no other message of that text to that recipient is unaccounted for.
    "settled": Story(send_and_settle, {"MessageSentFilter-Dev": 1}),
    "FinalDbUpdateFailure": Story(fail_the_final_update, {"FinalDbUpdateFailureFilter-Dev": 1}),
    "SendOutcomeUnknown": Story(lose_a_send, {"SendOutcomeUnknownFilter-Dev": 1}),
    "VendorAccountRefused": Story(run_out_of_money, {"VendorAccountRefusedFilter-Dev": 1}),
    "HeartbeatFailure": Story(
        miss_a_beat, {"HeartbeatFailureFilter-Dev": 1, "MessageSentFilter-Dev": 1}
    ),
    "RepeatedFailure": Story(fail_for_the_seventh_time, {"RepeatedFailureFilter-Dev": 1}),
    "sent": Story(send, {"MessageSentFilter-Dev": 1}),
    "delivered twice": Story(send_and_deliver_again, {"MessageSentFilter-Dev": 2}),
    "failed": Story(fail_without_alarm),
    "opted out": Story(opt_out),
}


@contextmanager
def _beats_refused() -> Iterator[None]:
    """Let SQS refuse to change visibilities."""

    def refuse(**_: object) -> None:
        error = {"Error": {"Code": "AccessDenied", "Message": "made to fail"}}
        raise ClientError(cast("Any", error), "ChangeMessageVisibilityBatch")

    queue: Any = index.batch_handler().queue
    name, events = "before-call.sqs.ChangeMessageVisibilityBatch", queue._client.meta.events
    events.register(name, refuse)
    try:
        yield
    finally:
        events.unregister(name, refuse)
