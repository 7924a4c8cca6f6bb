"""The runbook: a section for each alarm, whose commands are true and do what it says."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lambda_src.core.contract import LOG_LEVELS, LogEvent
from lambda_src.services import twilio_errors
from tests.alarms.aws_command import AwsCommand
from tests.alarms.cases import CASES
from tests.alarms.conftest import Lines
from tests.alarms.runbook import PREPARATION, RUNBOOK, calls, sections, variables
from tests.alarms.stories import lose_a_send
from tests.infra.synthesis import Synthesized
from tests.services.channel import RECIPIENT, Channel, context

HEADINGS = tuple(sections())
ALARMS = tuple(heading for heading in HEADINGS if heading != PREPARATION)
TOLD = (
    "**What it means.**",
    "**See what happened.**",
    "**What to do.**",
    "**What not to do.**",
    "**It is over when**",
)
QUERY_WORDS = {
    *("fields", "filter", "stats", "sort", "desc", "limit", "by", "as", "and", "in", "like"),
    *("count", "count_distinct", "min", "max", "avg", "pct", "bin", "ispresent"),
}
"""What CloudWatch Logs Insights itself understands, as far as the runbook uses it."""


def test_each_alarm_has_its_section_and_each_section_its_alarm() -> None:
    """What an alarm links to is there, and nothing is there that no alarm links to."""
    assert sorted(case.subject for case in CASES) == sorted(ALARMS)


@pytest.mark.parametrize("heading", ALARMS)
def test_a_section_tells_all_that_is_needed(heading: str) -> None:
    """What it means, how to see it, what to do and not to do, and when it is over, in order."""
    text = sections()[heading].text

    assert sorted(TOLD, key=text.index) == list(TOLD)
    assert [1] * len(TOLD) == [text.count(told) for told in TOLD]
    assert sections()[heading].blocks


def test_links_lead_somewhere() -> None:
    """Each link within the runbook is to one of its sections."""
    linked = set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK.read_text("utf-8")))

    assert linked <= {heading.lower() for heading in HEADINGS}


def test_names_are_the_deployed_ones(tmp_path: Path, dev: Synthesized) -> None:
    """The names that the preparation sets are those of the template's resources."""
    names = variables(tmp_path)
    queues = dev.resources("WhatsApp", "AWS::SQS::Queue")
    function = dev.properties("WhatsApp", "AWS::Lambda::Function")
    secrets = dev.resources("WhatsApp", "AWS::SecretsManager::Secret")

    assert {names["QUEUE"], names["DEAD_LETTER_QUEUE"]} == {
        queue["Properties"]["QueueName"] for queue in queues
    }
    assert names["FUNCTION"] == function["FunctionName"]
    log_group = dev.properties("WhatsApp", "AWS::Logs::LogGroup")
    assert names["LOG_GROUP"] == log_group["LogGroupName"]
    assert names["TABLE"] == dev.properties("Shared", "AWS::DynamoDB::Table")["TableName"]
    assert all(each["Properties"]["Name"].startswith(names["SECRETS"]) for each in secrets)


@pytest.mark.parametrize("heading", HEADINGS)
def test_commands_are_aws_own(heading: str, tmp_path: Path) -> None:
    """A shell runs each section's commands as they stand, and AWS knows every one of them."""
    assert calls(sections()[heading], tmp_path)


@pytest.mark.parametrize("heading", HEADINGS)
def test_queries_are_about_what_is_logged(heading: str, tmp_path: Path, lines: Lines) -> None:
    """The log is asked for fields and events that the runtime writes."""
    fields = {name for log in lines.values() for line in log for name in json.loads(line)}
    for call in calls(sections()[heading], tmp_path):
        if call.operation != "StartQuery":
            continue
        query = call.parameters["queryString"]
        assert _names_in(query) <= fields | QUERY_WORDS
        assert set(re.findall(r'"([^"]*)"', query)) <= {*LogEvent, *LOG_LEVELS, "REPORT"}


def _names_in(query: str) -> set[str]:
    """The words of a query that are neither text nor the service's own fields or new names."""
    bare = re.sub(r"\"[^\"]*\"|'[^']*'|/[^/]*/|@\w+", " ", query)
    new = set(re.findall(r"\bas (\w+)", bare))
    return set(re.findall(r"\b[a-z]\w*", bare)) - new


def test_refusals_of_twilio_are_all_named() -> None:
    """Each code of Twilio's that raises the alarm about the account says there what to mend."""
    named = {int(code) for code in re.findall(r"`twilio_(\d+)`", _text("VendorAccountRefused"))}

    account = twilio_errors.CREDENTIALS | twilio_errors.ACCOUNT | twilio_errors.SENDER_SETUP
    assert account == named


def _text(heading: str) -> str:
    return sections()[heading].text


@pytest.fixture
def undecided(channel: Channel) -> Channel:
    """Return a channel with one conversation of which nobody can tell whether it was sent."""
    lose_a_send(channel)
    assert "send_unknown" == channel.record("lost")["conversation_status"]
    return channel


def _decisions(tmp_path: Path, table: str) -> Mapping[str, AwsCommand]:
    """The commands for a person's two decisions about that conversation, by the status set."""
    key: dict[str, Any] = {
        "primary_channel": {"S": RECIPIENT},
        "conversation_id": {"S": "lost"},
    }
    updates = [
        AwsCommand(call.service, call.operation, call.parameters | {"TableName": table, "Key": key})
        for call in calls(sections()["SendOutcomeUnknown"], tmp_path)
        if call.operation == "UpdateItem"
    ]
    sent, released = updates
    return {"sent": sent, "released": released}


def test_released_conversation_is_sent_once(undecided: Channel, tmp_path: Path) -> None:
    """After the runbook's release the redriven letter is sent, and nothing after it."""
    _decisions(tmp_path, undecided.table)["released"].run()

    assert [] == undecided.deliver(context(conversation_id="lost"))
    assert [] == undecided.deliver(context(conversation_id="lost"), receive_count=2)
    assert 1 == len(undecided.phone())
    assert "initial_message_sent" == undecided.record("lost")["conversation_status"]


def test_recorded_sid_ends_the_conversation(undecided: Channel, tmp_path: Path) -> None:
    """After the runbook's record of a sid the redriven letter is acknowledged, and not sent."""
    _decisions(tmp_path, undecided.table)["sent"].run()

    assert [] == undecided.deliver(context(conversation_id="lost"))
    assert [] == undecided.phone()
    assert "the sid in the console" == undecided.record("lost")["message_sid"]


@pytest.mark.parametrize("decision", ["sent", "released"])
def test_decisions_come_too_late_for_what_is_decided(
    undecided: Channel, tmp_path: Path, decision: str
) -> None:
    """Neither command changes a conversation that is not undecided any more."""
    undecided.set_fields("lost", conversation_status="initial_message_sent")

    with pytest.raises(undecided.dynamodb.exceptions.ConditionalCheckFailedException):
        _decisions(tmp_path, undecided.table)[decision].run()
