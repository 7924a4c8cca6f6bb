"""The handler on real adapters: what is sent, recorded and logged, and how each failure ends."""

import json

import pytest

from lambda_src import index
from lambda_src.core.contract import ENDS, METRICS_NAMESPACE, Dimension
from tests.support.channel import (
    CONVERSATION,
    OPENAI_SECRET,
    RECIPIENT,
    TWILIO_SECRET,
    Channel,
    context,
    expire_send_deadline,
    failing_operation,
    recipient_data,
)

# --- sent messages


def test_a_template_message_is_sent_and_recorded(channel: Channel) -> None:
    """The record has status, sid, thread, history, tokens and the context; the log has the ids."""
    operations: list[str] = []
    channel.table_client().meta.events.register(
        "before-call.dynamodb.*", lambda model, **_: operations.append(model.name)
    )
    assert [] == channel.deliver(context())

    ids = {"conversation_id", "request_id", "sqs_message_id", "message_sid", "timestamp"}
    assert ids <= set(channel.events()["message_sent"])
    (text,) = channel.phone()
    assert text.startswith("Hello Amara! ")
    assert text.endswith("Reply STOP to opt out.")
    assert ["TransactWriteItems", "UpdateItem", "UpdateItem"] == operations
    record = channel.record()
    (message,) = record["messages"]
    (sent,) = channel.twilio.messages()
    (conversation,) = channel.openai.state()["conversations"]
    assert "assistant" == message["role"]
    assert "Amara" == json.loads(message["content"])["1"]
    assert message["total_tokens"] == message["prompt_tokens"] + message["completion_tokens"] > 0
    assert record["initial_processing_time_ms"] > 0
    expected = {
        "conversation_status": "initial_message_sent",
        "message_sid": sent["sid"],
        "thread_id": conversation["id"],
        "primary_channel": RECIPIENT,
        "conversation_id": CONVERSATION,
        "company_id": "demo-company",
        "project_id": "spring-intake",
        "company_name": "Harbour Logistics",
        "project_name": "Spring Intake",
        "request_id": "req-0001",
        "channel_method": "whatsapp",
        "recipient_tel": RECIPIENT,
        "recipient_first_name": "Amara",
        "comms_consent": True,
        "task_complete": 0,
        "hand_off_to_human": False,
        "function_call": False,
        "router_version": "2.4.0",
    }
    assert expected == {name: record[name] for name in expected}
    assert {"project_data", "ai_config", "channel_config", "company_rep"} <= set(record)
    assert {"created_at", "updated_at", "processor_version"} <= set(record)


# --- failing vendors


@pytest.mark.parametrize(
    ("name", "field", "read"),
    [
        (OPENAI_SECRET, "ai_api_key", "openai_key"),
        (TWILIO_SECRET, "twilio_auth_token", "credentials"),
    ],
)
def test_a_rotated_secret_is_read_again(channel: Channel, name: str, field: str, read: str) -> None:
    """A refused key or token costs no delivery."""
    valid = channel.secretsmanager.get_secret_value(SecretId=name)["SecretString"]
    channel.set_secret(name, json.dumps({**json.loads(valid), field: "a-stale-value"}))
    getattr(index.batch_handler().flow.secrets, read)(name)
    channel.set_secret(name, valid)
    assert [] == channel.deliver(context())
    assert 1 == len(channel.phone())


# --- the table


def test_a_failed_final_write_is_critical_and_repaired(channel: Channel) -> None:
    """The next delivery records the sid, and acknowledges every one after it."""
    with failing_operation(
        channel, "UpdateItem", "AccessDeniedException", containing="message_sid"
    ):
        assert [context()] == channel.deliver(context())
    line = channel.events()["final_db_update_failed"]
    assert ("CRITICAL", "sending") == (line["level"], channel.status()[0])

    expire_send_deadline(channel)
    assert [] == channel.deliver(context(), receive_count=2)
    assert line["message_sid"] == channel.record()["message_sid"]
    calls = channel.vendor_calls()
    assert [] == channel.deliver(context(), receive_count=3)
    assert calls == channel.vendor_calls()
    assert "WARNING" == channel.events()["already_processed"]["level"]
    assert 1 == len(channel.phone())


@pytest.mark.parametrize("consent", [True, False])
def test_an_unrecognized_record_is_unchanged(channel: Channel, *, consent: bool) -> None:
    """A state that the ledger does not know is reported, and nothing is sent."""
    channel.set_fields(conversation_status="pending")
    before = channel.record()
    body = context(lambda d: recipient_data(d).update(comms_consent=consent))
    assert [body] == channel.deliver(body)
    lines = channel.read_log()
    assert before == channel.record()
    assert "record_foreign" in {line.get("failure_code") for line in lines}
    assert "unexpected_error" not in {line["event"] for line in lines}
    assert 0 == channel.vendor_calls()


# --- metrics


@pytest.mark.parametrize("namespace", ["AIComms/PushProcessor/Dev", ""])
def test_failures_have_their_own_lines(
    channel: Channel, monkeypatch: pytest.MonkeyPatch, namespace: str
) -> None:
    """One per step and kind, in the configured namespace, with nothing personal."""
    monkeypatch.setenv(METRICS_NAMESPACE, namespace)
    channel.openai.fail_next("rate_limit_exceeded")
    channel.deliver(context(conversation_id="lost"), "canary", "canary")

    lines = channel.read_metrics()

    numbers, *failures = lines
    assert [3] == numbers["MessagesReceived"]
    assert 3 == sum(numbers[end][0] for end in ENDS)
    expected = {("ai", "rate_limited", 1), ("parse", "permanent", 2)}
    assert expected == {(f["step"], f["kind"], *f["Failures"]) for f in failures}
    assert all({"_aws", "Failures", *Dimension} == set(failure) for failure in failures)
    directives = [directive for line in lines for directive in line["_aws"]["CloudWatchMetrics"]]
    expected_namespace = namespace or "AIComms/whatsapp-channel-processor"
    assert {expected_namespace} == {directive["Namespace"] for directive in directives}
    private = (RECIPIENT, "canary", "lost", "demo-company", "req-0001", "Amara", "SM", "AC")
    assert not [text for text in private if f'"{text}' in json.dumps(lines)]
