"""Status, watch and conversations: what is seen, and what is not shown."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from lambda_src.core.metric_names import ENDS
from ops.advice import next_steps
from ops.commands import status
from ops.sight import Alarm, Sight, look
from tests.ops.deployed import NAMESPACE
from tests.ops.office import Office
from tests.ops.test_redrive import fail_for_good
from tests.services.channel import RECIPIENT, context

QUIET = Sight(0, 0, 0, None, "Enabled", 3, dict.fromkeys(map(str, ENDS), 0), ())


def test_a_channel_is_seen_from_outside(office: Office) -> None:
    """Messages where they wait, and what became of the last hours'."""
    office.channel.sqs.send_message(QueueUrl=office.channel.queue_url, MessageBody=context())
    office.bury("one", "two")
    boto3.client("cloudwatch").put_metric_data(
        Namespace=NAMESPACE,
        MetricData=[
            {"MetricName": "MessagesSent", "Value": 3, "Timestamp": datetime.now(UTC)},
        ],
    )
    document = office.done("status")
    assert (1, 0, 2, 3) == (
        document["waiting"],
        document["in_flight"],
        document["dead_letters"],
        document["outcomes"]["MessagesSent"],
    )
    assert "2 dead letters: dlq list" in document["next"]


def test_watching_is_looking_again(office: Office) -> None:
    """Each look is a document of its own."""
    result = office.run("watch", "--json", "--times", "2", "--every", "0.2")
    assert 2 == result.stdout.count('"waiting"')


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "Throttling"}}, "DescribeAlarms"),
        EndpointConnectionError(endpoint_url="https://monitoring.example"),
    ],
)
def test_a_watch_outlives_trouble_of_aws(
    office: Office, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A look that fails is told, and followed by the next one."""
    looks = iter((None, error, None))

    def troubled(*arguments: Any) -> Sight:
        trouble = next(looks)
        if trouble:
            raise trouble
        return look(*arguments)

    monkeypatch.setattr(status, "look", troubled)
    result = office.run("watch", "--json", "--times", "3", "--every", "0.2")
    assert (0, 2) == (result.exit_code, result.stdout.count('"waiting"'))
    assert "; looking again" in result.stderr


def test_a_watch_that_never_saw_anything_ends(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first look it is rather the credentials that are wrong."""

    def refused(*_: object) -> Sight:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "DescribeAlarms")

    monkeypatch.setattr(status, "look", refused)
    assert "AWS refuses DescribeAlarms: AccessDenied" in office.refused("watch")


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"dead_letters": 2}, "dlq list"),
        ({"mapping": "Disabled"}, "Pausing"),
        ({"oldest_seconds": 1000.0}, "#oldestmessage"),
        ({"outcomes": {"MessagesUnknown": 1}}, "unknown list"),
        (
            {"alarms": (Alarm("WhatsAppProcessorDeadLettersAlarm-Dev", "ALARM", None),)},
            "docs/runbook.md#deadletters",
        ),
    ],
)
def test_what_is_seen_says_what_to_do(seen: dict[str, Any], said: str) -> None:
    """Each thing that needs a person leads to its command, or to its page of the runbook."""
    (step,) = next_steps(replace(QUIET, **seen))
    assert said in step


def test_a_quiet_channel_needs_nobody() -> None:
    """Nothing to do is no step."""
    assert [] == list(next_steps(QUIET))


def test_a_missing_stack_is_one_message(office: Office) -> None:
    """It names the stack, and what to look at."""
    assert "no stack ai-multi-comms-whatsapp-prod" in office.refused("status", "--env", "prod")


def test_conversations_are_listed_by_state(office: Office) -> None:
    """By status and tenant; the number is masked unless it is asked for."""
    fail_for_good(office.channel, "refused")
    office.channel.deliver(context(conversation_id="sent"))
    (row,) = office.done("conversation", "list", "--status", "failed", "--company", "demo-company")
    assert ("refused", "twilio_21606", "+4…23") == (
        row["conversation"],
        row["failure"],
        row["recipient"],
    )
    assert [] == office.done("conversation", "list", "--older-than", "1")
    rows = office.done("conversation", "list", "--show-personal-data")
    assert {RECIPIENT} == {row["recipient"] for row in rows}


def test_a_conversation_shows_no_personal_data(office: Office) -> None:
    """What is not known to be harmless is masked, at any depth; asked for, it shows."""
    office.channel.deliver(context(conversation_id="sent"))
    office.bury(context(conversation_id="sent"))
    (text,) = office.channel.phone()
    shown = office.run("conversation", "show", "sent").stdout
    shown += office.run("dlq", "show", "sent", "--json").stdout
    shown += office.run("dlq", "list", "--letters", "--json").stdout
    assert "initial_message_sent" in shown
    for personal in (RECIPIENT, RECIPIENT[1:], "Amara", "Warehouse", text[:20]):
        assert personal not in shown
    everything = json.dumps(
        office.done(
            "conversation", "show", "sent", "--recipient", RECIPIENT, "--show-personal-data"
        )
    )
    assert RECIPIENT in everything
    assert "Amara" in everything


def test_a_conversation_that_is_not_there(office: Office) -> None:
    """Is one message."""
    assert "no record of the conversation nowhere" in office.refused(
        "conversation", "show", "nowhere"
    )
    assert "no such dead letter" in office.refused("dlq", "show", "nowhere")
