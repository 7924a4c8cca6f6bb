"""What has to happen for the alarms over several metrics to go off, and what must not."""

import json
from collections.abc import Callable, Iterator, Sequence

from tests.alarms.chain import Happening, Logged, Measured
from tests.alarms.conftest import Lines
from tests.alarms.expectations import DEAD_LETTER_QUEUE, QUEUE
from tests.alarms.metrics import Metric
from tests.alarms.scenarios import ONCE, QUIET, TWICE, Scenario

ENQUEUED = Metric.named("AWS/SQS", "NumberOfMessagesSent", {"QueueName": QUEUE})
LETTERS = Metric.named(
    "AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": DEAD_LETTER_QUEUE}
)
STEP = 5
"""Minutes between two data points of a queue, here."""


def silence(lines: Lines) -> Iterator[Scenario]:
    """Yield what tells the silence that must not be: two quarters of an hour without a send."""

    def sent(story: str, *minutes: int) -> list[Happening]:
        return [Logged(minute, line) for minute in minutes for line in lines[story]]

    def again(*minutes: int) -> list[Happening]:
        acknowledged = [line for line in lines["delivered twice"] if _is_repeated(line)]
        return [Logged(minute, line) for minute in minutes for line in acknowledged]

    came = _enqueued(1, 16)
    yield Scenario("nothing happens at all", (), 60, QUIET)
    yield Scenario("nothing comes in", [*_enqueued(), *sent("failed", 1, 16)], 60, QUIET)
    yield Scenario("nobody works", came, 90, ONCE)
    yield Scenario("all fail", [*came, *sent("failed", 2, 17)], 90, ONCE)
    some_fail = [*sent("sent", 2, 16), *sent("failed", 4, 15)]
    yield Scenario("each is sent, others fail", [*came, *some_fail], 90, QUIET)
    yield Scenario("each is settled", [*came, *sent("settled", 2, 16)], 90, QUIET)
    yield Scenario("each was sent before", [*came, *again(2, 16)], 90, QUIET)
    yield Scenario("one is sent late", [*came, *sent("sent", 15)], 90, QUIET)
    yield Scenario("only one came", _enqueued(1), 90, QUIET)
    yield Scenario("they came far apart", _enqueued(1, 61), 120, QUIET)
    yield Scenario("it goes on", _enqueued(1, 16, 31, 46), 120, ONCE)
    yield Scenario("it comes back", [*came, *_enqueued(76, 91)], 180, TWICE)


def growth(lines: Lines) -> Iterator[Scenario]:  # noqa: ARG001 - as all scenarios' makers
    """Yield what tells a sudden growth of the dead letters: ten more in a quarter of an hour."""
    yield Scenario("nothing happens at all", (), 60, QUIET)
    yield Scenario("ten more", _letters(60, lambda m: 3 if m < 30 else 13), 90, ONCE)
    yield Scenario("nine more", _letters(60, lambda m: 3 if m < 30 else 12), 90, QUIET)
    yield Scenario(
        "ten in two parts", _letters(60, lambda m: 5 * ((m >= 30) + (m >= 35))), 90, ONCE
    )
    yield Scenario("a slow rise", _letters(120, lambda m: 5 * (m // 15)), 120, QUIET)
    yield Scenario("many, as before", _letters(60, lambda _: 50), 90, QUIET)
    yield Scenario("a short visit", _letters(60, lambda m: 10 * (m == 30)), 90, ONCE)
    lull = _letters(30, lambda _: 50)
    yield Scenario("a gap", [*lull, *_letters(90, lambda _: 50, 60)], 120, QUIET)
    yield Scenario("ten more after a gap", [*lull, *_letters(90, lambda _: 60, 60)], 120, ONCE)
    yield Scenario(
        "ten more, twice", _letters(120, lambda m: 10 * ((m >= 30) + (m >= 75))), 150, TWICE
    )


def _enqueued(*minutes: int) -> list[Happening]:
    """Return a message coming in at each of the minutes, and a queue that is watched."""
    idle = [Measured(minute + 0.5, ENQUEUED, 0) for minute in range(0, 100, STEP)]
    return [*idle, *(Measured(minute, ENQUEUED, 1) for minute in minutes)]


def _letters(until: int, number: Callable[[int], int], since: int = 0) -> Sequence[Happening]:
    return [Measured(minute, LETTERS, number(minute)) for minute in range(since, until, STEP)]


def _is_repeated(line: str) -> bool:
    return bool(json.loads(line)["event"] == "already_processed")
