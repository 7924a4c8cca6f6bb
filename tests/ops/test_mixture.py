"""Many dead letters of every kind, redriven in one go: each message arrives once, or rightly not.

`make letters` does it with two thousand.
"""

import os
import time
from collections import Counter

import boto3
import pytest

from lambda_src.services.dynamodb_service import ConversationsTable
from ops.queueing import Queue
from tests.ops.mixture import KINDS, MENDED, Conversation, World, conversations
from tests.ops.office import Office

LETTERS = int(os.environ.get("DEAD_LETTERS", "36"))
REDRIVE = ("dlq", "redrive", "--yes", "--rate", "100000", *MENDED)


def prepare(office: Office, mixture: list[Conversation]) -> None:
    """Make the records, and bury the letters."""
    table = ConversationsTable(
        boto3.client("dynamodb"), office.channel.table, "1.0.0", channel="whatsapp"
    )
    parse = office.parse
    for each in mixture:
        KINDS[each.kind].make(World(table, parse(each.body)))
    office.bury(*(each.body for each in mixture for _ in range(KINDS[each.kind].letters)))


def arrived(office: Office, mixture: list[Conversation]) -> Counter[str]:
    """How many messages there are on each phone."""
    recipients = {each.recipient for each in mixture}
    return Counter({each: len(office.channel.twilio.phone(each)) for each in recipients})


@pytest.mark.timeout(3600)
def test_each_message_arrives_once_or_rightly_not(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Called off after a third and started again: none is doubled, and none lost."""
    # For each message of a queue at each receive moto makes a calendar's date of the time.
    monkeypatch.setattr("moto.sqs.models.unix_time", time.time)
    monkeypatch.setattr("moto.sqs.models.unix_time_millis", lambda: time.time() * 1000)
    mixture = conversations(LETTERS)
    prepare(office, mixture)
    put, calls = Queue.put, iter(range(1 << 30))

    def until_called_off(self: Queue, body: str, company_id: str) -> str:
        if next(calls) == LETTERS // 3:
            raise KeyboardInterrupt
        return put(self, body, company_id)

    with monkeypatch.context() as patch:
        patch.setattr(Queue, "put", until_called_off)
        assert 130 == office.run(*REDRIVE).exit_code
    for _ in range(2):  # of two copies worked on at once, one finds the other busy, and is back
        office.work_off()
        office.done(*REDRIVE)
    office.work_off()

    due = Counter(each.recipient for each in mixture if KINDS[each.kind].arrives)
    assert due == +arrived(office, mixture)
    staying = {each.body for each in mixture if each.kind in {"failed", "unknown"}}
    assert staying == set(office.dead_letters())
    assert [] == office.queued()
    assert 0 == office.done(*REDRIVE)["acted"]
