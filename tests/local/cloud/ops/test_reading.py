"""Read-only commands on the local cloud, and which command is tested in which way."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from local.lifecycle import wait_for
from tests.local.cloud.messages import TIMEOUT_SECONDS, each_channel, several_waits
from tests.local.cloud.ops import test_terminal, test_writing  # noqa: F401 - what they cover
from tests.local.cloud.ops.local_operator import LocalOperator
from tests.local.cloud.ops.ways import WAYS, commands, covered, exercises
from tests.support.channel import OPENAI_SECRET

pytestmark = several_waits
REQUESTS: Mapping[str, str] = {
    "status": "sqs.GetQueueAttributes",
    "conversation show": "dynamodb.Scan",
    "conversation list": "dynamodb.Scan",
    "dlq list": "dynamodb.GetItem",
    "dlq show": "dynamodb.GetItem",
    "unknown list": "dynamodb.Scan",
    "secrets check": "secrets-manager.GetSecretValue",
    "assistants check": "secrets-manager.GetSecretValue",
    "suppression list": "dynamodb.Query",
}
"""Each read-only command with a request that it makes."""
WITH_CONVERSATION = {"conversation show", "dlq show"}
PERSONAL = ("Amara", "Okafor", "Warehouse")


@pytest.mark.parametrize("command", list(commands()))
def test_every_command_is_covered_in_each_way(command: str) -> None:
    """It is done, refused and interrupted on the local cloud."""
    assert covered[command] == WAYS


def test_only_commands_are_covered() -> None:
    """A test that declares another name covers nothing."""
    assert set(covered) <= set(commands())


@exercises("refused", *REQUESTS, "watch")
@pytest.mark.parametrize("command", [*REQUESTS, "watch"])
def test_a_missing_channel_is_reported(operator: LocalOperator, command: str) -> None:
    """One message names the missing stack and what to check."""
    arguments = ["nowhere"] if command in WITH_CONVERSATION else []
    output = operator.refused(*command.split(), *arguments, "--channel", "fax")
    assert "no stack ai-multi-comms-fax-dev" in output
    assert "--env, --channel" in output


@exercises("interrupted", *REQUESTS)
@pytest.mark.parametrize("command", REQUESTS)
def test_an_interrupted_command_changes_nothing(operator: LocalOperator, command: str) -> None:
    """It ends immediately; record and message are unchanged, and the message is visible."""
    (conversation,) = operator.dead("waiting")
    before = conversation.record
    arguments = [conversation.id] if command in WITH_CONVERSATION else []
    output = operator.interrupted_at(REQUESTS[command], *command.split(), *arguments)
    assert "interrupted: nothing was changed" in output
    assert (before, [conversation.body]) == (conversation.record, operator.dead_letters())
    assert 0 == operator.dead_letters_in_flight()


@exercises("done", "status", "watch")
@each_channel
def test_the_status_of_a_channel_is_shown(operator: LocalOperator, channel: str) -> None:
    """It has the mapping, all alarms and the age of the oldest message; a watch repeats it."""

    def status() -> Any:
        found = operator.succeed("status", "--channel", channel)
        return found if found["oldest_seconds"] is not None else None

    found = wait_for(status, TIMEOUT_SECONDS) or {}
    deployed = operator.cloud.aws.cloudwatch.describe_alarms()["MetricAlarms"]
    names = [alarm["AlarmName"] for alarm in deployed]
    assert "Enabled" == found["mapping"]
    assert {name for name in names if name.lower().startswith(f"{channel}processor")} == {
        alarm["name"] for alarm in found["alarms"]
    }
    result = operator.run("watch", "--channel", channel, "--times", "2", "--every", "0.2", "--json")
    assert (0, 2) == (result.exit_code, result.stdout.count('"dead_letters"'))


@exercises("done", "conversation show", "conversation list", "unknown list", "dlq show")
def test_conversations_are_shown_without_personal_data(operator: LocalOperator) -> None:
    """Status, reason and ids are shown; names, numbers and texts only on request."""
    (conversation,) = operator.dead("unknown")
    rows = operator.succeed("conversation", "list", "--company", operator.company)
    assert [(conversation.id, "send_unknown")] == [
        (row["conversation"], row["status"]) for row in rows
    ]
    assert conversation.id in {row["conversation"] for row in operator.succeed("unknown", "list")}

    (message,) = operator.succeed("dlq", "show", conversation.id)
    assert ("not_found_at_vendor", operator.company) == (message["cause"], message["company"])
    (record,) = operator.succeed("conversation", "show", conversation.id)
    shown = json.dumps([rows, message, record])
    assert not [word for word in (*PERSONAL, conversation.number) if word in shown]
    (record,) = operator.succeed("conversation", "show", conversation.id, "--show-personal-data")
    assert conversation.number == record["primary_channel"]


@exercises("done", "dlq list")
def test_dead_letters_are_grouped_by_cause(operator: LocalOperator) -> None:
    """Each cause has advice; afterwards all messages are visible again."""
    conversations = operator.dead("fixed", "waiting", "untouched")
    found = operator.succeed("dlq", "list", "--messages")
    assert all(cause["advice"] for cause in found["causes"])
    causes = {row["cause"] for row in found["messages"] if row["company"] == operator.company}
    assert {"twilio_21612", "openai_500", "no_record"} == causes
    assert sorted(each.body for each in conversations) == sorted(operator.dead_letters())
    assert 0 == operator.dead_letters_in_flight()


@exercises("done", "secrets check", "assistants check")
def test_secrets_and_assistants_are_checked(operator: LocalOperator) -> None:
    """The vendors accept the deployed secrets and models."""
    rows = operator.succeed("secrets", "check", OPENAI_SECRET)
    assert [{"secret": OPENAI_SECRET, "vendor": "OpenAI", "problem": ""}] == rows
    assert all(not row["problems"] for row in operator.succeed("assistants", "check"))


@exercises("refused", "assistants check", "conversation show", "dlq show", "secrets check")
def test_what_does_not_exist_is_reported(operator: LocalOperator, tmp_path: Path) -> None:
    """One message names it."""
    (tmp_path / "one.toml").write_text('model = "gpt-gone"\ninstructions = "Write."\n')
    for command, message in {
        f"assistants check --directory {tmp_path}": "openai_model_not_found",
        "conversation show nowhere": "no record of the conversation nowhere",
        "dlq show nowhere": "no such dead-letter message is visible",
        "secrets check somebody/elses": "somebody/elses: the names of this channel's secrets",
    }.items():
        output = operator.refused(*command.split())
        assert message.replace(" ", "") in output.replace(" ", "")
