"""The grid's own parts: names of cells and calls, acts without a lease, results."""

from dataclasses import replace

import pytest
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from tests.faults.grid.calls import Attempt, CallName, Numbering
from tests.faults.grid.cells import Boundary, Cell, cells_of, least_plays
from tests.faults.grid.evidence import acts_without_lease
from tests.faults.grid.faults import Company, Fault, can_befall
from tests.faults.grid.journal import Event, Happening, Journal, RecordState
from tests.faults.grid.results import CellResult, GridResult
from tests.faults.rules import Evidence, Rule

WRITE = CallName.parse("dynamodb.UpdateItem#2")
SEND = CallName.parse("twilio.POST Messages#1")
READ = CallName.parse("secretsmanager.GetSecretValue#1")
CELL = Cell("first contact", SEND, Fault.KILLED_AFTER, Company.REDELIVERED)
NAME = "first contact / twilio.POST Messages#1 / killed after / redelivered"
OURS = RecordState("processing", owner="worker-1", fingerprint="1")
THEIRS = RecordState("processing", owner="worker-2", fingerprint="2")


def happened(worker: int, before: RecordState, after: RecordState, call: CallName = WRITE) -> Event:
    """A call that reached its service."""
    return Event(0.0, Attempt(worker, call), Happening.APPLIED, before, after, 200)


CLAIMED = happened(1, RecordState(), OURS)
TAKEN_OVER = happened(2, OURS, THEIRS)


def request(path: str, method: str = "POST", **headers: str) -> Request:
    """A request as the proxy gets it."""
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
def test_call_is_named_by_what_is_asked_of_whom(asked: Request, expected: str) -> None:
    """A call's name is the service's own word, or the method and the resource."""
    attempt = Numbering(worker=1).name(asked)
    assert (expected, 1) == (str(attempt.call), attempt.number)


def test_repetitions_by_the_sdk_are_attempts_at_one_call() -> None:
    """Only another invocation is another call."""
    numbering = Numbering(worker=1)
    target = {"X_Amz_Target": "AmazonSQS.GetQueueAttributes"}
    attempts = [
        numbering.name(request("/", **target, amz_sdk_invocation_id=invocation))
        for invocation in ("one", "one", "two")
    ]
    assert [(1, 1), (1, 2), (2, 1)] == [(one.call.number, one.number) for one in attempts]


def test_cell_is_found_by_its_name() -> None:
    """A cell's name says all that it is."""
    assert NAME == str(CELL)
    assert CELL == Cell.parse(NAME)


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


def test_faults_befall_only_what_they_can() -> None:
    """A read has no effect to lose, and vendors' calls are not repeated by their SDKs."""
    assert not can_befall(Fault.KILLED_AFTER, READ)
    assert not can_befall(Fault.ANSWER_LOST_ONCE, SEND)
    assert not can_befall(Fault.CREDENTIALS, WRITE)


def test_every_boundary_meets_every_fault_in_every_company() -> None:
    """The grid leaves no cell out."""
    cells = set(cells_of([Boundary("first contact", WRITE), Boundary("first contact", SEND)]))
    expected = sum(can_befall(fault, call) for fault in Fault for call in (WRITE, SEND))
    assert expected * len(Company) == len(cells)


def test_one_play_tells_of_several_cells() -> None:
    """A message is alone, then redelivered, then has a late duplicate: that is played once."""
    cells = set(cells_of([Boundary("first contact", SEND)]))
    plays = least_plays(cells)
    assert cells == frozenset().union(*plays.values())
    assert len(cells) == sum(map(len, plays.values()))
    late = replace(CELL, company=Company.LATE)
    assert {Company.ALONE, Company.REDELIVERED, Company.LATE} == {c.company for c in plays[late]}


def test_frozen_worker_alone_is_played_alone() -> None:
    """While a worker is frozen, nobody else must act for it to be alone."""
    late = replace(CELL, fault=Fault.FROZEN_AFTER, company=Company.LATE)
    assert [Company.REDELIVERED, Company.LATE] == [cell.company for cell in late.passed]


def test_write_after_another_s_claim_is_an_act_without_lease() -> None:
    """Who was taken over from, and writes, does what it must not."""
    late = happened(1, THEIRS, replace(THEIRS, status="sending", fingerprint="3"))
    assert [late] == list(acts_without_lease([CLAIMED, TAKEN_OVER, late]))


def test_message_after_another_s_claim_is_an_act_without_lease() -> None:
    """Who was taken over from, and sends, does what it must not."""
    late = happened(1, THEIRS, THEIRS, SEND)
    assert [late] == list(acts_without_lease([CLAIMED, TAKEN_OVER, late]))


@pytest.mark.parametrize(
    "harmless",
    [
        happened(1, THEIRS, THEIRS),
        happened(1, THEIRS, replace(THEIRS, sid="SM1", fingerprint="3")),
        happened(2, THEIRS, replace(THEIRS, status="sending", fingerprint="3")),
        happened(3, THEIRS, replace(THEIRS, status="sending", fingerprint="3")),
    ],
    ids=["refused", "records a sid", "the holder's", "never held it"],
)
def test_what_a_worker_may_do_is_no_act_without_lease(harmless: Event) -> None:
    """A refused write, the record of a sid, and the work of others are allowed."""
    assert [] == list(acts_without_lease([CLAIMED, TAKEN_OVER, harmless]))


def test_story_leaves_out_what_goes_without_saying() -> None:
    """A call that is answered at once as the service answers takes one line."""
    journal = Journal()
    arrived = replace(CLAIMED, what=Happening.ARRIVED, after=RecordState(), status=0)
    for event in (arrived, CLAIMED, replace(CLAIMED, what=Happening.ANSWERED, before=OURS)):
        journal.add(event)
    [line] = journal.story()
    assert line.endswith("dynamodb.UpdateItem#2 reached the service 200  [no record -> processing]")


ENDED = Evidence(sids=("SM1",), places=(), status="initial_message_sent", is_over=True)
REACHED = CellResult(CELL, ending=ENDED, is_reached=True)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (REACHED, "sent"),
        (replace(REACHED, people=1), "sent after a person"),
        (replace(REACHED, ending=replace(ENDED, sids=())), "refused"),
        (replace(REACHED, ending=replace(ENDED, is_over=False)), "initial_message_sent"),
        (replace(REACHED, broken=(Rule.AT_MOST_ONCE, Rule.RECORD_IS_TRUE)), "breaks 1, 3"),
        (replace(REACHED, is_unresolved=True), "unresolved"),
        (replace(REACHED, is_reached=False), "not reached"),
        (replace(REACHED, error="stuck"), "not played"),
    ],
)
def test_outcome_is_told_in_few_words(result: CellResult, expected: str) -> None:
    """What became of a cell can be read in a table."""
    assert expected == result.outcome


def test_results_are_counted_by_what_went_wrong() -> None:
    """Lost, doubled, wrong and unresolved are counts of cells; one may be several."""
    result = GridResult(
        "ours",
        (
            REACHED,
            replace(REACHED, broken=(Rule.AT_MOST_ONCE, Rule.RECORD_IS_TRUE)),
            replace(REACHED, broken=(Rule.SENT_IN_THE_END,), is_unresolved=True),
            replace(REACHED, people=2),
        ),
    )
    counts = (result.lost, result.doubled, result.wrong, result.unresolved, result.people)
    assert (1, 1, 1, 1, 1) == counts
    assert 2 == len(result.violations)
