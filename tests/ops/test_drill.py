"""The runbook's drill, played: each alarm's commands as they stand there lead to its end."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from lambda_src.core.contract import Status
from tests.alarms.runbook import DRILL, calls_of_the_tool, sections
from tests.alarms.stories import fail_the_final_update
from tests.alarms.test_runbook import ALARMS
from tests.ops.office import Office
from tests.ops.test_redrive import fail_for_a_while, fail_for_good
from tests.services.channel import ACCOUNT, TEMPLATE, TOKEN, TWILIO_SECRET, context

CREDENTIALS = {
    "twilio_account_sid": ACCOUNT,
    "twilio_auth_token": TOKEN,
    "twilio_template_sid": TEMPLATE,
}
_SUBJECT = re.compile(r"# (\w+): ")


def lose(office: Office) -> list[str]:
    """One send ended unknown, hours ago."""
    office.lose_a_send()
    office.let_hours_pass("lost")
    return [context(conversation_id="lost")]


def leave_unrecorded(office: Office) -> list[str]:
    """One was sent, and its record could not be written."""
    fail_the_final_update(office.channel)
    office.let_hours_pass("unrecorded", 0.01)
    return [context(conversation_id="unrecorded")]


def rotate_the_token(office: Office) -> list[str]:
    """Twilio refuses the stored token, until a message has used its deliveries up."""
    old = json.dumps({**CREDENTIALS, "twilio_auth_token": "old"})
    office.channel.set_secret(TWILIO_SECRET, old)
    body = context(conversation_id="unpaid")
    office.channel.deliver(body)
    assert "twilio_20003" == office.channel.record("unpaid")["failure"]["code"]
    return [body]


def forbid_the_sender(office: Office) -> list[str]:
    """Twilio refuses the sender, for three messages."""
    return [fail_for_good(office.channel, f"sender-{number}") for number in range(3)]


def mix(office: Office) -> list[str]:
    """One was refused by mistake, one was never a context object."""
    return [fail_for_good(office.channel, "sender"), "no JSON"]


def wait(office: Office, number: int = 1) -> list[str]:
    """Messages used their deliveries up while a vendor was out."""
    return [fail_for_a_while(office.channel, f"waited-{each}") for each in range(number)]


def die(office: Office) -> list[str]:
    """A worker died amid its work."""
    (body,) = wait(office)
    office.channel.set_fields("waited-0", conversation_status="processing", lease_expires_at=1)
    return [body]


def send(office: Office) -> list[str]:
    """A message was sent, and counted as failed."""
    body = context(conversation_id="sent")
    office.channel.deliver(body)
    return [body]


def queue_up(office: Office) -> list[str]:
    """A message waits on the queue, and nobody reads it until the mapping is back."""
    office.channel.sqs.send_message(QueueUrl=office.channel.queue_url, MessageBody=context())
    return []


@dataclass(frozen=True)
class Exercise:
    """An alarm's drill.

    Attributes:
        begin: Brings its cause about; returns the dead letters.
        ends_in: How many messages are on the recipient's phone in the end.
    """

    begin: Callable[[Office], Iterable[str]]
    ends_in: int = 1


EXERCISES: Mapping[str, Exercise] = {
    "SendOutcomeUnknown": Exercise(lose),
    "FinalDbUpdateFailure": Exercise(leave_unrecorded),
    "VendorAccountRefused": Exercise(rotate_the_token),
    "NoMessageSent": Exercise(forbid_the_sender, ends_in=3),
    "DeadLetters": Exercise(mix),
    "MoreDeadLetters": Exercise(lambda office: wait(office, 12), ends_in=12),
    "RepeatedFailure": Exercise(wait),
    "OldestMessage": Exercise(queue_up),
    "FunctionErrors": Exercise(die),
    "FunctionThrottles": Exercise(lambda _: [context(conversation_id="untouched")]),
    "FunctionNearTimeout": Exercise(wait),
    "HeartbeatFailure": Exercise(send),
}


def blocks() -> Mapping[str, str]:
    """The drill's boxes of commands, by alarm."""
    found = {subject: block for block in sections()[DRILL].blocks for subject in _subjects(block)}
    assert len(found) == len(sections()[DRILL].blocks)
    return found


def _subjects(block: str) -> list[str]:
    return _SUBJECT.findall(block)[:1]


def test_there_is_a_drill_for_each_alarm() -> None:
    """No alarm is without one, and each is played here."""
    assert sorted(ALARMS) == sorted(blocks()) == sorted(EXERCISES)


@pytest.mark.parametrize("alarm", ALARMS)
def test_the_drill_leads_to_the_end(office: Office, tmp_path: Path, alarm: str) -> None:
    """Each letter is gone, each message arrived once, and no conversation is left open."""
    exercise = EXERCISES[alarm]
    office.bury(*exercise.begin(office))

    for call in calls_of_the_tool([blocks()[alarm]], tmp_path):
        _play(office, call)
    office.work_off()

    assert [] == office.dead_letters()
    assert exercise.ends_in == len(office.channel.phone())
    for row in office.done("conversation", "list"):
        is_gone = row["failure"] == "dropped_by_operator"
        assert is_gone or Status.SENT == row["status"], row


def _play(office: Office, call: list[str]) -> None:
    secret = json.dumps(CREDENTIALS) if call[:2] == ["secrets", "set"] else None
    result = office.run(*call, answer=secret)
    checks = call[:2] == ["secrets", "check"]  # which finds what is wrong, the first time
    assert result.exit_code == 0 or checks, result.output
    if "redrive" in call:
        office.work_off()
