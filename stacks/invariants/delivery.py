"""Delivery from the queue to the function: visibility, retries, heartbeats, leases and timeouts."""

from collections.abc import Iterator
from math import ceil

from lambda_src.core.contract import Variable
from lambda_src.core.settings import Settings
from lambda_src.core.time_budget import (
    CLOCK_SKEW_SECONDS,
    MAX_RETRY_AFTER,
    MIN_ACCOUNT_RETRY_SECONDS,
    MISSED_BEATS,
    account_retry_seconds,
    max_renewal_gap,
)
from stacks.invariants.assembly import (
    MAPPING,
    QUEUE,
    VARIABLES,
    Assembly,
    Consumer,
    Resource,
    consumers,
    processor_functions,
    retention,
)
from stacks.invariants.invariant import Finding, Severity, invariant

MIN_CONCURRENCY = 2
"""Lambda's minimum for the maximum concurrency of a mapping."""

ADVISED_VISIBILITY = 6
"""Visibility timeout over the function's timeout, as AWS advises for a queue with a function."""

SPARE_RECEIVES = 1
"""Receives besides those of a send and its reconciliation, for a worker that crashes before it."""

RECEIVES = "RedrivePolicy.maxReceiveCount"
HEARTBEAT_VISIBILITY = f"{VARIABLES}.{Variable.HEARTBEAT_VISIBILITY_SECONDS}"
LEASE = f"{VARIABLES}.{Variable.LEASE_SECONDS}"


@invariant(
    "failures-are-reported",
    severity=Severity.FATAL,
    holds="An event source mapping of a queue uses the handler's batch item failures.",
    remedy="Set `report_batch_item_failures=True`: without it failed messages are deleted.",
)
def failures_are_reported(assembly: Assembly) -> Iterator[Finding]:
    """Lambda ignores the handler's response unless the mapping says otherwise."""
    for mapping in assembly.resources(MAPPING):
        source = mapping.value("EventSourceArn")
        is_queue = ":sqs:" in str(source) or assembly.resolve(mapping.template, source, QUEUE)
        if is_queue and "ReportBatchItemFailures" not in mapping.value("FunctionResponseTypes", []):
            problem = "lacks ReportBatchItemFailures, so that failed messages would be deleted"
            yield Finding(mapping, "FunctionResponseTypes", problem)


@invariant(
    "concurrency-is-bounded",
    holds=(
        "A mapping has a maximum concurrency of at least 2, and a function with reserved"
        " concurrency reserves at least as much."
    ),
    remedy="Set `maximum_concurrency` of the environment, and reserve as much or nothing.",
)
def concurrency_is_bounded(assembly: Assembly) -> Iterator[Finding]:
    """Without a bound a mapping scales until a vendor refuses; throttling uses up receives."""
    for consumer in consumers(assembly):
        maximum, function = consumer.maximum_concurrency, consumer.function.resource
        reserved = function.integer("ReservedConcurrentExecutions")
        if maximum is None or maximum < MIN_CONCURRENCY:
            problem = f"is {maximum or 'not set'}, not {MIN_CONCURRENCY} or more"
            yield Finding(consumer.mapping, "ScalingConfig.MaximumConcurrency", problem)
        if reserved is not None and reserved < (maximum or MIN_CONCURRENCY):
            problem = f"reserves {reserved}, less than the mapping's maximum concurrency {maximum}"
            yield Finding(function, "ReservedConcurrentExecutions", problem)


@invariant(
    "visibility-outlasts-function",
    severity=Severity.FATAL,
    holds="A queue's visibility timeout is at least the function's timeout.",
    remedy="Raise the queue's visibility timeout, or lower `function_timeout_seconds`.",
)
def visibility_outlasts_function(assembly: Assembly) -> Iterator[Finding]:
    """Otherwise a message is delivered again while it is processed."""
    for consumer in consumers(assembly):
        visibility, timeout = consumer.visibility_timeout, consumer.function.timeout
        if visibility < timeout:
            problem = f"is {visibility} s, while the function may run {timeout} s"
            yield Finding(consumer.queue, "VisibilityTimeout", problem)


@invariant(
    "visibility-as-advised",
    severity=Severity.WARNING,
    holds="A queue's visibility timeout is six times the function's timeout, as AWS advises.",
    remedy="Raise the queue's visibility timeout, so that a throttled batch is not received twice.",
)
def visibility_as_advised(assembly: Assembly) -> Iterator[Finding]:
    """A shorter one works, but leaves a batch no time to wait for a throttled function."""
    for consumer in consumers(assembly):
        visibility, timeout = consumer.visibility_timeout, consumer.function.timeout
        if timeout <= visibility < ADVISED_VISIBILITY * timeout:
            problem = f"is {visibility} s, less than {ADVISED_VISIBILITY} times {timeout} s"
            yield Finding(consumer.queue, "VisibilityTimeout", problem)


@invariant(
    "given-up-messages-are-kept",
    severity=Severity.FATAL,
    holds="A queue that feeds a function has a dead-letter queue.",
    remedy="Give the queue a dead-letter queue: without one, failing messages expire.",
)
def given_up_messages_are_kept(assembly: Assembly) -> Iterator[Finding]:
    """An operator must find every message that could not be processed."""
    for consumer in consumers(assembly):
        if not consumer.queue.value("RedrivePolicy.deadLetterTargetArn"):
            yield Finding(consumer.queue, "RedrivePolicy", "names no dead-letter queue")


@invariant(
    "dead-letters-outlive-their-queue",
    severity=Severity.FATAL,
    holds="A dead-letter queue has a longer retention than its source queue.",
    remedy="Raise the dead-letter queue's retention (14 days at most), or lower the queue's.",
)
def dead_letters_outlive_their_queue(assembly: Assembly) -> Iterator[Finding]:
    """A message keeps its age when it becomes a dead letter."""
    for consumer in consumers(assembly):
        if consumer.dead_letter_queue:
            kept, source = retention(consumer.dead_letter_queue), retention(consumer.queue)
            if kept <= source:
                problem = f"is {kept} s for dead letters, and {source} s for the source queue"
                yield Finding(consumer.dead_letter_queue, "MessageRetentionPeriod", problem)


@invariant(
    "receives-cover-settling",
    severity=Severity.FATAL,
    holds=(
        "The queue delivers a message often enough for its send, every lookup of an unknown"
        " outcome, and one earlier failure."
    ),
    remedy="Raise `max_receive_count`, or configure fewer settle delays.",
)
def receives_cover_settling(assembly: Assembly) -> Iterator[Finding]:
    """Otherwise a send is declared unknown before all of its lookups."""
    for consumer, receives, settings in _limited(assembly):
        needed = settings.times.reconciliation_attempts + SPARE_RECEIVES
        if receives < needed:
            problem = f"is {receives}, where the settle delays need {needed}"
            yield Finding(consumer.queue, RECEIVES, problem)


@invariant(
    "receives-cover-account-refusals",
    holds=(
        f"A message is retried for at least {MIN_ACCOUNT_RETRY_SECONDS // 3_600} hours while a"
        " vendor refuses the account or the configuration."
    ),
    remedy="Raise `max_receive_count`.",
)
def receives_cover_account_refusals(assembly: Assembly) -> Iterator[Finding]:
    """Otherwise a credit card that expires on a Friday evening ends the weekend's messages."""
    for consumer, receives, settings in _limited(assembly):
        seconds = account_retry_seconds(receives, settings.backoff_base_seconds)
        if seconds < MIN_ACCOUNT_RETRY_SECONDS:
            problem = f"is {receives}, with which a message is retried for {seconds:.0f} s"
            yield Finding(consumer.queue, RECEIVES, problem)


@invariant(
    "retention-covers-receives",
    severity=Severity.FATAL,
    holds="The queue's retention is at least the maximum time of all deliveries of a message.",
    remedy="Lower `max_receive_count`, or raise the queue's retention.",
)
def retention_covers_receives(assembly: Assembly) -> Iterator[Finding]:
    """A message that expires in the queue is lost without a trace.

    Each delivery may take the function's timeout plus the longest pause that a vendor may request.
    """
    for consumer, receives, _ in _limited(assembly):
        kept = retention(consumer.queue)
        longest = receives * (consumer.function.timeout + int(MAX_RETRY_AFTER))
        if longest > kept:
            problem = f"is {kept} s, where {receives} deliveries may take {longest} s"
            yield Finding(consumer.queue, "MessageRetentionPeriod", problem)


def _limited(assembly: Assembly) -> Iterator[tuple[Consumer, int, Settings]]:
    """Yield the consumers of queues with a dead-letter queue, `maxReceiveCount` and settings."""
    for consumer in consumers(assembly):
        receives, settings = consumer.max_receive_count, consumer.function.settings
        if receives is not None and settings:
            yield consumer, receives, settings


def _configured(assembly: Assembly) -> Iterator[tuple[Resource, Settings]]:
    for function in processor_functions(assembly):
        if settings := function.settings:
            yield function.resource, settings


@invariant(
    "heartbeat-outpaces-visibility",
    severity=Severity.FATAL,
    holds=(
        f"The visibility timeout that a heartbeat sets outlasts {MISSED_BEATS} missed beats and a"
        " beat of maximum duration."
    ),
    remedy="Raise HEARTBEAT_VISIBILITY_SECONDS, or lower HEARTBEAT_INTERVAL_SECONDS.",
)
def heartbeat_outpaces_visibility(assembly: Assembly) -> Iterator[Finding]:
    """Otherwise a message in progress is delivered to another worker."""
    for function, settings in _configured(assembly):
        gap = max_renewal_gap(settings.heartbeat_interval_seconds)
        if settings.heartbeat_visibility_seconds <= gap:
            problem = (
                f"is {settings.heartbeat_visibility_seconds} s, where beats every"
                f" {settings.heartbeat_interval_seconds} s may be {gap:g} s apart"
            )
            yield Finding(function, HEARTBEAT_VISIBILITY, problem)


@invariant(
    "lease-outlasts-beats",
    severity=Severity.FATAL,
    holds=f"A lease outlasts {MISSED_BEATS} missed beats and a beat of maximum duration.",
    remedy="Raise LEASE_SECONDS, or lower HEARTBEAT_INTERVAL_SECONDS.",
)
def lease_outlasts_beats(assembly: Assembly) -> Iterator[Finding]:
    """Otherwise a healthy worker loses its conversation to another one."""
    for function, settings in _configured(assembly):
        gap = max_renewal_gap(settings.heartbeat_interval_seconds)
        if settings.lease_seconds <= gap:
            problem = f"is {settings.lease_seconds} s, and may go {gap:g} s without renewal"
            yield Finding(function, LEASE, problem)


@invariant(
    "lease-ends-before-visibility",
    holds="A lease that is not renewed expires before its message becomes visible again.",
    remedy="Lower LEASE_SECONDS, or raise HEARTBEAT_VISIBILITY_SECONDS.",
)
def lease_ends_before_visibility(assembly: Assembly) -> Iterator[Finding]:
    """Otherwise the delivery after a crash finds the lease held and is wasted."""
    for function, settings in _configured(assembly):
        visibility = settings.heartbeat_visibility_seconds
        if settings.lease_seconds + CLOCK_SKEW_SECONDS > visibility:
            problem = (
                f"is {settings.lease_seconds} s, and clocks may differ by {CLOCK_SKEW_SECONDS:g} s,"
                f" where a message is visible again after {visibility} s"
            )
            yield Finding(function, LEASE, problem)


@invariant(
    "vendors-fit-the-function",
    severity=Severity.FATAL,
    holds=(
        "A function has time for its batch when every call of AWS, OpenAI and Twilio takes its"
        " maximum duration."
    ),
    remedy=(
        "Raise `function_timeout_seconds`, lower OPENAI_TIMEOUT_SECONDS or TWILIO_TIMEOUT_SECONDS,"
        " or process the whole batch concurrently (MAX_CONCURRENCY)."
    ),
)
def vendors_fit_the_function(assembly: Assembly) -> Iterator[Finding]:
    """Otherwise paid answers are cut off, and messages are delivered again without need."""
    for consumer in consumers(assembly):
        settings, timeout = consumer.function.settings, consumer.function.timeout
        if settings:
            rounds = ceil(consumer.batch_size / settings.max_concurrency)
            needed = rounds * settings.times.max_message_duration
            if needed > timeout:
                problem = (
                    f"is {timeout} s, where a batch of {consumer.batch_size}, processed"
                    f" {settings.max_concurrency} at a time, may take {needed:g} s"
                )
                yield Finding(consumer.function.resource, "Timeout", problem)
