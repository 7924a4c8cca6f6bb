"""`status`, `watch`, `conversation` and the views of `dlq`: what is shown, and what is masked."""

import re
import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from lambda_src.channels import parts_of, sms
from lambda_src.core.contract import ENDS
from lambda_src.services.twilio import errors
from ops.channel_status import Alarm, ChannelStatus, read_status
from ops.commands import status
from ops.undelivered import Cause
from tests.ops.operator_channel import NAMESPACE, OperatorChannel
from tests.ops.tool import check_call
from tests.support.channel import RECIPIENT, TWILIO_SECRET, context

QUIET = ChannelStatus(0, 0, 0, None, "Enabled", 3, dict.fromkeys(map(str, ENDS), 0), ())
ALARM = Alarm("WhatsAppProcessorDeadLettersAlarm-Dev", "ALARM", datetime.now(UTC))
OTHER = "+447700900999"
NOT_LATE = {63010, 63012}
"""Internal errors before a message is accepted, which no callback reports."""
THROTTLING = ClientError({"Error": {"Code": "Throttling"}}, "DescribeAlarms")


def test_the_status_has_queue_depths_and_outcomes(operator: OperatorChannel) -> None:
    """Messages are counted where they are, and outcomes over the last hours."""
    operator.enqueue(context())
    operator.dead_letter("one", "two")
    operator.dead_letter("an event", events=True)
    metrics = {"MessagesSent": 3, "MessagesUndelivered": 4, "OldestLookupDueSeconds": 61}
    now = datetime.now(UTC)
    data = [{"MetricName": m, "Value": v, "Timestamp": now} for m, v in metrics.items()]
    # In any order: the age is the newest value of the period.
    for minutes, value in ((9, 900), (5, 700)):
        earlier = {"Value": value, "Timestamp": now - timedelta(minutes=minutes)}
        data.append({"MetricName": "OldestLookupDueSeconds", **earlier})
    boto3.client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=data)  # type: ignore[arg-type]  # a literal
    document = operator.succeed("status")
    assert {"waiting": 1, "in_flight": 0, "dead_letters": 2}.items() <= document.items()
    assert 3 == document["outcomes"]["MessagesSent"]
    assert "2 dead-letter messages: python -m ops dlq list" in document["next"]
    assert (0, 0, 1) == tuple(
        document[f"events_{name}"] for name in ("waiting", "in_flight", "dead_letters")
    )
    assert {"MessagesDelivered": 0, "MessagesRead": 0, "MessagesUndelivered": 4} == (
        document["reports"]
    )
    output = operator.run("status").stdout
    assert re.search(r"oldest lookup due for +61 s", output)
    assert "4 messages were not delivered\n    python -m ops conversation undelivered" in output


@pytest.mark.parametrize("error", [THROTTLING, EndpointConnectionError(endpoint_url="https://a.b")])
def test_a_watch_survives_errors_of_aws(
    operator: OperatorChannel, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A failed update is reported, and the next one follows; each is a document of its own."""
    updates = iter((None, error, None))

    def read(*arguments: Any) -> ChannelStatus:
        if failure := next(updates):
            raise failure
        return read_status(*arguments)

    monkeypatch.setattr(status, "read_status", read)
    result = operator.run("watch", "--json", "--times", "3", "--every", "0.2")
    assert (0, 2) == (result.exit_code, result.stdout.count('"waiting"'))
    assert "; trying again" in result.stderr


def test_first_error_ends_watch(operator: OperatorChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is probably a wrong environment or missing permissions."""

    def refused(*_: object) -> ChannelStatus:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "DescribeAlarms")

    monkeypatch.setattr(status, "read_status", refused)
    assert "AWS refused DescribeAlarms: AccessDenied" in operator.refused("watch")


def test_shows_alarms_and_age(operator: OperatorChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    """People see the alarm's name and how long the oldest message waits."""
    seen = replace(QUIET, alarms=(ALARM, replace(ALARM, state="OK")), oldest_seconds=61.0)
    monkeypatch.setattr(status, "read_status", lambda *_: seen)
    output = operator.run("status").stdout
    assert "61 s" in output
    assert "alarms: 1 of 2 active" in output
    assert ALARM.name in output


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"dead_letters": 2}, "dlq list"),
        ({"drafts": 2}, "approvals list"),
        ({"mapping": "Disabled"}, "Pausing"),
        ({"oldest_seconds": 1000.0}, "#oldestmessage"),
        ({"unknown": 1}, "unknown list"),
        ({"alarms": (ALARM,)}, "docs/runbook.md#deadletters"),
        ({"events_mapping": "Disabled"}, "#oldestevent"),
        ({"events_dead_letters": 1}, "dlq list --events"),
        ({"reports": {"MessagesUndelivered": 1}}, "conversation undelivered"),
    ],
)
def test_each_condition_has_a_next_step(changes: dict[str, Any], step: str) -> None:
    """Each leads to its command, or to its section of the runbook; a quiet channel needs none."""
    (found,) = replace(QUIET, **changes).next_steps(lambda *words: " ".join(words))
    assert step in str(found)
    assert [] == list(QUIET.next_steps(str))


def test_conversations_are_listed_by_status(operator: OperatorChannel) -> None:
    """Filters are status, delivery, tenant and age; the number is masked unless it is requested."""
    operator.fail_permanently("refused")
    operator.channel.deliver(context(conversation_id="sent"))
    operator.channel.set_fields("sent", delivery_status="undelivered", delivery_error_code="63049")
    (row,) = operator.succeed("conversation", "list", "--delivery", "undelivered")
    assert ("sent", "undelivered (63049)") == (row["conversation"], row["delivery"])
    filters = ("--status", "failed", "--company", "demo-company")
    (row,) = operator.succeed("conversation", "list", *filters)
    expected = {"conversation": "refused", "failure": "twilio_21612", "recipient": "+4…23"}
    assert expected.items() <= row.items()
    assert [] == operator.succeed("conversation", "list", "--older-than", "1")
    rows = operator.succeed("conversation", "list", "--show-personal-data")
    assert {RECIPIENT} == {row["recipient"] for row in rows}


def test_a_list_says_what_it_leaves_out(operator: OperatorChannel) -> None:
    """The latest change comes first; the next page, and one recipient, can be asked for."""
    for name in ("one", "two", "three"):
        operator.conversation("failed", name=name)
        operator.channel.set_fields(name, updated_at=f"2026-01-0{len(name)}T00:00:00+00:00")
    operator.conversation("sent", OTHER)
    call = ("conversation", "list", "--status", "failed", "--limit", "1")
    assert "1 to 1 of 3: 2 more with --skip 1" in operator.run(*call).stderr
    rows = operator.succeed("conversation", "list", "--status", "failed", "--skip", "1")
    assert {"one", "two"} == {row["conversation"] for row in rows}
    (row,) = operator.succeed("conversation", "list", "--recipient", OTHER)
    assert "sent" == row["conversation"]


def test_a_conversation_is_named_by_its_first_characters(operator: OperatorChannel) -> None:
    """If only one begins with them; a change that is not confirmed needs the whole id."""
    for name in ("req-1", "req-10", "req-20"):
        operator.conversation("unknown", name=name)
    show = ("conversation", "show")
    assert "req-20" == operator.succeed(*show, "req-2")[0]["conversation_id"]
    assert (
        "req-1" == operator.succeed(*show, "req-1", "--recipient", RECIPIENT)[0]["conversation_id"]
    )
    assert "3 conversations begin with req: req-1, req-10, req-20" in operator.refused(*show, "req")
    assert "is empty" in operator.refused(*show, "")
    resolve = ("unknown", "resolve", "req-2", "--not-sent", "--yes")
    assert "needs the whole id" in operator.refused(*resolve)
    operator.channel.set_fields("req-20", channel_method="sms")
    assert "add --channel sms" in operator.refused(*resolve[:3])


def test_a_conversation_is_shown_as_a_story(operator: OperatorChannel) -> None:
    """In the order of time, with readable times."""
    operator.fail_permanently("refused")
    entry = {"at": "2026-01-01T09:00:00+00:00", "who": "me", "what": "looked", "why": "a drill"}
    operator.channel.set_fields("refused", operator_actions=[entry])
    output = operator.run("conversation", "show", "refused").stdout
    story = output.partition("what happened\n")[2].partition("\n\n")[0].splitlines()[1:]
    assert "  2026-01-01 09:00:00 UTC  looked, by me: a drill" == story[0].rstrip()
    assert sorted(story) == story
    assert story[-1].rstrip().endswith("twilio_21612 at send")
    assert re.search(r"expires at +20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC", output)


def test_suggested_commands_can_be_pasted(operator: OperatorChannel) -> None:
    """They are complete, with the target as it was given, whatever a conversation's id is."""
    names = {state: f"it's {state} #1" for state in ("held", "unknown")}
    for state, name in names.items():
        operator.conversation(state, OTHER, name)
    operator.channel.set_secret(TWILIO_SECRET, "{}")
    calls = (
        *(("conversation", "show", name) for name in names.values()),
        ("approvals", "list"), ("approvals", "show", names["held"]), ("unknown", "list"),
        ("unknown", "resolve", names["unknown"]), ("status",), ("secrets", "check"),
    )  # fmt: skip
    for call in calls:
        output = operator.run(*call, "--env", "dev").stdout
        suggested = [line.strip() for line in output.splitlines() if "python -m ops" in line]
        assert suggested or "resolve" in call
        for line in suggested:
            program, arguments = line[:14], shlex.split(line)[3:]
            assert ("python -m ops ", ["--env", "dev"]) == (program, arguments[-2:])
            check_call(arguments)


def test_undelivered_messages_are_grouped_by_cause(operator: OperatorChannel) -> None:
    """Each cause has its meaning and advice, which the record of a conversation shows, too."""
    codes = ("63049", "63049", "99999", None, "63049")
    fields = [{"delivery_error_code": code} if code else {} for code in codes]
    for number, extra in enumerate(fields):
        operator.channel.deliver(context(conversation_id=f"c{number}"))
        status = "failed" if number == 1 else "undelivered"
        at = datetime.now(UTC) - timedelta(hours=30 if number == 4 else 0)
        operator.channel.set_fields(
            f"c{number}", delivery_status=status, delivery_updated_at=at.isoformat(), **extra
        )
    command = ("conversation", "undelivered")
    found = operator.succeed(*command, "--messages")
    causes = {cause["code"]: cause for cause in found["causes"]}
    assert {"63049": 2, "99999": 1, "": 1} == {code: c["messages"] for code, c in causes.items()}
    assert "WhatsApp does not deliver marketing messages" in causes["63049"]["meaning"]
    assert "twilio.com/docs/api/errors/99999" in causes["99999"]["advice"]
    assert {"+4…23"} == {row["recipient"] for row in found["messages"]}
    assert 3 == operator.succeed(*command, "--hours", "48")["causes"][0]["messages"]
    assert [] == operator.succeed(*command, "--company", "another")["causes"]
    advice = f"63049: {causes['63049']['advice']}"
    assert advice in operator.run(*command).stdout
    shown = operator.run("conversation", "show", "c0").stdout
    assert advice in shown
    assert re.search(r"delivery status +undelivered", shown)


@pytest.mark.parametrize("channel", ["whatsapp", "sms"])
def test_each_code_of_a_failure_has_advice(channel: str) -> None:
    """Only a code that Twilio added since has none but Twilio's own page."""
    codes = {*errors.CODES, *(sms.REFUSALS if channel == "sms" else ())} - NOT_LATE
    for code in codes:
        record = {"delivery_status": "undelivered", "delivery_error_code": str(code)}
        cause = Cause.of(record, parts_of(channel).callbacks)
        assert cause
        assert cause.meaning
        assert "/docs/api/" not in cause.advice, code


def test_a_body_that_is_not_json_is_shown_with_its_problem(operator: OperatorChannel) -> None:
    """The message names no conversation, and has no record."""
    operator.dead_letter("no JSON")
    (row,) = operator.succeed("dlq", "list", "--messages")["messages"]
    named = row["message_id"][:8]  # the first characters are enough
    (document,) = operator.succeed("dlq", "show", named, "--show-personal-data")
    operator.dead_letter(context(conversation_id="c1"), context(conversation_id="c12"))
    assert "2 ids begin with c: c1, c12" in operator.refused("dlq", "show", "c")
    assert 1 == len(operator.succeed("dlq", "show", "c1"))
    expected = {"cause": "body_not_json", "record": None, "body": "no JSON"}
    assert expected.items() <= document.items()
