"""Recipients who opted out get no messages until an operator lifts the suppression."""

import pytest

from lambda_src.services.dynamodb.suppression import suppression_key
from ops.suppressions import BY_OPERATOR, Suppressions, recipient_digest
from tests.privacy.conftest import AUDIT, NOW
from tests.support.channel import RECIPIENT, Channel, context, failing_operation, recipient_data

REJECTED = ("failed", "recipient_suppressed")


def outcome(channel: Channel) -> tuple[str, str]:
    """Return status and failure code of the record."""
    record = channel.record()
    return record["conversation_status"], record["failure"]["code"]


@pytest.mark.parametrize("code", ["21610", "63014", "63033"])
def test_opt_out_at_vendor_suppresses(
    channel: Channel, suppressions: Suppressions, code: str
) -> None:
    """If Twilio reports an opt-out, the record fails and the recipient is suppressed."""
    channel.twilio.fail_next(code)
    assert [context()] == channel.deliver(context())

    assert ("failed", f"twilio_{code}") == outcome(channel)
    (suppression,) = suppressions.all()
    expected = (recipient_digest("whatsapp", RECIPIENT), f"twilio_{code}")
    assert expected == (suppression.digest, suppression.reason)


def test_later_message_fails_before_any_call(channel: Channel, suppressions: Suppressions) -> None:
    """No vendor is called; the record and a single log line have the reason."""
    suppressions.add(RECIPIENT, AUDIT)

    assert [context()] == channel.deliver(context())

    line = channel.events()["recipient_suppressed"]
    assert ("ERROR", "claim") == (line["level"], line["failure_step"])
    assert REJECTED == outcome(channel)
    assert [context()] == channel.deliver(context(), receive_count=2)
    assert {"already_ended"} == set(channel.events()) & {"already_ended", "recipient_suppressed"}
    assert 0 == channel.vendor_calls()


def test_retry_is_rejected(channel: Channel, suppressions: Suppressions) -> None:
    """A conversation that waits for a retry fails at its next delivery."""
    channel.openai.fail_next("rate_limit_exceeded")
    channel.deliver(context())
    suppressions.add(RECIPIENT, AUDIT)
    calls = channel.vendor_calls()

    assert [context()] == channel.deliver(context(), receive_count=2)

    assert REJECTED == outcome(channel)
    assert calls == channel.vendor_calls()


def test_suppression_is_per_recipient_and_channel(
    channel: Channel, suppressions: Suppressions
) -> None:
    """Another recipient's suppression, or one on another channel, has no effect."""
    suppressions.add("+447700900999", AUDIT)
    Suppressions(channel.dynamodb, channel.table, "sms").add(RECIPIENT, AUDIT)

    assert [] == channel.deliver(context())
    assert 1 == len(channel.phone())


def test_consent_is_checked_first(channel: Channel, suppressions: Suppressions) -> None:
    """A message without consent is rejected for that reason, also if suppressed."""
    suppressions.add(RECIPIENT, AUDIT)
    channel.deliver(context(lambda document: recipient_data(document).update(comms_consent=False)))

    assert "consent_not_given" == channel.record()["failure"]["code"]


def test_lifted_suppression_allows_messages(channel: Channel, suppressions: Suppressions) -> None:
    """After lifting, messages are sent, the item expires, and all changes have audit entries.

    Added again, it does not expire; it identifies the recipient by a digest only.
    """
    key = suppression_key("whatsapp", RECIPIENT)
    location = (key["conversation_id"], key["primary_channel"])
    assert suppressions.add(RECIPIENT, AUDIT)
    assert not suppressions.add(RECIPIENT, AUDIT)
    assert suppressions.lift(RECIPIENT, AUDIT)
    assert not suppressions.lift(RECIPIENT, AUDIT)

    assert [] == channel.deliver(context())

    assert (1, []) == (len(channel.phone()), list(suppressions.all()))
    item = channel.record(*location)
    expected = ["suppression added", "suppression lifted"]
    assert expected == [entry["what"] for entry in item["operator_actions"]]
    assert item["expires_at"] > NOW + 28 * 24 * 3600

    suppressions.add(RECIPIENT, AUDIT)

    found = suppressions.find(RECIPIENT)
    assert found
    assert (BY_OPERATOR, 3) == (found.reason, len(found.actions))
    item = channel.record(*location)
    assert "expires_at" not in item
    assert RECIPIENT[1:] not in str(item)


def test_failure_and_suppression_are_atomic(channel: Channel, suppressions: Suppressions) -> None:
    """If the write is refused, neither the record fails nor is the recipient suppressed."""
    channel.twilio.fail_next("21610")
    with failing_operation(
        channel, "TransactWriteItems", "AccessDeniedException", containing="suppressed_for"
    ):
        channel.deliver(context())

    assert "sending" == channel.record()["conversation_status"]
    assert [] == list(suppressions.all())


def test_lease_and_check_are_one_call(channel: Channel, suppressions: Suppressions) -> None:
    """A suppressed message costs two calls of the table: the lease, and its failure."""
    suppressions.add(RECIPIENT, AUDIT)
    operations: list[str] = []
    channel.table_client().meta.events.register(
        "before-call.dynamodb.*", lambda model, **_: operations.append(model.name)
    )

    channel.deliver(context())

    assert ["TransactWriteItems", "TransactWriteItems"] == operations
