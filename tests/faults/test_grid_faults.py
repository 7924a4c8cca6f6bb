"""Each fault and company of the grid does what its name says, to a real worker."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.grid.calls import CallName
from tests.faults.grid.cells import Cell
from tests.faults.grid.driver import Driver
from tests.faults.grid.faults import Company, Fault
from tests.faults.grid.handlers import OURS
from tests.faults.grid.journal import Event, Happening
from tests.faults.grid.play import FROZEN_SECONDS, Play
from tests.faults.grid.scenarios import SCENARIOS
from tests.faults.grid.world import World

WRITE = CallName.parse("dynamodb.UpdateItem#2")
SEND = CallName.parse("twilio.POST Messages#1")
STORY = "first contact"


@contextmanager
def played(
    grid: Driver, call: CallName, fault: Fault, company: Company = Company.ALONE
) -> Iterator[World]:
    """A world in which that cell has been played."""
    world = World(grid.services, SCENARIOS[STORY], OURS, grid.scratch)
    try:
        list(Play(Cell(STORY, call, fault, company), world).results())
        yield world
    finally:
        world.close()


def fate(world: World, call: CallName) -> list[Event]:
    """What became of the first worker's call, after it arrived."""
    events = [event for event in world.journal.events if event.worker == 1 and event.call == call]
    return [event for event in events if event.what is not Happening.ARRIVED]


def told(events: list[Event]) -> list[str]:
    """Events in words: attempt, happening, status."""
    return [f"{event.attempt.number} {event.what} {event.status or ''}".strip() for event in events]


REACHED, ANSWERED, LOST = Happening.APPLIED, Happening.ANSWERED, Happening.LOST
FATES = [
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
    # Late, and yet not refused: alone, nobody has taken the conversation meanwhile.
    (WRITE, Fault.FROZEN_BEFORE, [f"1 {REACHED} 200", f"1 {ANSWERED} 200"]),
    (WRITE, Fault.FROZEN_AFTER, [f"1 {REACHED} 200", f"1 {ANSWERED} 200"]),
    (SEND, Fault.ERROR_YET_DONE, [f"1 {REACHED} 201", f"1 {ANSWERED} 500"]),
    (SEND, Fault.CREDENTIALS, [f"1 {ANSWERED} 401"]),
    (SEND, Fault.ANSWER_LOST, [f"1 {REACHED} 201", f"1 {LOST}"]),
]


@pytest.mark.parametrize(
    ("call", "fault", "expected"), FATES, ids=[f"{call} {fault}" for call, fault, _ in FATES]
)
def test_fault_is_what_it_is_called(
    grid: Driver, call: CallName, fault: Fault, expected: list[str]
) -> None:
    """The call takes its effect or not, and is answered or not, as the fault's name says."""
    with played(grid, call, fault) as world:
        assert expected == told(fate(world, call))


def test_every_fault_is_shown() -> None:
    """No fault of the grid is believed without being seen."""
    assert set(Fault) == {fault for _, fault, _ in FATES}


@pytest.mark.parametrize("fault", [Fault.KILLED_BEFORE, Fault.KILLED_AFTER])
def test_killed_worker_says_nothing_more(grid: Driver, fault: Fault) -> None:
    """A worker that is killed makes no further call and logs no further line."""
    with played(grid, SEND, fault) as world:
        [worker] = world.runners
        assert worker.was_killed
        assert world.journal.events[-1].call == SEND
        assert ["batch_received"] == [line["event"] for line in worker.lines()]


def test_frozen_worker_s_request_is_delivered_late(grid: Driver) -> None:
    """A frozen worker's request reaches the service once its lease is over."""
    with played(grid, WRITE, Fault.FROZEN_BEFORE) as world:
        [reached, _] = fate(world, WRITE)
        [arrived] = [
            event
            for event in world.journal.events
            if event.call == WRITE and event.what is Happening.ARRIVED
        ]
        assert reached.at >= arrived.at + FROZEN_SECONDS


def test_another_worker_takes_over_while_one_is_frozen(grid: Driver) -> None:
    """In company, the message of a frozen worker is delivered to another one meanwhile."""
    with played(grid, WRITE, Fault.FROZEN_BEFORE, Company.REDELIVERED) as world:
        [reached, _] = fate(world, WRITE)
        sent = [event for event in world.journal.events if event.after.sid]
        assert 2 == sent[0].worker
        assert sent[0].at <= reached.at


def test_duplicate_runs_while_the_first_is_held(grid: Driver) -> None:
    """A concurrent duplicate begins and ends before the fault happens."""
    with played(grid, SEND, Fault.ANSWER_LOST, Company.CONCURRENT) as world:
        happened = [e for e in world.journal.events if e.worker == 2 or e in fate(world, SEND)]
        assert [2, 1] == list(dict.fromkeys(event.worker for event in happened))
        events = [line.get("event") for line in world.runners[1].lines()]
        assert "send_outcome_pending" in events


def test_late_duplicate_comes_after_the_end(grid: Driver) -> None:
    """A late duplicate finds that the message was sent."""
    with played(grid, SEND, Fault.ANSWER_LOST, Company.LATE) as world:
        events = [line.get("event") for line in world.runners[-1].lines()]
        assert "already_processed" in events


def test_boundaries_keep_their_names(grid: Driver) -> None:
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
    assert expected == [str(b.call) for b in grid.boundaries(SCENARIOS[STORY])]


@pytest.mark.parametrize("name", ["put down", "answer kept", "list lags", "not recorded"])
def test_story_has_every_call_that_it_is_told_for(grid: Driver, name: str) -> None:
    """What a scenario is to examine happens in it."""
    scenario = SCENARIOS[name]
    calls = [b.call for b in grid.boundaries(scenario)]
    assert set(scenario.focus) == set(map(str, calls))


def test_broken_handler_is_caught(grid: Driver) -> None:
    """A worker that announces nothing before it sends doubles a message when it is killed."""
    cell = Cell(STORY, SEND, Fault.KILLED_AFTER, Company.REDELIVERED)

    result = grid.play(cell, "no_intent")

    assert "breaks 1" == result.outcome
    assert not result.is_as_promised
