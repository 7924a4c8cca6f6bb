"""Parts of the process faults: names of cells and calls, the journal's history, results."""

from dataclasses import replace

import pytest
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from tests.faults.process_faults.calls import (
    Attempt,
    CallCounter,
    CallName,
    Event,
    Fault,
    Happening,
    RecordState,
    Redelivery,
    history_of,
    is_applicable,
    trace,
)
from tests.faults.process_faults.cells import (
    Cell,
    CellResult,
    CellsResult,
    cells_of,
    fewest_runs,
)
from tests.faults.rules import Evidence, Rule

WRITE = CallName.parse("dynamodb.UpdateItem#2")
SEND = CallName.parse("twilio.POST Messages#1")
READ = CallName.parse("secretsmanager.GetSecretValue#1")
ASK = CallName.parse("openai.POST responses#1")
CELL = Cell("first contact", SEND, Fault.KILLED_AFTER, Redelivery.REDELIVERED)
NAME = "first contact / twilio.POST Messages#1 / killed after / redelivered"
NOTHING = RecordState()
OURS = RecordState("processing", owner="worker-1", fingerprint="1")
THEIRS = RecordState("processing", owner="worker-2", fingerprint="2")
ANSWERED = replace(OURS, has_answer=True, fingerprint="3")


def event(worker: int, before: RecordState, after: RecordState, call: CallName = WRITE) -> Event:
    return Event(0.0, Attempt(worker, call), Happening.APPLIED, before, after, 200)


ACQUIRED = event(1, NOTHING, OURS)
TAKEN_OVER = event(2, OURS, THEIRS)


def request(path: str, method: str = "POST", **headers: str) -> Request:
    """Return a request as the proxy gets it."""
    names = Headers({name.replace("_", "-"): value for name, value in headers.items()})
    return Request(EnvironBuilder(path, method=method, headers=names).get_environ())


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (request("/", X_Amz_Target="DynamoDB_20120810.UpdateItem"), "dynamodb.UpdateItem#1"),
        (request("/", X_Amz_Target="AmazonSQS.GetQueueAttributes"), "sqs.GetQueueAttributes#1"),
        (request("/v1/conversations"), "openai.POST conversations#1"),
        (request("/v1/threads/thread_1a/runs/run_2b", "GET"), "openai.GET runs#1"),
        (request("/v1/threads/thread_1a/runs/run_2b/cancel"), "openai.POST cancel#1"),
        (
            request(f"/2010-04-01/Accounts/AC{'0' * 32}/Messages.json", "GET"),
            "twilio.GET Messages#1",
        ),
    ],
)
def test_call_is_named_by_service_and_operation(asked: Request, expected: str) -> None:
    """A call's name is AWS's own word, or the method and the resource."""
    attempt = CallCounter(worker=1).name(asked)
    assert (expected, 1) == (str(attempt.call), attempt.number)


def test_retries_of_the_sdk_are_attempts_at_one_call() -> None:
    """Only another invocation is another call."""
    calls, target = CallCounter(worker=1), {"X_Amz_Target": "AmazonSQS.GetQueueAttributes"}
    attempts = [
        calls.name(request("/", **target, amz_sdk_invocation_id=invocation))
        for invocation in ("one", "one", "two")
    ]
    assert [(1, 1), (1, 2), (2, 1)] == [(one.call.number, one.number) for one in attempts]


def test_cell_is_found_by_its_name() -> None:
    """A cell's name identifies it."""
    assert (NAME, CELL) == (str(CELL), Cell.parse(NAME))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("first contact / killed after", "4 parts"),
        (NAME.replace("first contact", "last contact"), "scenario"),
        (NAME.replace("#1", ""), "boundary"),
        (NAME.replace("killed after", "sneezed"), "sneezed"),
        (NAME.replace("redelivered", "in a crowd"), "in a crowd"),
    ],
)
def test_unknown_name_is_refused(name: str, wrong: str) -> None:
    """What is no cell's name is refused by the part that is wrong."""
    with pytest.raises(ValueError, match=wrong):
        Cell.parse(name)


def test_every_boundary_has_every_applicable_fault_and_redelivery() -> None:
    """No cell is left out, and none that equals another one is added."""
    assert not is_applicable(Fault.KILLED_AFTER, READ)
    assert not is_applicable(Fault.ANSWER_LOST_ONCE, SEND)
    assert not is_applicable(Fault.CREDENTIALS, WRITE)
    cells = set(cells_of([("first contact", WRITE), ("first contact", SEND)]))
    expected = sum(is_applicable(fault, call) for fault in Fault for call in (WRITE, SEND))
    assert expected * len(Redelivery) == len(cells)


def test_one_run_covers_several_cells() -> None:
    """A message is alone, then redelivered, then has a late duplicate: that is run once."""
    cells = set(cells_of([("first contact", SEND)]))
    runs = fewest_runs(cells)
    assert cells == frozenset().union(*runs.values())
    assert len(cells) == sum(map(len, runs.values()))
    late = replace(CELL, redelivery=Redelivery.LATE)
    covered = {Redelivery.ALONE, Redelivery.REDELIVERED, Redelivery.LATE}
    assert covered == {cell.redelivery for cell in runs[late]}
    frozen = replace(late, fault=Fault.FROZEN_AFTER)
    assert [Redelivery.REDELIVERED, Redelivery.LATE] == [c.redelivery for c in frozen.covered]


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


@pytest.mark.parametrize(
    "harmless",
    [
        event(1, THEIRS, THEIRS),
        event(1, THEIRS, replace(THEIRS, sid="SM1", fingerprint="4")),
        event(2, THEIRS, replace(THEIRS, status="sending", fingerprint="4")),
        event(3, THEIRS, replace(THEIRS, status="sending", fingerprint="4")),
    ],
    ids=["refused", "records a sid", "the owner's", "never held it"],
)
def test_allowed_act_is_not_without_lease(harmless: Event) -> None:
    """A refused write, the record of a sid, and the work of others are allowed."""
    assert [] == acts(ACQUIRED, TAKEN_OVER, harmless)


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


def test_trace_leaves_out_what_follows_from_another_line() -> None:
    """A call that is answered at once as the service answers takes one line."""
    arrived = replace(ACQUIRED, what=Happening.ARRIVED, after=NOTHING, status=0)
    answered = replace(ACQUIRED, what=Happening.ANSWERED, before=OURS)
    [line] = trace([arrived, ACQUIRED, answered])
    assert line.endswith("dynamodb.UpdateItem#2 reached the service 200  [no record -> processing]")


ENDED = Evidence(sids=("SM1",), locations=(), status="initial_message_sent", is_final=True)
REACHED = CellResult(CELL, evidence=ENDED, is_reached=True)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (REACHED, "sent"),
        (replace(REACHED, operator_actions=1), "sent after an operator"),
        (replace(REACHED, evidence=replace(ENDED, sids=())), "refused"),
        (replace(REACHED, evidence=replace(ENDED, is_final=False)), "initial_message_sent"),
        (replace(REACHED, broken=(Rule.AT_MOST_ONCE, Rule.RECORD_IS_TRUE)), "breaks 1, 3"),
        (replace(REACHED, is_unresolved=True), "unresolved"),
        (replace(REACHED, is_reached=False), "not reached"),
        (replace(REACHED, error="stuck"), "not run stuck"),
    ],
)
def test_outcome_is_short(result: CellResult, expected: str) -> None:
    """What happened in a cell can be read in a table."""
    assert expected == result.outcome


def test_violation_names_the_command_that_repeats_its_cell() -> None:
    """Only a cell that is not kept is a violation."""
    broken = replace(REACHED, broken=(Rule.AT_MOST_ONCE,))
    result = CellsResult.of("ours", (REACHED, broken, replace(REACHED, operator_actions=2)))
    assert [f'python -m tests.faults cell "{NAME}"'] == [v.replay for v in result.violations]
