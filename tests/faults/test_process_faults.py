"""The quick part of the process faults: each fault does what its name says, and no rule breaks."""

import pytest

from tests.faults.process_faults._environment import Environment
from tests.faults.process_faults.calls import CallName, Event, Fault, Happening, Redelivery
from tests.faults.process_faults.cells import SCENARIOS, Cell
from tests.faults.process_faults.run import FROZEN_SECONDS, CellRun, Driver

FIRST = "first contact"
WRITE, SEND = CallName.parse("dynamodb.UpdateItem#2"), CallName.parse("twilio.POST Messages#1")
REACHED, ANSWERED, LOST = Happening.APPLIED, Happening.ANSWERED, Happening.LOST

FAULTS = [
    (WRITE, Fault.KILLED_BEFORE, [f"1 {LOST}"]),
    (WRITE, Fault.KILLED_AFTER, [f"1 {REACHED} 200", f"1 {LOST}"]),
    (WRITE, Fault.SERVER_ERROR, [f"1 {ANSWERED} 500", f"2 {ANSWERED} 500"]),
    (WRITE, Fault.REFUSED, [f"1 {ANSWERED} 400"]),
    (WRITE, Fault.THROTTLED, [f"1 {ANSWERED} 400", f"2 {ANSWERED} 400"]),
    (WRITE, Fault.TIMEOUT, [f"1 {LOST}", f"2 {LOST}"]),
    (
        WRITE,
        Fault.ANSWER_LOST,
        [f"1 {REACHED} 200", f"1 {LOST}", f"2 {REACHED} 400", f"2 {LOST}"],
    ),
    (
        WRITE,
        Fault.ANSWER_LOST_ONCE,
        [f"1 {REACHED} 200", f"1 {LOST}", f"2 {REACHED} 400", f"2 {ANSWERED} 400"],
    ),
    # Late, and yet not refused: alone, nobody has taken the conversation over meanwhile.
    (WRITE, Fault.FROZEN_BEFORE, [f"1 {REACHED} 200", f"1 {ANSWERED} 200"]),
    (WRITE, Fault.FROZEN_AFTER, [f"1 {REACHED} 200", f"1 {ANSWERED} 200"]),
    (SEND, Fault.ERROR_YET_DONE, [f"1 {REACHED} 201", f"1 {ANSWERED} 500"]),
    (SEND, Fault.CREDENTIALS, [f"1 {ANSWERED} 401"]),
]
CELLS = (
    f"{FIRST} / sqs.ChangeMessageVisibilityBatch#1 / killed after / redelivered",
    f"{FIRST} / dynamodb.TransactWriteItems#1 / answer lost once / concurrent duplicate",
    f"{FIRST} / secretsmanager.GetSecretValue#1 / throttled / redelivered",
    f"{FIRST} / openai.POST responses#1 / server error, yet done / redelivered",
    f"{FIRST} / dynamodb.UpdateItem#3 / throttled / concurrent duplicate",
    "free text / twilio.POST Messages#1 / answer lost / redelivered",
    "long work / dynamodb.UpdateItem#4 / killed before / redelivered",
    "threads and runs / openai.POST runs#1 / killed after / redelivered",
    "key renewed / secretsmanager.GetSecretValue#3 / server error / redelivered",
    "credentials renewed / twilio.POST Messages#2 / killed after / redelivered",
    "failure recorded / dynamodb.UpdateItem#1 / answer lost / redelivered",
    "retried / sqs.GetQueueAttributes#1 / refused / redelivered",
    "answer stored / dynamodb.UpdateItem#6 / killed after / redelivered",
    "stored answer used / twilio.POST Messages#1 / throttled / redelivered",
    "reconciled / dynamodb.UpdateItem#1 / answer lost / redelivered",
    "reconciled, free text / twilio.GET Messages#1 / killed before / redelivered",
    "list lags / dynamodb.UpdateItem#1 / killed after / redelivered",
    "declared unknown / dynamodb.UpdateItem#1 / killed after / redelivered",
    "declared unknown, yet sent / dynamodb.UpdateItem#1 / killed after / redelivered",
    "refused by Twilio / dynamodb.TransactWriteItems#2 / throttled / redelivered",
    "draft rewritten / dynamodb.UpdateItem#3 / killed after / redelivered",
    "draft held / sqs.SendMessage#1 / killed before / redelivered",
    "refused context / dynamodb.TransactWriteItems#1 / killed before / redelivered",
    "opted out / dynamodb.TransactWriteItems#2 / answer lost / concurrent duplicate",
    "last delivery / dynamodb.UpdateItem#1 / killed before / redelivered",
    "not recorded / sqs.ChangeMessageVisibilityBatch#4 / killed before / redelivered",
)


def run(environment: Environment, call: CallName, fault: Fault, redelivery: Redelivery) -> None:
    """Run a cell of the first scenario, and check that it breaks no rule."""
    *_, result = CellRun(Cell(FIRST, call, fault, redelivery), environment).results()
    assert result.is_kept, "\n".join((*result.trace, *result.log, result.outcome))


def happened(environment: Environment, call: CallName) -> list[Event]:
    """Return what happened to the first worker's call after it had arrived."""
    events = (e for e in environment.events if e.worker == 1 and e.call == call)
    return [event for event in events if event.what is not Happening.ARRIVED]


@pytest.mark.parametrize(
    ("call", "fault", "expected"), FAULTS, ids=[f"{call} {fault}" for call, fault, _ in FAULTS]
)
def test_fault_is_what_it_is_called(
    cells: Driver, call: CallName, fault: Fault, expected: list[str]
) -> None:
    """The call takes effect or not, and is answered or not, as the name says; no rule breaks."""
    with cells.environment(SCENARIOS[FIRST]) as environment:
        run(environment, call, fault, Redelivery.ALONE)
        events = happened(environment, call)
        shown = [f"{e.attempt.number} {e.what} {e.status or ''}".strip() for e in events]
        assert expected == shown
        if fault is Fault.KILLED_BEFORE:  # a killed worker makes no further call and logs nothing
            assert environment.events[-1].call == call
            [worker] = environment.workers
            assert ["batch_received"] == [line["event"] for line in worker.lines()]


def test_every_fault_is_tested() -> None:
    """Each fault of the grid is seen to do what its name says."""
    assert set(Fault) == {fault for _, fault, _ in FAULTS}


@pytest.mark.parametrize("name", CELLS)
def test_cell_keeps_the_promise(name: str, cells: Driver) -> None:
    """Whatever fault happens at whatever call: no message is lost, duplicated or misrecorded."""
    result = cells.run(Cell.parse(name))

    assert result.is_kept, "\n".join((*result.trace, *result.log, result.outcome))


def test_quick_part_has_every_scenario() -> None:
    """No scenario is left to the whole proof alone."""
    assert set(SCENARIOS) == {Cell.parse(name).scenario for name in CELLS}


def test_another_worker_takes_over_while_one_is_frozen(cells: Driver) -> None:
    """The message of a frozen worker is delivered again; its own request comes late."""
    with cells.environment(SCENARIOS[FIRST]) as environment:
        run(environment, WRITE, Fault.FROZEN_BEFORE, Redelivery.REDELIVERED)
        reached, _ = happened(environment, WRITE)
        events = environment.events
        arrived = next(e for e in events if e.call == WRITE and e.what is Happening.ARRIVED)
        sent = next(event for event in events if event.after.sid)
        assert 2 == sent.worker
        assert sent.at <= reached.at
        assert reached.at >= arrived.at + FROZEN_SECONDS


def test_concurrent_duplicate_runs_while_the_first_worker_is_held(cells: Driver) -> None:
    """A concurrent duplicate begins and ends before the fault happens."""
    with cells.environment(SCENARIOS[FIRST]) as environment:
        run(environment, SEND, Fault.TIMEOUT, Redelivery.CONCURRENT)
        first = happened(environment, SEND)
        in_order = [e.worker for e in environment.events if e.worker == 2 or e in first]
        assert [2, 1] == list(dict.fromkeys(in_order))
        lines = environment.workers[1].lines()
        assert "send_outcome_pending" in [line.get("event") for line in lines]


def test_late_duplicate_comes_after_the_end(cells: Driver) -> None:
    """A late duplicate finds that the message was sent."""
    with cells.environment(SCENARIOS[FIRST]) as environment:
        run(environment, SEND, Fault.KILLED_AFTER, Redelivery.LATE)
        lines = environment.workers[-1].lines()
        assert "already_processed" in [line.get("event") for line in lines]


def test_boundaries_keep_their_names(cells: Driver) -> None:
    """The calls of a first contact are the same, with the same numbers, each time."""
    expected = [
        "sqs.ChangeMessageVisibilityBatch#1",
        "dynamodb.TransactWriteItems#1",
        "secretsmanager.GetSecretValue#1",
        "secretsmanager.GetSecretValue#2",
        "openai.POST conversations#1",
        "openai.POST responses#1",
        "sqs.ChangeMessageVisibilityBatch#2",
        "dynamodb.UpdateItem#1",
        "dynamodb.UpdateItem#2",
        "twilio.POST Messages#1",
        "dynamodb.UpdateItem#3",
    ]
    assert expected == [str(call) for _, call in cells.boundaries(FIRST)]


@pytest.mark.parametrize("name", ["failure recorded", "answer stored", "list lags"])
def test_scenario_makes_the_calls_that_it_examines(cells: Driver, name: str) -> None:
    """What a scenario is to examine happens in it."""
    assert set(SCENARIOS[name].focus) == {str(call) for _, call in cells.boundaries(name)}
