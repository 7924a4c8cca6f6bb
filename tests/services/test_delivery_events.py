"""Delivery events on real adapters: from the request of a send to the worker's write."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from moto.sqs.models import sqs_backends

from lambda_src import events
from lambda_src.services.twilio_service import TwilioSender
from local.fakes.aws import ACCOUNT as AWS_ACCOUNT
from local.fakes.aws import REGION
from local.fakes.faults import Fault
from tests.support.callbacks import BASE_URL, SENDER, Callbacks
from tests.support.channel import (
    ACCOUNT,
    CONVERSATION,
    RECIPIENT,
    TEMPLATE,
    TOKEN,
    TWILIO_CREDENTIALS,
    TWILIO_SECRET,
    context,
    expire_send_deadline,
    failing_operation,
)

OTHER_SID = "SM" + "9" * 32
ANOTHER_ACCOUNT = "AC" + "9" * 32
ANOTHER_TOKEN = "another-made-up-token"
PERSONAL = (RECIPIENT[1:], SENDER[1:], "Amara", TOKEN, ANOTHER_TOKEN)


@pytest.fixture
def sid(callbacks: Callbacks) -> str:
    """The id of a message that was sent."""
    return callbacks.send()


def _log_text(callbacks: Callbacks) -> str:
    return json.dumps(callbacks.channel.read_log())


# --- the send


def test_a_send_requests_callbacks(callbacks: Callbacks, sid: str) -> None:
    """The URL names conversation and intent, and makes Twilio repeat a failed callback."""
    record = callbacks.channel.record()
    (request,) = [r for r in callbacks.channel.twilio.requests if r.method == "POST"]
    reference = "Y29udmVyc2F0aW9uLTE"
    assert CONVERSATION == "conversation-1"
    expected = f"{BASE_URL}/callbacks/whatsapp/{reference}/{record['intent_id']}#rc=5&rp=all"
    assert expected == request.body["StatusCallback"]
    assert [record["intent_id"]] == record["intent_ids"]
    assert ("queued", None) == callbacks.delivery()
    (entry,) = record["messages"]
    assert (sid, "resp_") == (entry["message_id"], entry["response_id"][:5])


@pytest.mark.parametrize("reason", ["no endpoint", "no token"])
def test_a_send_requests_no_callback_that_cannot_be_used(
    callbacks: Callbacks, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    """Without an endpoint, or with an API key alone, which does not verify signatures."""
    if reason == "no endpoint":
        monkeypatch.delenv("CALLBACK_BASE_URL")
    else:
        login = (ACCOUNT, API_KEY_ONLY["twilio_api_key_secret"])
        logins = callbacks.channel.twilio._logins
        monkeypatch.setitem(logins, API_KEY_ONLY["twilio_api_key_sid"], login)
        callbacks.channel.set_secret(
            TWILIO_SECRET, json.dumps(API_KEY_ONLY | {"twilio_template_sid": TEMPLATE})
        )
    assert [] == callbacks.channel.deliver(context())
    requests = [r.body for r in callbacks.channel.twilio.requests if r.method == "POST"]
    assert requests
    assert not [body for body in requests if "StatusCallback" in body]


def test_each_attempt_has_its_own_intent(callbacks: Callbacks) -> None:
    """A definite refusal keeps the id of the refused send; the next attempt adds one."""
    callbacks.channel.twilio.fail_next("20429")
    assert 1 == len(callbacks.channel.deliver(context()))
    (first,) = callbacks.channel.record()["intent_ids"]
    callbacks.send()
    record = callbacks.channel.record()
    assert [first, record["intent_id"]] == record["intent_ids"]
    assert first != record["intent_id"]


# --- reports of a sent message


def test_a_message_is_delivered_and_read(callbacks: Callbacks, sid: str) -> None:
    """Each status is written and counted once; late ones are only in the history."""
    callbacks.channel.read_metrics()
    for status in ("sent", "delivered", "sent", "read", "delivered", "accepted"):
        callbacks.report(status, sid)
    record = callbacks.channel.record()
    assert ("read", None) == callbacks.delivery()
    history = [entry["status"] for entry in record["delivery_events"]]
    assert ["sent", "delivered", "read", "queued"] == history
    assert record["delivery_updated_at"] == record["updated_at"]
    assert "initial_message_sent" == record["conversation_status"]
    expected = {"DeliveryEventsReceived": 6, "MessagesDelivered": 1, "MessagesRead": 1}
    assert expected == callbacks.counts()
    lines = [each for each in callbacks.channel.read_log() if each["event"] == "delivery_recorded"]
    assert {(CONVERSATION, sid)} == {
        (each["conversation_id"], each["message_sid"]) for each in lines
    }


FAILURES: dict[str, tuple[str, str]] = {
    "63049": ("permanent", ""),
    "63112": ("account_refused", "vendor_account_refused"),
    "": ("permanent", ""),
}


@pytest.mark.parametrize("code", FAILURES)
def test_a_late_failure_is_classified(callbacks: Callbacks, sid: str, code: str) -> None:
    """Like the same code in the answer to a send, with an alarm where others fail as well."""
    callbacks.channel.read_metrics()
    callbacks.channel.read_log()
    kind, alarm = FAILURES[code]
    callbacks.report("sent", sid)
    for _ in range(2):
        callbacks.report("undelivered", sid, **({"ErrorCode": code} if code else {}))
    callbacks.report("delivered", sid)
    assert ("undelivered", code or None) == callbacks.delivery()
    expected = {"DeliveryEventsReceived": 4, "MessagesUndelivered": 1}
    assert expected | {f"Failures/delivery/{kind}": 1} == callbacks.counts()
    critical = [
        each["event"] for each in callbacks.channel.read_log() if each["level"] == "CRITICAL"
    ]
    assert [alarm] * bool(alarm) == critical


@pytest.mark.parametrize("is_full", [False, True])
def test_a_late_opt_out_suppresses(callbacks: Callbacks, sid: str, is_full: bool) -> None:
    """In the record's write, or alone; a duplicate does not repeat what an operator lifted."""
    if is_full:
        _fill_history(callbacks)
    callbacks.report("undelivered", sid, ErrorCode="63033")
    assert 1 == len(callbacks.channel.deliver(context(conversation_id="the next")))
    assert ("failed", "recipient_suppressed") == callbacks.channel.status("the next")
    if not is_full:
        _lift_suppressions(callbacks)
        callbacks.report("undelivered", sid, ErrorCode="63033")
        callbacks.send("another")


def test_an_event_beyond_a_full_history_changes_nothing(callbacks: Callbacks, sid: str) -> None:
    """The first failure and its code stay."""
    _fill_history(callbacks)
    callbacks.channel.set_fields(delivery_error_code="63100")
    callbacks.report("failed", sid, ErrorCode="63101")  # ends the scheduled lookups
    before = callbacks.channel.record()
    callbacks.report("failed", sid, ErrorCode="63102")
    assert before == callbacks.channel.record()
    assert ("failed", "63100") == callbacks.delivery()


def _fill_history(callbacks: Callbacks) -> None:
    entries = [{"status": "sent", "at": "x", "error_code": str(code)} for code in range(20)]
    callbacks.channel.set_fields(delivery_events=entries, delivery_status="failed")


def _lift_suppressions(callbacks: Callbacks) -> None:
    table = callbacks.channel.dynamodb
    for item in table.scan(TableName=callbacks.channel.table)["Items"]:
        if item["primary_channel"]["S"].startswith("suppression#"):
            key = {name: item[name] for name in ("primary_channel", "conversation_id")}
            table.delete_item(TableName=callbacks.channel.table, Key=key)


# --- proof of a send


def _lose_answer(callbacks: Callbacks) -> str:
    callbacks.channel.twilio.fail_next(Fault.reset(effect_applied=True))
    assert 1 == len(callbacks.channel.deliver(context()))
    sid: str = callbacks.channel.twilio.messages()[-1]["sid"]
    return sid


def _to_unknown(callbacks: Callbacks) -> None:
    callbacks.channel.set_fields(conversation_status="send_unknown")


@pytest.mark.parametrize("change", [lambda _: None, _to_unknown], ids=["sending", "send_unknown"])
def test_a_callback_proves_a_send(
    callbacks: Callbacks, change: Callable[[Callbacks], object]
) -> None:
    """The record becomes sent with id, history and tokens, without a lookup or an operator."""
    sid = _lose_answer(callbacks)
    change(callbacks)
    callbacks.report("delivered", sid)
    record = callbacks.channel.record()
    assert ("initial_message_sent", sid) == (record["conversation_status"], record["message_sid"])
    (entry,) = record["messages"]
    assert (sid, True) == (entry["message_id"], entry["total_tokens"] > 0)
    assert record["thread_id"]
    assert record["initial_processing_time_ms"] >= 0
    assert not {"ai_answer", "send_deadline", "lease_expires_at", "failure"} & set(record)
    assert ("delivered", None) == callbacks.delivery()
    expire_send_deadline(callbacks.channel)
    calls = callbacks.channel.vendor_calls()
    assert [] == callbacks.channel.deliver(context())
    assert calls == callbacks.channel.vendor_calls()


def test_a_callback_may_precede_the_answer(
    callbacks: Callbacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The processor's final write then finds its own id, and the status does not regress."""
    send = TwilioSender.send

    def send_and_report(*arguments: Any) -> str:
        sid = send(*arguments)
        callbacks.report("sent", sid)
        return sid

    monkeypatch.setattr(TwilioSender, "send", send_and_report)
    callbacks.send()
    assert ("sent", None) == callbacks.delivery()
    assert "final_db_update_failed" not in callbacks.channel.events()


@pytest.mark.parametrize("status", ["failed", "awaiting_approval"])
def test_what_was_sent_is_not_sent_again(callbacks: Callbacks, status: str) -> None:
    """A record that says otherwise is corrected, with an alarm; an erasure still finds a draft."""
    sid = _lose_answer(callbacks)
    answer = callbacks.channel.record()["ai_answer"]
    draft = {**answer, "thread_id": "conv_draft", "message_id": "resp_draft"}
    callbacks.channel.set_fields(conversation_status=status, draft=draft)
    callbacks.report("sent", sid)
    assert "CRITICAL" == callbacks.channel.events()["callback_contradicts_record"]["level"]
    assert ("initial_message_sent", None) == callbacks.channel.status()
    record = callbacks.channel.record()
    assert (False, ["conv_draft", "resp_draft"]) == ("draft" in record, record["discarded_threads"])
    calls = callbacks.channel.vendor_calls()
    assert [] == callbacks.channel.deliver(context())
    assert calls == callbacks.channel.vendor_calls()


@pytest.mark.parametrize("which", ["another id", "an earlier intent"])
def test_a_second_message_raises_an_alarm(callbacks: Callbacks, sid: str, which: str) -> None:
    """The record stays as it is; a late opt-out is one all the same."""
    if which == "an earlier intent":
        ids = [callbacks.channel.record()["intent_id"], "a-later-one"]
        callbacks.channel.set_fields(intent_id=ids[1], intent_ids=ids)
    before = callbacks.channel.record()
    callbacks.report("delivered", OTHER_SID)
    line = callbacks.channel.events()["second_message_suspected"]
    assert ("CRITICAL", OTHER_SID, sid) == (
        line["level"],
        line["message_sid"],
        line["recorded_message_sid"],
    )
    callbacks.report("failed", OTHER_SID, ErrorCode="21610")
    assert before == callbacks.channel.record()
    assert 1 == len(callbacks.channel.deliver(context(conversation_id="the next")))
    assert ("failed", "recipient_suppressed") == callbacks.channel.status("the next")


# --- events that change nothing

UNREADABLE = (
    "+447700900123 wrote: hello",
    "[" * 100_000,
    "[]",
    "null",
    json.dumps({"lookup": {"primary_channel": RECIPIENT, "conversation_id": 1}}),
    json.dumps({"lookup": {"primary_channel": "", "conversation_id": "c"}}),
    json.dumps({"url": "u", "body": "b", "received_at": 1}),
    json.dumps({"url": 1, "signature": "", "body": "", "received_at": 1}),
    '{"url": "u", "signature": "", "body": "", "received_at": NaN}',
    '{"url": "u", "signature": "", "body": "", "received_at": 1%s}' % ("0" * 400),
    json.dumps({"url": "https://[", "signature": "", "body": "", "received_at": 1}),
    json.dumps({"url": "u", "signature": "", "body": "", "received_at": "1"}),
)


def test_unreadable_events_are_dropped(callbacks: Callbacks) -> None:
    """They are counted, and never delivered again."""
    assert 0 == callbacks.work(*UNREADABLE)
    number = len(UNREADABLE)
    assert {"DeliveryEventsReceived": number, "DeliveryEventsDropped": number} == callbacks.counts()
    log = _log_text(callbacks)
    assert number == log.count('"reason": "unreadable"')
    assert not [private for private in PERSONAL if private in log]


def _path(part: int, value: str) -> Callable[[Callbacks], dict[str, str]]:
    def change(callbacks: Callbacks) -> dict[str, str]:
        parts = callbacks.url().split("/")
        parts[part] = value
        return {"url": "/".join(parts)}

    return change


def _form(**changes: str) -> Callable[[Callbacks], dict[str, str]]:
    return lambda _: changes


def _record(**changes: Any) -> Callable[[Callbacks], dict[str, str]]:
    def change(callbacks: Callbacks) -> dict[str, str]:
        callbacks.channel.set_fields(**changes)
        return {}

    return change


def _secret(value: str) -> Callable[[Callbacks], dict[str, str]]:
    def change(callbacks: Callbacks) -> dict[str, str]:
        callbacks.channel.set_secret(TWILIO_SECRET, value)
        return {}

    return change


def _config(reference: str) -> dict[str, Any]:
    return {"whatsapp": {"whatsapp_credentials_id": reference}}


API_KEY_ONLY = {
    "twilio_account_sid": ACCOUNT,
    "twilio_api_key_sid": "SK" + "1" * 32,
    "twilio_api_key_secret": "made-up",
}
DROPPED: list[tuple[str, list[Callable[[Callbacks], dict[str, str]]]]] = [
    (
        "signature_invalid",
        [
            _form(signature="d3JvbmcgICAgICAgICAgICAgICAgIA=="),
            _form(signature=""),
            _form(signature="ü+447700900123"),
            _form(token=ANOTHER_TOKEN),
        ],
    ),
    (
        "foreign_account",
        [_form(AccountSid=ANOTHER_ACCOUNT, token=ANOTHER_TOKEN), _form(AccountSid="")],
    ),
    ("no_record", [_path(-2, "dW5rbm93bg"), _form(To="whatsapp:+15550100999")]),
    ("intent_unknown", [_path(-1, "unknown"), _path(-1, "")]),
    ("other_channel", [_path(-3, "sms")]),
    ("other_channel", [_record(channel_method="sms")]),
    ("record_foreign", [_record(conversation_status="x", message_sid="")]),
    (
        "unreadable",
        [
            _form(url=f"{BASE_URL}/callbacks/whatsapp"),
            _path(-2, "a*b="),
            _path(-2, "__8"),  # no UTF-8
            _form(To=""),
            _form(To="whatsapp:suppression#whatsapp#0"),
            _form(To="messenger:+447700900123"),
            _form(To=RECIPIENT),
            _form(MessageSid=""),
            _form(MessageSid="+447700900123"),
            _form(MessageStatus=""),
        ],
    ),
    ("status_unknown", [_form(MessageStatus="receiving")]),
    ("no_credentials", [_record(channel_config={})]),
    ("no_credentials", [_record(channel_config=_config("other/secret"))]),
    ("no_credentials", [_secret("{}")]),
    ("no_token", [_secret(json.dumps(API_KEY_ONLY))]),
]
"""Events about nothing that this channel sent, or that cannot be verified, by the reason."""


@pytest.mark.parametrize(("reason", "changes"), DROPPED)
def test_an_event_that_is_not_ours_changes_nothing(
    callbacks: Callbacks,
    sid: str,
    reason: str,
    changes: list[Callable[[Callbacks], dict[str, str]]],
) -> None:
    """It is counted by its reason, and neither logged with personal data nor delivered again."""
    for change in changes:
        form = {"ErrorCode": "21610"} | change(callbacks)
        callbacks.post(callbacks.request("undelivered", sid, **form))
    callbacks.channel.read_log()
    callbacks.channel.read_metrics()
    before = _items(callbacks)
    assert 0 == callbacks.work()
    assert before == _items(callbacks)
    number = len(changes)
    assert {"DeliveryEventsReceived": number, "DeliveryEventsDropped": number} == callbacks.counts()
    lines = callbacks.channel.read_log()
    dropped = [each for each in lines if each["event"] == "delivery_event_dropped"]
    assert [("WARNING", reason)] * number == [(each["level"], each["reason"]) for each in dropped]
    assert not [private for private in PERSONAL if private in json.dumps(lines)]


def _items(callbacks: Callbacks) -> Any:
    return callbacks.channel.dynamodb.scan(TableName=callbacks.channel.table)["Items"]


CHANGED_BODIES: tuple[Callable[[str], str], ...] = (
    lambda body: f"{body}&More=1",
    lambda body: f"{body}&To=whatsapp%3A%2B15550100999",
    lambda body: body.replace("delivered", "failed"),
    lambda _: json.dumps({"To": f"whatsapp:{RECIPIENT}", "MessageStatus": "failed"}),
    lambda _: "\x00\x01" * 100,
    lambda body: f"{body}&More=%FF",
)


def test_a_signature_covers_every_parameter(callbacks: Callbacks, sid: str) -> None:
    """Bodies that were changed, or are of another content type, change nothing."""
    callbacks.post(callbacks.request("delivered", sid))
    (event,) = callbacks.events()
    bodies = [change(event["body"]) for change in CHANGED_BODIES]
    callbacks.channel.read_metrics()
    assert 0 == callbacks.work(*(json.dumps(event | {"body": body}) for body in bodies))
    assert ("queued", None) == callbacks.delivery()
    assert len(bodies) == callbacks.counts()["DeliveryEventsDropped"]


@pytest.mark.parametrize(
    "form",
    [{"query": "a=%20b"}, {"Body": "é & 'ü' \U0001f600", "Blank": ""}],
)
def test_twilio_may_add_parameters(callbacks: Callbacks, sid: str, form: dict[str, str]) -> None:
    """Unknown and blank ones, other characters and a query are covered by the signature."""
    callbacks.report("delivered", sid, **form)
    assert ("delivered", None) == callbacks.delivery()


# --- rotation


def test_a_rotated_token_is_read_once(callbacks: Callbacks, sid: str) -> None:
    """An event of the new token is verified; a forged one does not cause a read for each."""
    callbacks.report("sent", sid)
    rotated = TWILIO_CREDENTIALS | {"twilio_auth_token": ANOTHER_TOKEN}
    callbacks.channel.set_secret(TWILIO_SECRET, json.dumps(rotated))
    reads: list[str] = []
    secrets: Any = callbacks.worker().recorder.secrets
    secrets._client.meta.events.register(
        "before-call.secretsmanager.GetSecretValue", lambda **_: reads.append("read")
    )
    for status in ("delivered", "read"):
        callbacks.post(callbacks.request(status, sid, token=ANOTHER_TOKEN))
    for _ in range(3):
        callbacks.post(callbacks.request("failed", sid, token="forged"))
    assert 0 == callbacks.work()
    assert ("read", None) == callbacks.delivery()
    assert ["read"] == reads


# --- faults of AWS


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("GetItem", "AccessDeniedException"),
        ("UpdateItem", "ProvisionedThroughputExceededException"),
        ("GetSecretValue", "InternalServiceError"),
    ],
)
def test_a_fault_of_aws_delivers_the_event_again(
    callbacks: Callbacks, sid: str, operation: str, code: str
) -> None:
    """After a backoff; a later delivery records it."""
    callbacks.post(callbacks.request("delivered", sid))
    with failing_operation(callbacks.channel, operation, code):
        assert 1 == callbacks.work()
    assert ("queued", None) == callbacks.delivery()
    assert RECIPIENT[1:] not in _log_text(callbacks)
    (event,) = _hidden()
    assert 0 == callbacks.work(event)
    assert ("delivered", None) == callbacks.delivery()


@pytest.mark.parametrize(
    ("seconds_left", "expected"),
    [(19.0, set()), (0.4, {"visibility_change_failed"})],
)
def test_an_event_without_time_is_logged_and_delivered_again(
    callbacks: Callbacks,
    sid: str,
    monkeypatch: pytest.MonkeyPatch,
    seconds_left: float,
    expected: set[str],
) -> None:
    """Whether it was in progress or not started, and also if its visibility stays as it is."""
    monkeypatch.setenv("MAX_CONCURRENCY", "1")
    release, threads = threading.Event(), []
    store: Any = callbacks.worker().recorder.store

    def read_late(*_: object) -> None:
        threads.append(threading.current_thread())
        release.wait()

    monkeypatch.setattr(type(store), "read_delivery", read_late)
    callbacks.post(callbacks.request("delivered", sid))
    callbacks.channel.read_log()
    callbacks.post(callbacks.request("read", sid))
    messages = callbacks.queued()
    failed = callbacks.channel.invoke(
        messages, seconds_left=seconds_left, handler=events.lambda_handler
    )
    logged = set(callbacks.channel.events())
    release.set()
    for thread in threads:
        thread.join()
    assert {message["MessageId"] for message in messages} == failed
    assert expected | {"batch_received", "batch_finished", "cut_off", "out_of_time"} == logged


def _hidden() -> list[str]:
    now = time.time() * 1000
    messages = sqs_backends[AWS_ACCOUNT][REGION].queues["events"]._messages
    assert all(0 < message.visible_at - now <= 20_000 for message in messages)
    return [message.body for message in messages]


def test_a_conflict_is_decided_again(callbacks: Callbacks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another worker's write between read and write is kept, and this event's as well."""
    sid = callbacks.send()
    store: Any = callbacks.worker().recorder.store
    record_delivery = type(store).record_delivery
    pending = ["read"]

    def race(self: Any, *arguments: Any) -> None:
        if pending:
            callbacks.report(pending.pop(), sid)
        record_delivery(self, *arguments)

    monkeypatch.setattr(type(store), "record_delivery", race)
    callbacks.post(callbacks.request("delivered", sid))
    assert 0 == callbacks.work()
    assert ("read", None) == callbacks.delivery()
    history = [entry["status"] for entry in callbacks.channel.record()["delivery_events"]]
    assert ["read", "delivered"] == history
