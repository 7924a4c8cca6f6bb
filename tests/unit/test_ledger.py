"""The ledger's rules: what a delivery may do with a record that stands already."""

import pytest

from lambda_src.core.contract import Status
from lambda_src.core.ledger import Decision, Entry, decide
from tests.unit.fakes.clock import START
from tests.unit.samples import entry

LIVE, LAPSED, ENDING = START + 0.001, START - 60, START
MINE, OTHERS = "owner-1", "owner-2"

TABLE = {
    (Status.SENT, OTHERS, LIVE): Decision.ACKNOWLEDGE,
    (Status.SENT, MINE, LAPSED): Decision.ACKNOWLEDGE,
    (Status.FAILED, OTHERS, LIVE): Decision.GIVE_UP,
    (Status.FAILED, MINE, LAPSED): Decision.GIVE_UP,
    (Status.SEND_UNKNOWN, OTHERS, LIVE): Decision.GIVE_UP,
    (Status.SEND_UNKNOWN, MINE, LAPSED): Decision.GIVE_UP,
    (Status.SENDING, OTHERS, LIVE): Decision.SETTLE,
    (Status.SENDING, MINE, LIVE): Decision.SETTLE,
    (Status.SENDING, OTHERS, LAPSED): Decision.SETTLE,
    (Status.RETRY, OTHERS, LIVE): Decision.TAKE_OVER,
    (Status.RETRY, OTHERS, LAPSED): Decision.TAKE_OVER,
    (Status.RETRY, MINE, LIVE): Decision.TAKE_OVER,
    (Status.PROCESSING, MINE, LIVE): Decision.GO_ON,
    (Status.PROCESSING, MINE, LAPSED): Decision.GO_ON,
    (Status.PROCESSING, OTHERS, LIVE): Decision.WAIT,
    (Status.PROCESSING, OTHERS, ENDING): Decision.TAKE_OVER,
    (Status.PROCESSING, OTHERS, LAPSED): Decision.TAKE_OVER,
}


def found(status: Status, owner: str, lease: float) -> Entry:
    """A record in that state."""
    return entry(status=status, owner=owner, lease_expires_at=lease)


@pytest.mark.parametrize(("state", "expected"), TABLE.items())
def test_the_table_of_decisions(state: tuple[Status, str, float], expected: Decision) -> None:
    """Status first, then whose lease it is, then whether it has lapsed."""
    assert expected is decide(found(*state), MINE, START)


def test_the_table_names_every_status() -> None:
    """No status is forgotten."""
    assert set(Status) == {status for status, _, _ in TABLE}


def test_nothing_announced_is_ever_claimed_again() -> None:
    """Once a send was announced, no state lets another worker send."""
    may_send = {Decision.GO_ON, Decision.TAKE_OVER}
    announced = {Status.SENDING, Status.SENT, Status.SEND_UNKNOWN, Status.FAILED}
    decisions = {decide(found(s, o, at), MINE, START) for s, o, at in TABLE if s in announced}
    assert not may_send & decisions
