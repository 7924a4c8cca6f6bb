"""Redrive many dead-letter messages in every state: each message is sent at most once.

`make drill` does it with two thousand.
"""

import os
import time
from collections import Counter
from dataclasses import dataclass
from itertools import cycle, islice

import boto3
import pytest

from lambda_src import index
from lambda_src.services.dynamodb_service import ConversationsTable
from ops.queues import ChannelQueue
from tests.ops.conversation_states import FIXED_CAUSES, STATES, StateWriter
from tests.ops.operator_channel import OperatorChannel
from tests.support.channel import context, recipient_data

MESSAGES = int(os.environ.get("DEAD_LETTERS", "36"))
REDRIVE = ("dlq", "redrive", "--yes", "--rate", "100000", *FIXED_CAUSES)


@dataclass(frozen=True)
class Conversation:
    """One conversation with dead-letter messages."""

    state: str
    recipient: str
    body: str


def conversations(count: int) -> list[Conversation]:
    """Return conversations in all states, several for each recipient."""
    states = islice(cycle(STATES), count)
    return [_conversation(state, number) for number, state in enumerate(states)]


def _conversation(state: str, number: int) -> Conversation:
    recipient = f"+447700900{number // len(STATES) % 1000:03}"
    body = context(
        lambda document: recipient_data(document).update(recipient_tel=recipient),
        conversation_id=f"{state}-{number}",
    )
    return Conversation(state, recipient, body)


@pytest.mark.timeout(3600)
def test_each_message_is_sent_once_or_rightly_not(
    operator: OperatorChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted after a third and repeated, the redrive sends no message twice and loses none."""
    # moto computes a calendar date for each message of a queue at each receive.
    monkeypatch.setattr("moto.sqs.models.unix_time", time.time)
    monkeypatch.setattr("moto.sqs.models.unix_time_millis", lambda: time.time() * 1000)
    mixture = conversations(MESSAGES)
    table = ConversationsTable(
        boto3.client("dynamodb"), operator.channel.table, "1.0.0", channel="whatsapp"
    )
    parse = index.batch_handler().parse
    for each in mixture:
        STATES[each.state].write(StateWriter(table, parse(each.body)))
    operator.dead_letter(*(each.body for each in mixture for _ in range(STATES[each.state].copies)))
    send, calls = ChannelQueue.send, iter(range(1 << 30))

    def interrupt_after_a_third(self: ChannelQueue, body: str, company_id: str) -> str:
        """Interrupt one call before and one after the message is queued."""
        number = next(calls)
        if number == MESSAGES // 3:
            raise KeyboardInterrupt
        message_id = send(self, body, company_id)
        if number == MESSAGES // 3 + 1:
            raise KeyboardInterrupt
        return message_id

    with monkeypatch.context() as patch:
        patch.setattr(ChannelQueue, "send", interrupt_after_a_third)
        assert 130 == operator.run(*REDRIVE).exit_code
    for _ in range(2):  # of two copies processed at once, one fails and is a dead letter again
        operator.process_queue()
        operator.succeed(*REDRIVE)
    operator.process_queue()

    expected = Counter(each.recipient for each in mixture if STATES[each.state].arrives)
    recipients = {each.recipient for each in mixture}
    sent = Counter({each: len(operator.channel.twilio.inbox(each)) for each in recipients})
    assert expected == +sent
    staying = {each.body for each in mixture if each.state in {"failed", "unknown"}}
    assert staying == set(operator.dead_letters())
    assert [] == operator.queued()
    assert 0 == operator.succeed(*REDRIVE)["acted"]
