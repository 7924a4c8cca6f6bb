"""The handler's good way: one context object, one message, a true record."""

import json

import pytest

from tests.services.channel import (
    ACCOUNT,
    CONVERSATION,
    RECIPIENT,
    TOKEN,
    TWILIO_SECRET,
    Channel,
    context,
    openai_config,
)


def test_sends_one_template_message(channel: Channel) -> None:
    """A context object becomes one message by the tenant's template."""
    assert [] == channel.deliver(context())

    (text,) = channel.phone()
    assert text.startswith("Hello Amara! ")
    assert text.endswith("Reply STOP to opt out.")


def test_records_what_was_sent(channel: Channel) -> None:
    """The record holds the status, the sid, the thread, the history and the tokens."""
    channel.deliver(context())

    record = channel.record()
    (message,) = record["messages"]
    (sent,) = channel.twilio.messages()
    (conversation,) = channel.openai.state()["conversations"]
    assert "initial_message_sent" == record["conversation_status"]
    assert sent["sid"] == record["message_sid"]
    assert conversation["id"] == record["thread_id"]
    assert "assistant" == message["role"]
    assert "Amara" == json.loads(message["content"])["1"]
    assert message["total_tokens"] == message["prompt_tokens"] + message["completion_tokens"] > 0
    assert record["initial_processing_time_ms"] > 0


def test_record_keeps_the_context_flattened(channel: Channel) -> None:
    """The context object's identifying and configuration fields stand at the record's top level."""
    channel.deliver(context())

    record = channel.record()
    expected = {
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


def test_clean_run_makes_three_writes(channel: Channel) -> None:
    """Claim, intent with the answer, and record: each conditional, and no more than these."""
    operations: list[str] = []
    channel.table_client().meta.events.register(
        "before-call.dynamodb.*", lambda model, **_: operations.append(model.name)
    )

    channel.deliver(context())

    assert ["TransactWriteItems", "UpdateItem", "UpdateItem"] == operations


def test_acknowledges_a_duplicate(channel: Channel) -> None:
    """A second delivery of a sent message is acknowledged with a warning and sends nothing."""
    channel.deliver(context())
    calls = channel.vendor_calls()

    assert [] == channel.deliver(context())

    assert calls == channel.vendor_calls()
    assert "WARNING" == channel.events()["already_processed"]["level"]


def test_sends_free_text_without_a_template(channel: Channel) -> None:
    """A secret that names no template sends the assistant's free text."""
    channel.set_secret(
        TWILIO_SECRET, json.dumps({"twilio_account_sid": ACCOUNT, "twilio_auth_token": TOKEN})
    )
    body = context(lambda d: openai_config(d).update(assistant_id_template_sender="free_text"))

    assert [] == channel.deliver(body)

    (text,) = channel.phone()
    assert text == channel.record()["messages"][0]["content"]


def test_inline_definition_wins(channel: Channel) -> None:
    """A definition in the context object is used instead of the file of the same id."""
    inline = {
        "model": "gpt-6-luna",
        "instructions": "Write one sentence.",
        "variables": {"1": {"description": "Name."}, "2": {"description": "An inline sentence."}},
    }

    channel.deliver(context(lambda d: openai_config(d).update(assistant=inline)))

    (response,) = [c for c in channel.openai.requests if c.path.endswith("/responses")]
    assert "Write one sentence." == response.body["instructions"]


def test_assistants_engine_runs_the_named_assistant(channel: Channel) -> None:
    """The threads engine runs the assistant of that id and sends what it wrote."""
    body = context(lambda d: openai_config(d).update(engine="assistants"))

    assert [] == channel.deliver(body)

    (run,) = [c for c in channel.openai.requests if c.path.endswith("/runs")]
    assert "first_contact" == run.body["assistant_id"]
    assert channel.record()["thread_id"].startswith("thread_")
    assert 1 == len(channel.phone())


def test_works_on_a_whole_batch(channel: Channel) -> None:
    """Each message of a batch succeeds or fails alone."""
    good = [context(conversation_id=f"c-{number}") for number in range(4)]
    bad = "no context object"

    assert [bad] == channel.deliver(good[0], good[1], bad, good[2], good[3])

    assert 4 == len(channel.phone())


def test_log_holds_ids_and_nothing_personal(channel: Channel) -> None:
    """A clean run's log has the ids at the top level, and no name, number, text or secret."""
    channel.deliver(context())

    lines = channel.read_log()
    sent = next(line for line in lines if line["event"] == "message_sent")
    ids = {"conversation_id", "request_id", "sqs_message_id", "message_sid", "timestamp"}
    assert ids <= set(sent)
    text = json.dumps(lines)
    for secret in ("7700900123", "Amara", "Okafor", "Warehouse", TOKEN, "a-made-up-api-key"):
        assert secret not in text


@pytest.mark.parametrize("name", ["CHANNEL", "QUEUE_URL", "CONVERSATIONS_TABLE", "SECRET_PREFIXES"])
def test_refuses_to_start_without(
    channel: Channel, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing variable raises, so that no batch counts as done."""
    monkeypatch.setenv(name, "")

    with pytest.raises(Exception, match=name):
        channel.deliver(context())
