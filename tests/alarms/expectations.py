"""What wakes a person, written down apart from the template that has to do it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tests.alarms.chain import Happening, Logged, Measured
from tests.alarms.conftest import Lines
from tests.alarms.metrics import Metric

QUEUE = "ai-multi-comms-whatsapp-queue-dev"
DEAD_LETTER_QUEUE = "ai-multi-comms-whatsapp-dlq-dev"
FUNCTION = "whatsapp-channel-processor-dev"


class Signal(Protocol):
    """What an alarm listens to."""

    @property
    def metric_name(self) -> str:
        """The name of the metric in which it arrives."""

    @property
    def adds_up(self) -> bool:
        """Whether several small amounts within one data point are as good as a large one."""

    def happen(self, lines: Lines, minute: float, amount: float) -> list[Happening]:
        """Return what happens when there is that much of it."""


@dataclass(frozen=True)
class Story:
    """A story that the runtime logs; its whole log counts once."""

    name: str
    adds_up: bool = True

    @property
    def metric_name(self) -> str:
        """The name of the metric that counts its lines."""
        return f"{self.name}Count"

    def happen(self, lines: Lines, minute: float, amount: float) -> list[Happening]:
        """Return the story's lines, that many times over."""
        return [Logged(minute, line) for _ in range(int(amount)) for line in lines[self.name]]


@dataclass(frozen=True)
class Events:
    """A metric of AWS's own that counts events: a data point each, and one of 0 beside them."""

    metric: Metric
    adds_up: bool = True

    @property
    def metric_name(self) -> str:
        """The metric's name."""
        return self.metric.name

    def happen(self, lines: Lines, minute: float, amount: float) -> list[Happening]:  # noqa: ARG002 - as stories need them
        """Return that many events, and something that was none."""
        return [Measured(minute, self.metric, value) for value in (*[1] * int(amount), 0)]


@dataclass(frozen=True)
class Gauge:
    """A metric of AWS's own that measures a height: only the highest data point counts."""

    metric: Metric
    adds_up: bool = False

    @property
    def metric_name(self) -> str:
        """The metric's name."""
        return self.metric.name

    def happen(self, lines: Lines, minute: float, amount: float) -> list[Happening]:  # noqa: ARG002 - as stories need them
        """Return that height twice, and a low after it."""
        return [Measured(minute, self.metric, value) for value in (amount, amount, 0)]


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """When a person is woken.

    A data point of `minutes` breaches from `amount` upwards, and `breaching` of `periods` have to.

    Attributes:
        subject: The alarm's, as its name has it.
        signal: What it listens to.
        statistic: By which a data point is made.
        tells_the_end: Whether the person learns that it is over.
    """

    subject: str
    signal: Signal
    statistic: str
    amount: float = 1
    minutes: int = 5
    breaching: int = 1
    periods: int = 1
    tells_the_end: bool = False

    @property
    def alarm(self) -> str:
        """The alarm's name."""
        return f"WhatsAppProcessor{self.subject}Alarm-Dev"

    def halves(self) -> tuple[int, int]:
        """Return the amount in two parts."""
        return math.ceil(self.amount / 2), math.floor(self.amount / 2)


def _of_queue(metric: str, queue: str) -> Metric:
    return Metric.named("AWS/SQS", metric, {"QueueName": queue})


def _of_function(metric: str) -> Metric:
    return Metric.named("AWS/Lambda", metric, {"FunctionName": FUNCTION})


EXPECTATIONS: Sequence[Expectation] = (
    Expectation(
        subject="FinalDbUpdateFailure", signal=Story("FinalDbUpdateFailure"), statistic="Sum"
    ),
    Expectation(subject="SendOutcomeUnknown", signal=Story("SendOutcomeUnknown"), statistic="Sum"),
    Expectation(
        subject="VendorAccountRefused", signal=Story("VendorAccountRefused"), statistic="Sum"
    ),
    Expectation(
        subject="HeartbeatFailure",
        signal=Story("HeartbeatFailure"),
        statistic="Sum",
        breaching=3,
        periods=6,
        tells_the_end=True,
    ),
    Expectation(
        subject="RepeatedFailure",
        signal=Story("RepeatedFailure"),
        statistic="Sum",
        amount=3,
        minutes=15,
        tells_the_end=True,
    ),
    Expectation(
        subject="DeadLetters",
        signal=Gauge(_of_queue("ApproximateNumberOfMessagesVisible", DEAD_LETTER_QUEUE)),
        statistic="Maximum",
        tells_the_end=True,
    ),
    Expectation(
        subject="OldestMessage",
        signal=Gauge(_of_queue("ApproximateAgeOfOldestMessage", QUEUE)),
        statistic="Maximum",
        amount=15 * 60,
        breaching=2,
        periods=2,
        tells_the_end=True,
    ),
    Expectation(
        subject="FunctionErrors",
        signal=Events(_of_function("Errors")),
        statistic="Sum",
        breaching=2,
        periods=3,
        tells_the_end=True,
    ),
    Expectation(
        subject="FunctionThrottles",
        signal=Events(_of_function("Throttles")),
        statistic="Sum",
        breaching=2,
        periods=3,
        tells_the_end=True,
    ),
    Expectation(
        subject="FunctionNearTimeout",
        signal=Gauge(_of_function("Duration")),
        statistic="Maximum",
        amount=(180 - 19) * 1000,
        breaching=2,
        periods=3,
        tells_the_end=True,
    ),
)
"""The alarms over one metric each; those over several have scenarios of their own."""
