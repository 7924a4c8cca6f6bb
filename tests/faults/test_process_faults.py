"""The quick part of the process faults, and what their journal shows of a broken rule."""

from dataclasses import replace

import pytest

from tests.faults.process_faults.calls import (
    Attempt,
    CallName,
    Event,
    Happening,
    RecordState,
    history_of,
)
from tests.faults.process_faults.cells import Cell
from tests.faults.process_faults.run import Driver

CELLS = (
    "first contact / sqs.ChangeMessageVisibilityBatch#1 / killed after / redelivered",
    "first contact / dynamodb.TransactWriteItems#1 / answer lost once / concurrent duplicate",
    "first contact / secretsmanager.GetSecretValue#1 / throttled / redelivered",
    "first contact / openai.POST responses#1 / server error, yet done / redelivered",
    "first contact / dynamodb.UpdateItem#2 / frozen before / redelivered",
    "first contact / twilio.POST Messages#1 / timeout / concurrent duplicate",
    "threads and runs / openai.POST runs#1 / killed after / redelivered",
    "credentials renewed / twilio.POST Messages#2 / killed after / redelivered",
    "failure recorded / dynamodb.UpdateItem#1 / answer lost / redelivered",
    "reconciled / dynamodb.UpdateItem#1 / answer lost / redelivered",
    "declared unknown / dynamodb.UpdateItem#1 / killed after / redelivered",
    "draft held / sqs.SendMessage#1 / killed before / redelivered",
    "opted out / dynamodb.TransactWriteItems#2 / answer lost / concurrent duplicate",
    "last delivery / dynamodb.UpdateItem#1 / refused / late duplicate",
)


@pytest.mark.parametrize("name", CELLS)
def test_cell_keeps_the_promise(name: str, cells: Driver) -> None:
    """Whatever fault happens at whatever call: no message is lost, duplicated or misrecorded."""
    result = cells.run(Cell.parse(name))

    assert result.is_kept, "\n".join((*result.trace, *result.log, result.outcome))


WRITE = CallName.parse("dynamodb.UpdateItem#2")
SEND = CallName.parse("twilio.POST Messages#1")
OURS = RecordState("processing", owner="worker-1", fingerprint="1")
THEIRS = RecordState("processing", owner="worker-2", fingerprint="2")


def event(worker: int, before: RecordState, after: RecordState, call: CallName = WRITE) -> Event:
    return Event(0.0, Attempt(worker, call), Happening.APPLIED, before, after, 200)


ACQUIRED = event(1, RecordState(), OURS)
TAKEN_OVER = event(2, OURS, THEIRS)


@pytest.mark.parametrize(
    "late",
    [
        event(1, THEIRS, replace(THEIRS, status="sending", fingerprint="4")),
        event(1, THEIRS, THEIRS, SEND),
    ],
    ids=["writes", "sends"],
)
def test_act_after_a_takeover_is_without_lease(late: Event) -> None:
    """A worker that was taken over from may neither write nor send."""
    assert [str(late)] == history_of([ACQUIRED, TAKEN_OVER, late]).acts_without_lease
