"""Plan a load: concurrency, queue age, limits, and the cost at AWS.

OpenAI and Twilio bill separately, and far more than AWS.
"""

from dataclasses import dataclass
from enum import StrEnum

from ops.prices import dollars
from planner.usage import INDEX_UNITS, Sizes, calls_per_batch
from stacks.capacity import (
    HOUR,
    HOURS,
    SECRET_SECONDS,
    Footprint,
    Limit,
    Load,
    Processors,
    QueueAge,
    ServiceTime,
    VendorLimits,
    choose_processors,
    queue_age,
    throughput_limits,
)

MB_PER_GB = 1_024
BYTES_PER_GB = 1_024**3
POLL_SECONDS = 20
"""Duration of a mapping's long poll on an empty queue."""
POLLERS = 5
"""Concurrent long polls of an idle mapping, unless its maximum concurrency is lower."""


class Architecture(StrEnum):
    """Processor architecture of a function."""

    ARM_64 = "arm64"
    X86_64 = "x86_64"


@dataclass(frozen=True, kw_only=True)
class Function:
    """Memory size and architecture of the function."""

    memory_mb: int
    architecture: Architecture = Architecture.ARM_64

    @property
    def dollars_per_second(self) -> float:
        """US dollars per second of an invocation."""
        return self.memory_mb / MB_PER_GB * dollars(f"compute_{self.architecture}")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """US dollars for 1,000 messages, by purpose."""

    function: float
    table: float
    queue: float
    secrets: float
    log: float

    @property
    def total(self) -> float:
        """The sum."""
        return self.function + self.table + self.queue + self.secrets + self.log


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """Input of a plan.

    Attributes:
        load: Messages per day and their peak.
        work: Duration of a message.
        vendors: The vendors' limits.
        function: Memory and architecture.
        sizes: Bytes of records and logs.
        tenants: Number of tenants with credentials.
        processors: Batch size and concurrency; None: choose them.
    """

    load: Load
    work: ServiceTime
    vendors: VendorLimits
    function: Function
    sizes: Sizes
    tenants: int = 1
    processors: Processors | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Result of a plan.

    Attributes:
        request: The input.
        processors: Batch size and concurrency: chosen, or as requested.
        age: Age of the oldest message at the peak.
        limits: Every limit, lowest first.
        cost: Cost of 1,000 messages.
    """

    request: PlanRequest
    processors: Processors
    age: QueueAge
    limits: tuple[Limit, ...]
    cost: Cost

    @property
    def is_sufficient(self) -> bool:
        """Whether the peak is processed as it arrives, within every limit."""
        peak = self.request.load.peak
        return self.processors.per_second >= peak and self.limits[0].per_second >= peak


def plan(request: PlanRequest) -> Plan:
    """Calculate a plan."""
    processors = request.processors or choose_processors(
        request.load, request.work, request.vendors
    )
    footprint = Footprint(write_units=request.sizes.write_units, tenants=request.tenants)
    return Plan(
        request=request,
        processors=processors,
        age=queue_age(request.load, processors),
        limits=throughput_limits(processors, request.vendors, footprint),
        cost=cost_of(request.load, processors, request.function, request.sizes, request.tenants),
    )


def cost_of(
    load: Load, processors: Processors, function: Function, sizes: Sizes, tenants: int = 1
) -> Cost:
    """Return the cost of 1,000 messages of such a day.

    Args:
        load: Messages per day and their peak.
        processors: Batch size and concurrency; the mean batch determines much of the cost.
        function: Memory and architecture.
        sizes: Bytes of records and logs.
        tenants: Number of tenants, each with a secret that every instance reads.
    """
    messages = load.messages_per_day
    peak = _usage(load.peak, HOUR, processors)
    rest = _usage(load.rest, (HOURS - 1) * HOUR, processors)
    batches = peak.batches + rest.batches
    requests = messages + batches * calls_per_batch() + peak.empty_polls + rest.empty_polls
    secret_reads = (1 + tenants) * (peak.secret_refreshes + rest.secret_refreshes)
    logged = messages * sizes.log_per_message + batches * sizes.log_per_batch
    seconds = peak.function_seconds + rest.function_seconds
    per_day = {
        "function": seconds * function.dollars_per_second + batches * dollars("invocation"),
        "table": messages * (sizes.write_units + INDEX_UNITS) * dollars("write_unit"),
        "queue": requests * (dollars("queue_request") + dollars("message_group_request")),
        "secrets": secret_reads * dollars("secret_read"),
        "log": logged / BYTES_PER_GB * dollars("logged_gb"),
    }
    return Cost(**{name: amount / messages * 1_000 for name, amount in per_day.items()})


@dataclass(frozen=True, kw_only=True)
class _Usage:
    """Resource usage of a part of a day."""

    batches: float
    function_seconds: float
    empty_polls: float
    secret_refreshes: float


def _usage(rate: float, span: float, processors: Processors) -> _Usage:
    """Return the usage at a constant rate for a span of seconds.

    Messages that wait meanwhile are processed later in full batches. An instance reads its secrets
    when it has a batch, and no sooner than the cached ones expire.
    """
    batch = processors.mean_batch_size(rate)
    batches = rate * span / batch
    idle = max(0.0, 1 - rate / processors.per_second) * span
    instances = max(1.0, processors.mean_concurrency(rate))
    return _Usage(
        batches=batches,
        function_seconds=batches * processors.work.invocation_seconds(batch),
        empty_polls=min(POLLERS, processors.maximum_concurrency) * idle / POLL_SECONDS,
        secret_refreshes=min(batches, instances * span / SECRET_SECONDS),
    )
