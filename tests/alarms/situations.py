"""Situations of messages, and the log lines that the runtime really writes in each."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

from lambda_src import vendor_check
from local.fakes.faults import Fault
from tests.support.callbacks import Callbacks
from tests.support.channel import (
    TWILIO_SECRET,
    Channel,
    context,
    expire_send_deadline,
    failing_operation,
    recipient_data,
)

Lines = Mapping[str, tuple[str, ...]]
"""Log lines by situation."""


class Situation(NamedTuple):
    """A function that brings it about, and how many of its lines each metric filter counts."""

    run: Callable[[Any], None]
    counted: Mapping[str, int]


def fail_final_update(channel: Channel) -> None:
    """A message is sent and its record cannot be written."""
    with failing_operation(
        channel, "UpdateItem", "AccessDeniedException", containing="message_sid"
    ):
        channel.deliver(context(conversation_id="unrecorded"))


def leave_send_unknown(channel: Channel) -> None:
    """The outcome of a send is still unknown at the final delivery."""
    channel.twilio.fail_next(Fault.reset())
    channel.deliver(context(conversation_id="lost"))
    expire_send_deadline(channel, "lost")
    channel.deliver(context(conversation_id="lost"), receive_count=10)


def exceed_openai_quota(channel: Channel) -> None:
    """OpenAI refuses the account."""
    channel.openai.fail_next("insufficient_quota")
    channel.deliver(context(conversation_id="unpaid"))


def fail_heartbeat(channel: Channel) -> None:
    """A message is sent while SQS refuses to extend its visibility timeout."""
    with failing_operation(channel, "ChangeMessageVisibilityBatch", "AccessDenied"):
        channel.deliver(context(conversation_id="visible"))


def fail_seventh_attempt(channel: Channel) -> None:
    """A retryable failure persists until most deliveries are used up."""
    channel.openai.fail_next("rate_limit_exceeded")
    channel.deliver(context(conversation_id="stubborn"), receive_count=7)


def send(channel: Channel) -> None:
    """A message is sent."""
    channel.deliver(context(conversation_id="sent"))


def send_and_reconcile(channel: Channel) -> None:
    """A message is sent, the response is lost, and Twilio's list contains the message."""
    channel.twilio.fail_next(Fault.reset(effect_applied=True))
    channel.deliver(context(conversation_id="settled"))
    expire_send_deadline(channel, "settled")
    channel.deliver(context(conversation_id="settled"), receive_count=2)


def deliver_twice(channel: Channel) -> None:
    """A message is sent, and its queue message is delivered again."""
    channel.deliver(context(conversation_id="twice"))
    channel.deliver(context(conversation_id="twice"), receive_count=2)


def fail_without_alarm(channel: Channel) -> None:
    """Messages are rejected, retried, or left to another worker."""
    channel.deliver("no context object", receive_count=9)
    channel.openai.fail_next("rate_limit_exceeded")
    channel.deliver(context(conversation_id="patient"), receive_count=6)
    channel.twilio.fail_next("21211")
    channel.deliver(context(conversation_id="unreachable"))
    channel.deliver(context(conversation_id="unreachable"), receive_count=9)
    channel.set_fields("patient", conversation_status="processing", lease_expires_at=9_999_999_999)
    channel.deliver(context(conversation_id="patient"), receive_count=9)


def opt_out(channel: Channel) -> None:
    """Twilio reports an opt-out, and the recipient's next message is rejected."""

    def address(document: dict[str, Any]) -> None:
        recipient_data(document)["recipient_tel"] = "+447700900777"

    channel.twilio.fail_next("21610")
    channel.deliver(context(address, conversation_id="opted out"))
    channel.deliver(context(address, conversation_id="turned away"))


def report_another_message(callbacks: Callbacks) -> None:
    """A callback for a send names another message than the record."""
    callbacks.send("second")
    callbacks.report("delivered", f"SM{32 * 'f'}")


def report_a_failed_conversation(callbacks: Callbacks) -> None:
    """A callback reports a message of a conversation that is recorded as failed."""
    sid = callbacks.send("contradicted")
    callbacks.channel.set_fields("contradicted", conversation_status="failed")
    callbacks.report("sent", sid)


def refuse_account_late(callbacks: Callbacks) -> None:
    """A message is refused after it was accepted, because of the sender's set-up."""
    sid = callbacks.send("refused late")
    callbacks.report("undelivered", sid, ErrorCode="63112")


def report_as_usual(callbacks: Callbacks) -> None:
    """A message is delivered and read, another one is not, and somebody forges a callback.

    Then the scheduled job requests a lookup.
    """
    sid = callbacks.send("reported")
    for status in ("sent", "delivered", "read", "delivered"):
        callbacks.report(status, sid)
    callbacks.report("failed", sid, token="forged")
    callbacks.report("undelivered", callbacks.send("unreached"), ErrorCode="63024")
    callbacks.post({"rawPath": "/callbacks/whatsapp/a/b"})
    callbacks.schedule()


def check_vendors(callbacks: Callbacks) -> None:
    """A model is shut down soon, a template is paused, and another tenant cannot be checked."""
    channel = callbacks.channel
    channel.openai.fail_next(Fault.retiring())
    channel.twilio.fail_next(Fault.template_state(), times=2)
    name = f"{TWILIO_SECRET}-2"
    channel.secretsmanager.create_secret(Name=name, SecretString="{}")
    vendor_check.vendor_check.cache_clear()
    context: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
    vendor_check.lambda_handler({}, context)
    vendor_check.vendor_check.cache_clear()


def _filters(counted: Mapping[str, int]) -> Mapping[str, int]:
    return {f"{subject}Filter-Dev": lines for subject, lines in counted.items()}


SITUATIONS: Mapping[str, Situation] = {
    name: Situation(run, _filters(counted))
    for name, run, counted in (
        # First, while no other message of that text to that recipient has an unknown outcome.
        ("reconciled", send_and_reconcile, {"MessageSent": 1}),
        ("FinalDbUpdateFailure", fail_final_update, {"FinalDbUpdateFailure": 1}),
        ("SendOutcomeUnknown", leave_send_unknown, {"SendOutcomeUnknown": 1}),
        ("VendorAccountRefused", exceed_openai_quota, {"VendorAccountRefused": 1}),
        ("HeartbeatFailure", fail_heartbeat, {"HeartbeatFailure": 1, "MessageSent": 1}),
        ("RepeatedFailure", fail_seventh_attempt, {"RepeatedFailure": 1}),
        ("sent", send, {"MessageSent": 1}),
        ("delivered twice", deliver_twice, {"MessageSent": 2}),
        ("failed", fail_without_alarm, {}),
        ("opted out", opt_out, {}),
    )
}

EVENT_SITUATIONS: Mapping[str, Situation] = {
    name: Situation(run, _filters(counted))
    for name, run, counted in (
        (
            "SecondMessageSuspected",
            report_another_message,
            {"SecondMessageSuspected": 1, "MessageSent": 1},
        ),
        (
            "CallbackContradictsRecord",
            report_a_failed_conversation,
            {"CallbackContradictsRecord": 1},
        ),
        (
            "VendorAccountRefused late",
            refuse_account_late,
            {"LateVendorAccountRefused": 1},
        ),
        ("reported", report_as_usual, {}),
        ("retired", check_vendors, {}),
    )
}
"""Situations after the send, and the vendor check. The log is the worker's from its start on, as
both functions run in one process here, so that only the first send is counted as the processor's.
"""
