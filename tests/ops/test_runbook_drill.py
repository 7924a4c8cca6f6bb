"""The runbook's drill, executed: each alarm's commands lead to a resolved channel."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

from lambda_src.core.contract import Status
from tests.ops.operator_channel import OperatorChannel
from tests.ops.runbook import ALARMS, DRILL, sections, tool_calls
from tests.support.channel import (
    ACCOUNT,
    TEMPLATE,
    TOKEN,
    TWILIO_SECRET,
    context,
    failing_operation,
)

CREDENTIALS = {
    "twilio_account_sid": ACCOUNT,
    "twilio_auth_token": TOKEN,
    "twilio_template_sid": TEMPLATE,
}
_SUBJECT = re.compile(r"# (\w+): ")


def lose_send(operator: OperatorChannel) -> list[str]:
    """A send ended with an unknown outcome hours ago."""
    body = operator.lose_send()
    operator.age_send("lost")
    return [body]


def fail_final_update(operator: OperatorChannel) -> list[str]:
    """A message was sent, and its record could not be written."""
    body = context(conversation_id="unrecorded")
    denied = failing_operation(
        operator.channel, "UpdateItem", "AccessDeniedException", containing="message_sid"
    )
    with denied:
        operator.channel.deliver(body)
    operator.age_send("unrecorded", 0.01)
    return [body]


def store_old_token(operator: OperatorChannel) -> list[str]:
    """Twilio refuses the stored token until a message's deliveries are used up."""
    old = json.dumps({**CREDENTIALS, "twilio_auth_token": "old"})
    operator.channel.set_secret(TWILIO_SECRET, old)
    body = context(conversation_id="unpaid")
    operator.channel.deliver(body)
    assert "twilio_20003" == operator.channel.record("unpaid")["failure"]["code"]
    return [body]


def kill_worker(operator: OperatorChannel) -> list[str]:
    """A worker died during its work."""
    body = operator.fail_temporarily("waited")
    operator.channel.set_fields("waited", conversation_status="processing", lease_expires_at=1)
    return [body]


def deliver(operator: OperatorChannel) -> list[str]:
    """A message was sent, but counted as failed."""
    operator.channel.deliver(context())
    return [context()]


def enqueue(operator: OperatorChannel) -> list[str]:
    """A message waits on the queue until the event source mapping is enabled again."""
    operator.enqueue(context())
    return []


PREPARATIONS: Mapping[str, Callable[[OperatorChannel], Iterable[str]]] = {
    "SendOutcomeUnknown": lose_send,
    "FinalDbUpdateFailure": fail_final_update,
    "VendorAccountRefused": store_old_token,
    "NoMessageSent": lambda op: [op.fail_permanently(f"sender-{each}") for each in range(3)],
    "DeadLetters": lambda op: [op.fail_permanently("sender"), "no JSON"],
    "MoreDeadLetters": lambda op: [op.fail_temporarily(f"waited-{each}") for each in range(12)],
    "RepeatedFailure": lambda op: [op.fail_temporarily("waited")],
    "OldestMessage": enqueue,
    "FunctionErrors": kill_worker,
    "FunctionThrottles": lambda _: [context()],
    "FunctionNearTimeout": lambda op: [op.fail_temporarily("waited")],
    "HeartbeatFailure": deliver,
}
"""Causes each alarm, and returns the dead-letter messages."""
SENT = {"NoMessageSent": 3, "MoreDeadLetters": 12}
"""How many messages are sent in the end, if not one."""


def drill_blocks() -> Mapping[str, str]:
    """Return the drill's blocks by the alarm that their first line names."""
    blocks = sections()[DRILL].blocks
    found = {subject: block for block in blocks for subject in _SUBJECT.findall(block)[:1]}
    assert len(found) == len(blocks)
    return found


def test_every_alarm_has_a_drill() -> None:
    """Runbook, drill and these tests have the same alarms."""
    assert sorted(ALARMS) == sorted(drill_blocks()) == sorted(PREPARATIONS)


@pytest.mark.parametrize("alarm", ALARMS)
def test_the_drill_resolves_the_alarm(
    operator: OperatorChannel, tmp_path: Path, alarm: str
) -> None:
    """No dead letter is left, each message is sent once, and no conversation is open."""
    operator.dead_letter(*PREPARATIONS[alarm](operator))

    for call in tool_calls([drill_blocks()[alarm]], tmp_path):
        is_check = call[:2] == ["secrets", "check"]  # finds the old token the first time
        secret = json.dumps(CREDENTIALS) if call[:2] == ["secrets", "set"] else None
        result = operator.run(*call, answer=secret)
        assert result.exit_code == 0 or is_check, result.output
        if "redrive" in call:
            operator.process_queue()
    operator.process_queue()

    assert [] == operator.dead_letters()
    assert SENT.get(alarm, 1) == len(operator.channel.phone())
    for row in operator.succeed("conversation", "list"):
        is_discarded = row["failure"] == "dropped_by_operator"
        assert is_discarded or Status.SENT == row["status"], row
