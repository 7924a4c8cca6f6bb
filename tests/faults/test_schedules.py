"""Random schedules of the real core keep the promise; each turn of events is reached."""

import pytest

from tests.faults.schedules import Played, SchedulesResult, read, replay, written
from tests.faults.schedules.known import REACHING
from tests.faults.schedules.reached import Reached
from tests.faults.variants import VARIANTS

SEEDS = (1, 2, 3)
"""Each makes a hundred schedules."""
RARE = frozenset(
    {Reached.MENDED, Reached.APPLIED_LATE, Reached.LAPSED, Reached.ACCEPTED_LATE, Reached.REFUSED}
)
"""What a few hundred schedules may well miss; some thousands do not."""


@pytest.fixture(scope="module")
def result() -> SchedulesResult:
    """What came of all seeds."""
    return sum(map(replay, SEEDS), SchedulesResult())


def test_random_schedules_keep_the_promise(result: SchedulesResult) -> None:
    """Whoever moves next and whatever goes wrong: no rule is broken, on the way and in the end."""
    assert [] == [f"{v.problem}\n{v.command}" for v in result.violations]
    assert 100 * len(SEEDS) == result.schedules


def test_random_schedules_lead_to_where_it_matters(result: SchedulesResult) -> None:
    """By chance alone they reach every turn of events but the rarest."""
    assert set(result.unreached) <= RARE


@pytest.mark.parametrize("turn", Reached, ids=lambda turn: turn.name)
def test_every_turn_of_events_can_be_reached(turn: Reached) -> None:
    """A schedule is known that leads there, and it keeps the promise."""
    played = Played(read(REACHING[turn]))
    assert played.problem is None
    assert turn in played.reached


def test_a_schedule_can_be_replayed() -> None:
    """What is written on one line is read again, and tells the same story each time."""
    text = REACHING[Reached.KILLED_DECLARING]
    assert text == written(read(text))
    assert Played(read(text)).story == Played(read(text)).story


def test_a_seed_makes_the_same_schedules_again() -> None:
    """Whoever has the seed has the schedules, and what became of them."""
    alter = VARIANTS["no_intent"].alter
    first, second = (replay(0, alter) for _ in range(2))
    assert first == second
