"""Held and approved drafts on real adapters: what the scheduled job publishes and queues."""

import json
import time
from typing import Any

import pytest

from lambda_src import index, scheduler
from lambda_src.core import (
    APPROVED_QUEUED_AFTER_SECONDS,
    ConditionFailed,
    OpenWork,
    RecordKey,
)
from lambda_src.core.scheduled_job import JobFailed
from lambda_src.services.dynamodb import serialize
from lambda_src.services.dynamodb.updates import open_values
from tests.support.callbacks import Callbacks
from tests.support.channel import (
    CONVERSATION,
    RECIPIENT,
    Channel,
    context,
    failing_operation,
    recipient_data,
)

AGE = 700
HELD, APPROVED = OpenWork.HELD, OpenWork.APPROVED


def _mark(channel: Channel, kind: OpenWork, since: float, conversation: str = CONVERSATION) -> None:
    marks = open_values("whatsapp", kind, RecordKey(RECIPIENT, conversation), since)
    channel.set_fields(
        conversation, **{name.removeprefix(":"): value for name, value in marks.items()}
    )


def _approve(channel: Channel, conversation: str = CONVERSATION, age: float = AGE) -> str:
    """Leave a record in `retry` whose approval was made ten minutes before `age` seconds ago."""
    body = context(conversation_id=conversation)
    channel.openai.fail_next("rate_limit_exceeded")
    assert 1 == len(channel.deliver(body))
    _mark(channel, APPROVED, time.time() - age, conversation)
    return body


@pytest.mark.parametrize(("ages", "expected"), [((60, 7_200, 90), 7_200), ((-60,), 0)])
def test_the_age_of_the_oldest_held_draft_is_published(
    callbacks: Callbacks, ages: tuple[int, ...], expected: int
) -> None:
    """Also 0, since missing data means that the job did not run."""
    for number, age in enumerate(ages):
        key = {"primary_channel": RECIPIENT, "conversation_id": str(number)}
        marks = open_values("whatsapp", HELD, RecordKey(RECIPIENT, str(number)), time.time() - age)
        item = key | {name.removeprefix(":"): value for name, value in marks.items()}
        callbacks.channel.dynamodb.put_item(TableName=callbacks.channel.table, Item=serialize(item))
    callbacks.channel.read_metrics()
    callbacks.schedule()
    published = {name: line[name] for line in callbacks.channel.read_metrics() for name in line}
    (age,) = published["OldestHeldDraftSeconds"]
    assert expected <= age < expected + 60


def test_an_approved_message_is_queued_until_a_worker_acquires_it(callbacks: Callbacks) -> None:
    """Once in ten minutes, in its company's group, with the time that it was first asked for."""
    channel = callbacks.channel
    body = _approve(channel)
    before = channel.record()
    callbacks.schedule()
    callbacks.schedule()
    (message,) = channel.receive_all()
    parse = index.batch_handler().parse
    assert parse(body) == parse(message["Body"])
    assert before["company_id"] == message["Attributes"]["MessageGroupId"]
    (asked_at,) = [each["StringValue"] for each in message["MessageAttributes"].values()]
    assert int(asked_at) <= int(message["Attributes"]["SentTimestamp"])
    after = channel.record()
    assert before["open_work"] == after["open_work"]
    assert abs(time.time() + APPROVED_QUEUED_AFTER_SECONDS - float(after["open_since"])) < 60
    line = channel.events()["approved_drafts_queued"]
    assert ("INFO", 0, 0) == (line["level"], line["queued"], line["due"])
    assert 1 == callbacks.counts()["ApprovedDraftsQueued"]
    _mark(channel, APPROVED, time.time() - 1)
    callbacks.schedule()
    assert 1 == len(channel.receive_all())
    assert [] == channel.deliver(message["Body"])
    assert "initial_message_sent" == channel.record()["conversation_status"]


@pytest.mark.parametrize(
    ("lease", "is_rebuilt", "status"),
    [
        ({}, True, "failed"),
        # Its worker ended without a trace; the lease has expired.
        ({"conversation_status": "processing", "lease_expires_at": 1}, True, "failed"),
        ({"conversation_status": "processing"}, True, "processing"),
        ({"conversation_status": "sending"}, True, "sending"),
        ({}, False, "retry"),
    ],
    ids=str,
)
def test_an_approved_message_that_is_rejected_fails_and_is_not_queued_again(
    callbacks: Callbacks, lease: dict[str, Any], *, is_rebuilt: bool, status: str
) -> None:
    """Unless a worker may be sending it, or the router sent what was rejected."""
    channel = callbacks.channel
    _approve(channel)
    approved = {"written_by": {"approved_by": "dana"}, "comms_consent": False}
    channel.set_fields(
        CONVERSATION, **approved | {"lease_expires_at": round(time.time()) + 60} | lease
    )
    callbacks.schedule()
    (rebuilt,) = channel.receive_all()
    refused = context(lambda document: recipient_data(document).update(comms_consent=False))
    assert 1 == len(channel.deliver(rebuilt["Body"] if is_rebuilt else refused))
    record = channel.record()
    assert status == record["conversation_status"]
    assert (status == "failed") == (record["failure"]["code"] == "consent_not_given")
    assert (status == "failed") == ("open_work" not in record)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"open_work": "whatsapp#delivery#0"},
        {"open_since": 1},
        {"conversation_status": "initial_message_sent"},  # by version 1.x, which keeps the mark
    ],
    ids=str,
)
def test_a_mark_that_has_changed_since_is_not_acted_upon(
    callbacks: Callbacks, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    """The index may be behind its table: the record is read again; without changes it is gone."""
    channel = callbacks.channel
    _approve(channel)
    job: Any = scheduler.scheduler()
    found = list(job.parts[1].records.due(APPROVED, time.time()))
    if changes:
        channel.set_fields(CONVERSATION, **changes)
    else:
        key = {"primary_channel": RECIPIENT, "conversation_id": CONVERSATION}
        channel.dynamodb.delete_item(TableName=channel.table, Key=serialize(key))
    records = type(job.parts[1].records)
    monkeypatch.setattr(records, "due", lambda _, kind, __: found if kind is APPROVED else [])
    callbacks.schedule()
    assert [] == channel.receive_all()
    ((since, key_),) = found
    with pytest.raises(ConditionFailed):
        job.parts[1].records.postpone_approved(key_, since, time.time())


@pytest.mark.parametrize("fault", ["record", "GetItem", "UpdateItem", "SendMessage"])
def test_one_part_of_the_job_does_not_prevent_the_others(callbacks: Callbacks, fault: str) -> None:
    """A message that cannot be queued is named, stays due, and ends the run with an error."""
    channel = callbacks.channel
    _approve(channel, "broken")
    _approve(channel, "whole")
    if fault == "record":
        broken = {"primary_channel": RECIPIENT, "conversation_id": "broken"}
        channel.dynamodb.update_item(
            TableName=channel.table, Key=serialize(broken), UpdateExpression="REMOVE ai_config"
        )
    channel.read_log()
    channel.read_metrics()
    with failing_operation(channel, fault, "InternalError"), pytest.raises(JobFailed):
        callbacks.schedule()
    queued = [json.loads(message["Body"])["conversation_data"] for message in channel.receive_all()]
    expected = {"record": ["whole"], "UpdateItem": ["broken", "whole"]}.get(fault, [])
    assert expected == sorted(each["conversation_id"] for each in queued)
    lines = channel.read_log()
    failed = {line.get("conversation_id") for line in lines if line["level"] == "ERROR"} - {None}
    assert {"broken"} | ({"whole"} if fault != "record" else set()) == failed
    assert RECIPIENT[1:] not in json.dumps(lines)
    published = {name for line in channel.read_metrics() for name in line}
    ages = {"OldestHeldDraftSeconds", "OldestLookupDueSeconds", "ApprovedDraftsQueued"}
    assert ages <= published
    job: Any = scheduler.scheduler()
    due = job.parts[1].records.due(APPROVED, time.time())
    assert "broken" in [key.conversation_id for _, key in due]
