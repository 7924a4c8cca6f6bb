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
ASK = CallName.parse("openai.POST responses#1")
NOTHING = RecordState()
OURS = RecordState("processing", owner="worker-1", fingerprint="1")
THEIRS = RecordState("processing", owner="worker-2", fingerprint="2")
ANSWERED = replace(OURS, has_answer=True, fingerprint="3")


def event(worker: int, before: RecordState, after: RecordState, call: CallName = WRITE) -> Event:
    return Event(0.0, Attempt(worker, call), Happening.APPLIED, before, after, 200)


ACQUIRED = event(1, NOTHING, OURS)
TAKEN_OVER = event(2, OURS, THEIRS)


def acts(*events: Event) -> list[str]:
    """Return the acts without the lease among events."""
    return history_of(events).acts_without_lease


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
    assert [str(late)] == acts(ACQUIRED, TAKEN_OVER, late)


@pytest.mark.parametrize(("worker", "expected"), [(1, 0), (2, 1)])
def test_asking_again_is_counted_for_who_knew_the_answer(worker: int, expected: int) -> None:
    """A worker that acquired the lease before the answer was stored may ask; no other one may."""
    taken = replace(ANSWERED, owner="worker-2", fingerprint="4")
    asked = Event(0.0, Attempt(worker, ASK), Happening.ARRIVED, taken, taken)
    stored_by_third = event(3, OURS, ANSWERED)
    events = (ACQUIRED, stored_by_third, event(2, ANSWERED, taken), asked)
    assert expected == history_of(events).asked_again


def test_answer_that_is_followed_by_another_request_is_counted() -> None:
    """It cost a request, although its worker never stored it."""
    asked = Event(0.0, Attempt(1, ASK), Happening.ARRIVED, OURS, OURS)
    answered = replace(asked, what=Happening.ANSWERED, status=200)
    assert [0, 1] == [
        history_of(events).ai_answers for events in ([asked, answered], [asked, answered, asked])
    ]
