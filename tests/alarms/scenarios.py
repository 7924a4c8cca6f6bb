"""What has to happen for an alarm to go off, and what must not make it: by its expectation."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.alarms.chain import Happening, Logged
from tests.alarms.conftest import Lines
from tests.alarms.evaluation import State
from tests.alarms.expectations import Expectation

QUIET = (State.OK,)
ONCE = (State.OK, State.ALARM, State.OK)
TWICE = (*ONCE, State.ALARM, State.OK)

EVERYDAY = ("sent", "delivered twice", "failed")


@dataclass(frozen=True)
class Scenario:
    """Something that happens, and the states that an alarm has to go through because of it.

    `minutes` is how long to watch.
    """

    name: str
    happenings: Sequence[Happening]
    minutes: int
    states: tuple[State, ...]


def scenarios(expected: Expectation, lines: Lines) -> Iterator[Scenario]:
    """Yield what tells a rule from every other one.

    Args:
        expected: The rule.
        lines: The runtime's log by story.
    """
    maker = _Maker(expected, lines)
    amount, period, periods = expected.amount, expected.minutes, expected.periods
    enough = maker.spread()
    yield Scenario("nothing happens at all", (), 2 * period, QUIET)
    yield maker.scenario("goes off", enough, ONCE)
    yield maker.scenario("goes off, and then there is nothing", enough, ONCE, everyday=False)
    yield maker.scenario("not for less", maker.row(2 * periods, amount - 1), QUIET)
    yield maker.scenario("tells anew", (*enough, *maker.later(enough)), TWICE)
    yield maker.scenario("tells once", maker.row(periods + 2, amount), ONCE)
    yield Scenario("not for others' troubles", maker.other_troubles(), 4 * period, QUIET)
    if expected.breaching > 1:
        yield maker.scenario("not for fewer", maker.row(expected.breaching - 1, amount), QUIET)
        yield maker.scenario("not when far apart", maker.far_apart(), QUIET)
    if expected.signal.adds_up and amount > 1:
        first, second = expected.halves()
        yield maker.scenario("adds up", [(1, first), (period, second)], ONCE)
        yield maker.scenario("but not for ever", [(1, first), (2 * period, second)], QUIET)


Amounts = Sequence[tuple[int, float]]
"""How much there is, by the minute."""


class _Maker:
    """Makes scenarios of amounts."""

    def __init__(self, expected: Expectation, lines: Lines) -> None:
        self._expected = expected
        self._lines = lines

    def scenario(
        self, name: str, amounts: Amounts, states: tuple[State, ...], *, everyday: bool = True
    ) -> Scenario:
        """Return what happens in words and happenings, amid everyday life."""
        expected = self._expected
        minutes = max(minute for minute, _ in amounts) + (expected.periods + 3) * expected.minutes
        happenings = [
            happening
            for minute, amount in amounts
            for happening in expected.signal.happen(self._lines, minute, amount)
        ]
        if everyday:
            happenings += self._everyday(minutes)
        return Scenario(name, happenings, minutes, states)

    def row(self, number: int, amount: float) -> Amounts:
        """Return an amount in each of so many data points."""
        return [(1 + index * self._expected.minutes, amount) for index in range(number)]

    def spread(self) -> Amounts:
        """Return just enough for the alarm, as far apart as may be."""
        expected = self._expected
        indexes = [*range(expected.breaching - 1), expected.periods - 1]
        return [(1 + index * expected.minutes, expected.amount) for index in indexes]

    def far_apart(self) -> Amounts:
        """Return as many breaching data points as are needed, too far apart."""
        expected = self._expected
        distance = 2 * expected.periods * expected.minutes
        return [(1 + index * distance, expected.amount) for index in range(expected.breaching)]

    def later(self, amounts: Amounts) -> Amounts:
        """Return the same once more, just late enough for the alarm to have ended."""
        expected = self._expected
        pause = max(minute for minute, _ in amounts) + (expected.periods + 1) * expected.minutes
        return [(pause + minute, amount) for minute, amount in amounts]

    def other_troubles(self) -> list[Happening]:
        """Return every story but the alarm's own, again and again."""
        return [
            Logged(1 + index * self._expected.minutes, line)
            for index in range(self._expected.periods)
            for story, logged in self._lines.items()
            if story != self._expected.subject
            for line in logged
        ]

    def _everyday(self, minutes: int) -> Iterable[Happening]:
        for minute in range(0, minutes, 5):
            yield from self._expected.signal.happen(self._lines, minute + 0.5, 0)
            for story in EVERYDAY:
                yield from (Logged(minute + 0.5, line) for line in self._lines[story])
