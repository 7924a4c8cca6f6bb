"""What a load costs at AWS, in dollars; OpenAI and Twilio bill besides, and far more."""

from dataclasses import asdict, dataclass
from enum import StrEnum

from planner import prices
from planner.usage import Sizes, calls_a_batch
from stacks.capacity.limits import SECRET_SECONDS
from stacks.capacity.load import HOUR, HOURS, Load
from stacks.capacity.processors import Processors

MB_A_GB = 1_024
BYTES_A_GB = 1_024**3
POLL_SECONDS = 20
"""How long a mapping waits for messages at an empty queue, in each of its polls."""
POLLERS = 5
"""Polls at once with which a mapping waits; where it may make fewer calls, so many."""


class Architecture(StrEnum):
    """What a function's code is built for."""

    ARM_64 = "arm64"
    X86_64 = "x86_64"


@dataclass(frozen=True, kw_only=True)
class Function:
    """What a call runs on.

    Attributes:
        memory_mb: Of the function.
        architecture: Of its processor.
    """

    memory_mb: int
    architecture: Architecture = Architecture.ARM_64

    @property
    def dollars_a_second(self) -> float:
        """What each second of a call costs."""
        return self.memory_mb / MB_A_GB * prices.GB_SECONDS[self.architecture].dollars


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Dollars for 1,000 messages, by what they are for."""

    function: float
    table: float
    queue: float
    secrets: float
    log: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.function + self.table + self.queue + self.secrets + self.log


@dataclass(frozen=True, kw_only=True)
class _Day:
    """What a day's messages take."""

    batches: float
    seconds: float
    """Of all calls together."""
    polls: float
    """That find nothing."""
    refreshes: float
    """Times that an instance reads its secrets: at work, and no sooner than they have expired."""


def cost_of(
    load: Load, processors: Processors, function: Function, sizes: Sizes, tenants: int = 1
) -> Cost:
    """Return what 1,000 messages of a day like this cost.

    Args:
        load: The day.
        processors: What works on it; how full its batches are decides on much of the cost.
        function: What it runs on.
        sizes: Of the records and the log.
        tenants: How many have a secret of their own, read by each instance.
    """
    day = _day_of(load, processors)
    thousands = load.messages_per_day / 1_000
    requests = load.messages_per_day + day.batches * _calls_to_the_queue() + day.polls
    reads = (1 + tenants) * day.refreshes
    logged = load.messages_per_day * sizes.logged + day.batches * sizes.logged_a_batch
    by_day = {
        "function": day.seconds * function.dollars_a_second
        + day.batches * prices.INVOCATION.dollars,
        "table": load.messages_per_day * sizes.write_units * prices.WRITE_UNIT.dollars,
        "queue": requests * (prices.QUEUE_REQUEST.dollars + prices.FAIR_REQUEST.dollars),
        "secrets": reads * prices.SECRET_READ.dollars,
        "log": logged / BYTES_A_GB * prices.LOGGED_GB.dollars,
    }
    return Cost(**{name: dollars / thousands for name, dollars in by_day.items()})


def _calls_to_the_queue() -> int:
    return calls_a_batch("mapping") + calls_a_batch("runtime")


def _day_of(load: Load, processors: Processors) -> _Day:
    peak = _part_of_day(load.peak, HOUR, processors)
    rest = _part_of_day(load.rest, (HOURS - 1) * HOUR, processors)
    return _Day(**{name: value + asdict(rest)[name] for name, value in asdict(peak).items()})


def _part_of_day(rate: float, span: float, processors: Processors) -> _Day:
    """What comes at a rate for so many seconds; what waits meanwhile follows in full batches."""
    batch = processors.batch_at(rate)
    batches = rate * span / batch
    idle = max(0.0, 1 - rate / processors.per_second) * span
    pollers = min(POLLERS, processors.maximum_concurrency)
    instances = max(1.0, processors.calls_at(rate))
    return _Day(
        batches=batches,
        seconds=batches * processors.work.call_seconds(batch),
        polls=pollers * idle / POLL_SECONDS,
        refreshes=min(batches, instances * span / SECRET_SECONDS),
    )
