"""The times of the runtime among each other, and within the function's timeout."""

from collections.abc import Iterator
from math import ceil

from lambda_src.core.contract import Variable
from lambda_src.core.settings import Settings
from lambda_src.core.timing import LOST_BEATS, SKEW_SECONDS, longest_gap
from stacks.invariants.assembly import Assembly, Resource
from stacks.invariants.consumer import consumers, functions
from stacks.invariants.invariant import Finding, Severity, invariant


def _configured(assembly: Assembly) -> Iterator[tuple[Resource, Settings]]:
    for function in functions(assembly):
        if settings := function.settings:
            yield function.resource, settings


def _path(variable: Variable) -> str:
    return f"Environment.Variables.{variable}"


@invariant(
    "heartbeat-outpaces-visibility",
    severity=Severity.FATAL,
    holds=(
        f"A heartbeat's visibility outlasts {LOST_BEATS} lost beats, and one whose calls take as"
        " long as they may."
    ),
    remedy="Raise HEARTBEAT_VISIBILITY_SECONDS, or lower HEARTBEAT_INTERVAL_SECONDS.",
)
def heartbeat_outpaces_visibility(assembly: Assembly) -> Iterator[Finding]:
    """Otherwise a message that is being worked on is delivered to another worker."""
    for function, settings in _configured(assembly):
        gap = longest_gap(settings.heartbeat_interval_seconds)
        if settings.heartbeat_visibility_seconds <= gap:
            problem = (
                f"is {settings.heartbeat_visibility_seconds} s, where beats every"
                f" {settings.heartbeat_interval_seconds} s may be {gap:g} s apart"
            )
            yield Finding(function, _path(Variable.HEARTBEAT_VISIBILITY_SECONDS), problem)


@invariant(
    "lease-outlasts-beats",
    severity=Severity.FATAL,
    holds=(
        f"A lease outlasts {LOST_BEATS} lost beats, and one whose calls take as long as they may."
    ),
    remedy="Raise LEASE_SECONDS, or lower HEARTBEAT_INTERVAL_SECONDS.",
)
def lease_outlasts_beats(assembly: Assembly) -> Iterator[Finding]:
    """Otherwise a worker that is well loses its conversation to another."""
    for function, settings in _configured(assembly):
        gap = longest_gap(settings.heartbeat_interval_seconds)
        if settings.lease_seconds <= gap:
            problem = f"is {settings.lease_seconds} s, and may go {gap:g} s without renewal"
            yield Finding(function, _path(Variable.LEASE_SECONDS), problem)


@invariant(
    "lease-ends-before-visibility",
    severity=Severity.ERROR,
    holds="A lease that nobody renews is over when its message becomes visible again.",
    remedy="Lower LEASE_SECONDS, or raise HEARTBEAT_VISIBILITY_SECONDS.",
)
def lease_ends_before_visibility(assembly: Assembly) -> Iterator[Finding]:
    """Otherwise the delivery after a crash finds the conversation taken, and is used up."""
    for function, settings in _configured(assembly):
        visibility = settings.heartbeat_visibility_seconds
        if settings.lease_seconds + SKEW_SECONDS > visibility:
            problem = (
                f"is {settings.lease_seconds} s, and clocks may differ by {SKEW_SECONDS:g} s,"
                f" where a message is visible again after {visibility} s"
            )
            yield Finding(function, _path(Variable.LEASE_SECONDS), problem)


@invariant(
    "vendors-fit-the-function",
    severity=Severity.FATAL,
    holds=(
        "A function has time for its batch when every call to AWS, OpenAI and Twilio takes as long"
        " as it may."
    ),
    remedy=(
        "Raise `function_timeout_seconds`, lower OPENAI_TIMEOUT_SECONDS or TWILIO_TIMEOUT_SECONDS,"
        " or work on the whole batch at once (MAX_CONCURRENCY)."
    ),
)
def vendors_fit_the_function(assembly: Assembly) -> Iterator[Finding]:
    """Otherwise answers are cut short that were paid for, and messages go round for nothing."""
    for consumer in consumers(assembly):
        settings, timeout = consumer.function.settings, consumer.function.timeout
        if settings:
            rounds = ceil(consumer.batch_size / settings.max_concurrency)
            needed = rounds * settings.timing.message_span
            if needed > timeout:
                problem = (
                    f"is {timeout} s, where a batch of {consumer.batch_size}, worked on"
                    f" {settings.max_concurrency} at a time, may take {needed:g} s"
                )
                yield Finding(consumer.function.resource, "Timeout", problem)
