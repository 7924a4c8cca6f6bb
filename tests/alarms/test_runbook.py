"""The runbook: a section for each alarm, whose commands are true and do what it says."""

import json
import re
from pathlib import Path

import pytest

from lambda_src.core.contract import LOG_LEVELS, LogEvent
from lambda_src.services import twilio_errors
from tests.alarms.cases import CASES
from tests.alarms.conftest import Lines
from tests.alarms.runbook import (
    DRILL,
    PREPARATION,
    RUNBOOK,
    calls,
    calls_of_the_tool,
    sections,
    variables,
)
from tests.infra.synthesis import Synthesized
from tests.ops.calls import check_call

HEADINGS = tuple(sections())
ALARMS = tuple(heading for heading in HEADINGS if heading not in {PREPARATION, DRILL})
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
    function = dev.properties("WhatsApp", "AWS::Lambda::Function")

    assert names["FUNCTION"] == function["FunctionName"]
    log_group = dev.properties("WhatsApp", "AWS::Logs::LogGroup")
    assert names["LOG_GROUP"] == log_group["LogGroupName"]
    assert names["TABLE"] == dev.properties("Shared", "AWS::DynamoDB::Table")["TableName"]


@pytest.mark.parametrize("heading", [PREPARATION, *ALARMS])
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


@pytest.mark.parametrize("heading", HEADINGS)
def test_calls_of_the_tool_are_its_own(heading: str, tmp_path: Path) -> None:
    """The operator's tool knows every command and option, and none lacks what it must have."""
    for arguments in calls_of_the_tool(sections()[heading].blocks, tmp_path):
        check_call(arguments)
