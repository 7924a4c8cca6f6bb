"""The handler on real adapters: what is sent, recorded and logged, and how each failure ends."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_src import index
from lambda_src.core.contract import ENDS, METRICS_NAMESPACE, Dimension, Metric
from local.fakes.faults import Fault, Match
from tests.support.channel import (
    ACCOUNT,
    CONVERSATION,
    OPENAI_SECRET,
    RECIPIENT,
    TWILIO_CREDENTIALS,
    TWILIO_SECRET,
    Change,
    Channel,
    context,
    expire_send_deadline,
    failing_operation,
    openai_config,
    recipient_data,
)

each_engine = pytest.mark.parametrize("engine", ["responses", "assistants"])


def _company(document: dict[str, Any]) -> Any:
    return document["company_data_payload"]


def _request_data(document: dict[str, Any]) -> Any:
    return document["frontend_payload"]["request_data"]


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


def test_the_assistants_engine_runs_the_named_assistant(channel: Channel) -> None:
    """It sends what that wrote."""
    body = context(lambda d: openai_config(d).update(engine="assistants"))
    assert [] == channel.deliver(body)
    (run,) = [c for c in channel.openai.requests if c.path.endswith("/runs")]
    assert "first_contact" == run.body["assistant_id"]
    assert channel.record()["thread_id"].startswith("thread_")
    assert 1 == len(channel.phone())


# --- rejected input

REJECTED: dict[str, Change] = {
    "context_invalid": lambda d: _company(d).pop("company_name"),
    "wrong_channel": lambda d: _request_data(d).update(channel_method="sms"),
    "consent_not_given": lambda d: recipient_data(d).update(comms_consent=False),
    "project_not_active": lambda d: _company(d).update(project_status="paused"),
    "channel_not_allowed": lambda d: _company(d).update(allowed_channels=["email"]),
    "secret_reference_refused": lambda d: openai_config(d).update(
        api_key_reference="ai-multi-comms/dev/openai-api-key/sms"
    ),
    "record_too_large": lambda d: d["frontend_payload"].update(
        project_data={"text": "x" * 500_000}
    ),
}


@pytest.mark.parametrize("code", REJECTED)
def test_a_rejected_context_is_recorded_and_not_attempted_again(
    channel: Channel, code: str
) -> None:
    """It is logged and reported, with its code, and no vendor is called."""
    body = context(REJECTED[code])
    assert [body] == channel.deliver(body)
    assert ("failed", code) == channel.status()
    assert "ERROR" == channel.events()[code]["level"]
    assert [context()] == channel.deliver(context())
    assert "already_ended" in channel.events()
    assert 0 == channel.vendor_calls()


@pytest.mark.parametrize(
    ("body", "event"),
    [("no JSON", "body_not_json"), ("[1, 2]", "body_not_object"), ("{}", "context_invalid")],
)
def test_a_body_without_a_key_is_logged(channel: Channel, body: str, event: str) -> None:
    """With its message id; nothing is recorded, and the rest of the batch is sent."""
    good = [context(conversation_id=f"c-{number}") for number in range(2)]
    assert [body] == channel.deliver(good[0], body, good[1])
    assert "sqs_message_id" in channel.events()[event]
    assert 2 == channel.dynamodb.scan(TableName=channel.table)["Count"]
    assert 2 == len(channel.phone())


def test_a_number_that_is_not_e164_is_recorded_under_it(channel: Channel) -> None:
    """It is not logged."""
    body = context(lambda d: recipient_data(d).update(recipient_tel="07700 900123"))
    assert [body] == channel.deliver(body)
    assert "phone_not_e164" == channel.record(recipient="07700 900123")["failure"]["code"]
    assert "07700" not in json.dumps(channel.read_log())


def test_the_record_lists_every_problem(channel: Channel) -> None:
    """Without the values."""

    def invalidate(document: dict[str, Any]) -> None:
        _company(document).update(company_name="", project_name=7)
        del _company(document)["allowed_channels"]

    channel.deliver(context(invalidate))
    detail = channel.record()["failure"]["detail"]
    assert "company_data_payload.company_name: expected a non-empty string" in detail
    assert "company_data_payload.project_name: expected" in detail
    assert "found a number" in detail
    assert "company_data_payload.allowed_channels: expected a value, found nothing" in detail


def test_a_rejected_context_leaves_an_earlier_record_unchanged(channel: Channel) -> None:
    """The conversation's message is sent already."""
    channel.deliver(context())
    before = channel.record()
    channel.deliver(context(REJECTED["consent_not_given"]))
    assert before == channel.record()


def test_a_released_rejection_is_sent(channel: Channel) -> None:
    """An operator released the record, and the context object was corrected."""
    channel.deliver(context(REJECTED["consent_not_given"]))
    channel.set_fields(conversation_status="retry")
    assert [] == channel.deliver(context())
    assert ("initial_message_sent", None) == channel.status()
    assert (1, 1) == (channel.record()["attempt"], len(channel.phone()))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (OPENAI_SECRET, "plain text"),
        (OPENAI_SECRET, '["x"]'),
        (OPENAI_SECRET, '{"placeholder": "x"}'),
        (TWILIO_SECRET, json.dumps({"twilio_account_sid": ACCOUNT})),
        (TWILIO_SECRET, json.dumps(TWILIO_CREDENTIALS | {"twilio_auth_token": 7})),
        (TWILIO_SECRET, json.dumps(TWILIO_CREDENTIALS | {"twilio_template_sid": ""})),
    ],
)
def test_a_malformed_secret_is_not_quoted(channel: Channel, name: str, value: str) -> None:
    """Neither in the log nor in the record; its messages are retried until it is corrected."""
    channel.set_secret(name, value)
    assert [context()] == channel.deliver(context())
    assert ("retry", "secret_malformed") == channel.status()
    assert 0 == channel.vendor_calls()
    assert value not in json.dumps([channel.read_log(), channel.record()["failure"]])


HUGE: dict[str, Change] = {
    "problems": lambda d: _company(d).update(allowed_channels=[1] * 100_000),
    "ids": lambda d: (
        _request_data(d).update(request_id="😀" * 64, channel_method="😀" * 50_000),
        d["conversation_data"].update(conversation_id="😀" * 256),
    ),
    "request id": lambda d: _request_data(d).update(request_id="r" * 300_000),
    "variables": lambda d: openai_config(d).update(
        assistant={
            "model": "m",
            "instructions": "i",
            "variables": {f"{number:x>64}": {} for number in range(100)},
        }
    ),
}


@pytest.mark.parametrize("kind", HUGE)
def test_log_lines_are_small_whatever_the_body(channel: Channel, kind: str) -> None:
    """Neither many problems nor long ids make a line of more than a few kilobytes."""
    body = context(HUGE[kind])
    assert [body] == channel.deliver(body)
    assert all(len(json.dumps(line)) < 8_000 for line in channel.read_log())


# --- failing vendors


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("rate_limit_exceeded", "openai_rate_limit_exceeded"),
        (Fault.error(500, "server_error"), "openai_server_error"),
        (Fault.error(400, "conversation_locked"), "openai_conversation_locked"),
        (Fault.reset(), "openai_unreachable"),
        (Fault.failed("server_error"), "openai_server_error"),
    ],
    ids=["rate limit", "server error", "locked", "reset", "failed"],
)
@each_engine
def test_a_transient_fault_of_the_ai_is_retried(
    channel: Channel, fault: Fault | str, code: str, engine: str
) -> None:
    """The next delivery sends, and removes the recorded failure."""
    channel.openai.fail_next(fault)
    body = context(lambda d: openai_config(d).update(engine=engine))
    assert [body] == channel.deliver(body)
    assert ("retry", code) == channel.status()
    assert [] == channel.deliver(body, receive_count=2)
    assert 1 == len(channel.phone())
    assert "failure" not in channel.record()


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


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("20429", "retry"), ("63017", "retry"), ("20005", "retry"), ("63010", "retry"),
        ("21211", "failed"), ("21610", "failed"), ("63016", "failed"), ("21606", "retry"),
    ],
)  # fmt: skip
def test_a_refused_send_is_recorded_by_its_code(channel: Channel, name: str, expected: str) -> None:
    """As failed or retry, never as unknown; a retry sends the stored answer."""
    channel.twilio.fail_next(name)
    channel.deliver(context())
    assert (expected, f"twilio_{name}") == channel.status()
    assert [] == channel.phone()
    requests = len(channel.openai.requests)
    channel.deliver(context(), receive_count=2)
    assert requests == len(channel.openai.requests)
    assert (expected == "retry") == len(channel.phone())


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


@pytest.mark.parametrize(
    ("operation", "code", "containing", "event"),
    [
        ("TransactWriteItems", "InternalServerError", "", "ledger_unavailable"),
        ("TransactWriteItems", "ValidationException", "lease_owner", "record_refused"),
        ("UpdateItem", "ThrottlingException", "send_intent_at", "ledger_unavailable"),
    ],
)
def test_a_failed_write_sends_nothing(
    channel: Channel, operation: str, code: str, containing: str, event: str
) -> None:
    """Only an invalid first record is not attempted again."""
    with failing_operation(channel, operation, code, containing=containing):
        assert [context()] == channel.deliver(context())
    assert event in channel.events()
    assert [] == channel.phone()
    is_final = event == "record_refused"
    if is_final:
        assert ("failed", event) == channel.status()
    assert ([context()] if is_final else []) == channel.deliver(context(), receive_count=2)
    assert (not is_final) == len(channel.phone())


@pytest.mark.parametrize(
    ("lease_expires_at", "event"), [(9_999_999_999, "busy_elsewhere"), (1, "message_sent")]
)
def test_a_lease_is_respected_until_it_expires(
    channel: Channel, lease_expires_at: int, event: str
) -> None:
    """A duplicate waits for the other worker, and takes over if that crashed."""
    channel.twilio.fail_next("20429")
    channel.deliver(context())
    channel.set_fields(conversation_status="processing", lease_expires_at=lease_expires_at)
    calls = channel.vendor_calls()
    is_sent = event == "message_sent"
    assert ([] if is_sent else [context()]) == channel.deliver(context(), receive_count=2)
    assert event in channel.events()
    assert is_sent == len(channel.phone())
    assert is_sent or calls == channel.vendor_calls()


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


# --- sends with an unknown outcome


def test_the_final_delivery_marks_what_it_cannot_look_up(channel: Channel) -> None:
    """The alarm is raised before the message is a dead-letter message."""
    channel.twilio.fail_next(Fault.reset())
    channel.deliver(context())
    expire_send_deadline(channel)
    channel.twilio.fail_next(Fault.error(500), match=Match(method="GET"))
    channel.deliver(context(), receive_count=10)
    assert "send_unknown" == channel.status()[0]
    assert "CRITICAL" == channel.events()["send_outcome_unknown"]["level"]


# --- metrics


def requested(seconds_ago: float) -> Callable[[dict[str, Any]], None]:
    """Let the router have got the request that long ago."""
    timestamp = (datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat()
    return lambda d: _request_data(d).update(initial_request_timestamp=timestamp)


def test_a_batch_is_one_line_of_metrics(channel: Channel) -> None:
    """It has every number, and the measured values are plausible."""
    started = time.time()
    channel.deliver(context(requested(60)), context(requested(3600), conversation_id="another"))
    elapsed = time.time() - started

    [line] = channel.read_metrics()

    metrics = list(Metric)
    of_worker = metrics[metrics.index(Metric.EVENTS_RECEIVED) :]
    assert {*Metric, "_aws"} - {Metric.FAILURES, Metric.CHECKS_FAILED, *of_worker} == set(line)
    assert [[2], [2]] == [line["MessagesReceived"], line["MessagesSent"]]
    short, long = sorted(line["EndToEndSeconds"])
    assert 60 <= short <= 60 + elapsed
    assert 3600 <= long <= 3600 + elapsed
    (message,) = channel.record()["messages"]
    assert {message["prompt_tokens"]} == set(line["PromptTokens"])
    assert {message["completion_tokens"]} == set(line["CompletionTokens"])
    assert all(0 < seconds <= elapsed for seconds in [*line["AISeconds"], *line["SendSeconds"]])


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
