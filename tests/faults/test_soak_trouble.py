"""Trouble falls when work has been done, whatever the clock says, and ends without a trace."""

from dataclasses import dataclass, field, replace

import pytest

from local.dynamodb_gateway import DynamoDBGateway
from local.stand_ins import FaultKind
from local.vendors import StandIns
from local.waiting import wait_for
from tests.faults.soak.mischief import LISTS, SENDS, TABLE, WRITING, Mischief
from tests.faults.soak.plan import Blow, Plan, Strike
from tests.faults.soak.trouble import Trouble

PATIENCE_SECONDS = 60
STRIKES = tuple(Strike(2, 0.0, Blow.KILL, pick, lag=pick) for pick in (0.25, 0.5))
PLAN = replace(Plan.drawn(20, 1), strikes=STRIKES)


@dataclass
class Table:
    """Knows how often it was called."""

    requests: list[int] = field(default_factory=list)


@dataclass
class Struck:
    """Workers that remember what befell them."""

    picks: list[float] = field(default_factory=list)
    thawed: int = 0

    def strike(self, _: Blow, pick: float) -> bool:
        """Remember it; nobody is at work the first time."""
        self.picks.append(pick)
        return len(self.picks) > 1

    def thaw(self, *, frozen_for: float = 0) -> None:
        """Count those that mean everybody."""
        self.thawed += not frozen_for


@pytest.fixture
def vendors() -> StandIns:
    """Return stand-ins that need not run."""
    return StandIns()


@pytest.fixture
def mischief(vendors: StandIns) -> Mischief:
    """Return the mischief of these, and of a gateway that need not run either."""
    return Mischief(vendors, DynamoDBGateway("http://127.0.0.1:9"), PLAN)


def _trouble(mischief: Mischief, vendors: StandIns) -> tuple[Trouble, Struck, Table]:
    workers, table = Struck(), Table()
    trouble = Trouble(PLAN, workers, mischief, vendors, table)  # type: ignore[arg-type]  # fakes
    return trouble, workers, table


def _interrupt(table: Table, workers: Struck) -> None:
    _work(table, 2)
    wait_for(lambda: workers.picks, PATIENCE_SECONDS)
    raise KeyboardInterrupt


def _work(table: Table, calls: int) -> None:
    table.requests += range(calls)


def test_a_blow_falls_after_so_much_work(mischief: Mischief, vendors: StandIns) -> None:
    """Each blow falls when the table was called often enough since the one before."""
    trouble, workers, table = _trouble(mischief, vendors)
    with trouble:
        assert [] == workers.picks
        _work(table, 2)
        assert wait_for(lambda: workers.picks == [0.25, 0.25], PATIENCE_SECONDS)
        assert 0.25 == vendors.twilio.settings.list_lag_seconds
        assert not trouble.is_over
        _work(table, 2)
        assert wait_for(lambda: trouble.is_over, PATIENCE_SECONDS)
    assert [0.25, 0.25, 0.5] == workers.picks


def test_trouble_leaves_nothing_behind(mischief: Mischief, vendors: StandIns) -> None:
    """At its end, also by an error, nothing is frozen, lags or fails any more."""
    trouble, workers, table = _trouble(mischief, vendors)
    with pytest.raises(KeyboardInterrupt), trouble:
        _interrupt(table, workers)
    assert (1, 0) == (workers.thawed, vendors.twilio.settings.list_lag_seconds)
    assert trouble.is_over


def test_only_what_is_refused_for_good_stays(mischief: Mischief, vendors: StandIns) -> None:
    """When the mischief ends, vendors refuse what they must, and nothing fails at random."""
    mischief.begin()
    assert 1 + len(SENDS) + len(LISTS) == len(vendors.twilio.pending_faults)
    assert 1 + len(WRITING) == len(vendors.openai.pending_faults)
    mischief.end()
    (unreachable,), (refused,) = vendors.twilio.pending_faults, vendors.openai.pending_faults
    assert (FaultKind.ERROR, FaultKind.REFUSAL) == (unreachable.fault.kind, refused.fault.kind)


@pytest.mark.parametrize("chances", [SENDS, LISTS, WRITING, TABLE])
def test_most_requests_pass(chances: dict[object, float]) -> None:
    """Whatever may befall a request, it is more likely to pass."""
    assert sum(chances.values()) < 0.5
