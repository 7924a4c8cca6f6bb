"""Between the queue and the function: how messages are delivered, and when they are given up."""

from collections.abc import Iterator

from lambda_src.core.timing import LONGEST_REQUESTED
from stacks.invariants.assembly import Assembly
from stacks.invariants.consumer import MAPPING, QUEUE, consumers, retention
from stacks.invariants.invariant import Finding, Severity, invariant

LEAST_CONCURRENCY = 2
"""What Lambda takes as a mapping's maximum concurrency at least."""

ADVISED_VISIBILITY = 6
"""Visibility over the function's timeout, as AWS advises for a queue that feeds a function."""

SPARE_RECEIVES = 1
"""Receives beside those of a send and its settling: for a worker that died before it sent."""


@invariant(
    "failures-are-reported",
    severity=Severity.FATAL,
    holds="A mapping that feeds from a queue heeds the handler's batch item failures.",
    remedy="Set `report_batch_item_failures=True`: without it failed messages are deleted.",
)
def failures_are_reported(assembly: Assembly) -> Iterator[Finding]:
    """Lambda ignores what the handler returns unless the mapping says otherwise."""
    for mapping in assembly.of(MAPPING):
        source = mapping.value("EventSourceArn")
        is_queue = ":sqs:" in str(source) or assembly.referred(mapping.template, source, QUEUE)
        if is_queue and "ReportBatchItemFailures" not in mapping.value("FunctionResponseTypes", []):
            problem = "lacks ReportBatchItemFailures, so that failed messages would be deleted"
            yield Finding(mapping, "FunctionResponseTypes", problem)


@invariant(
    "concurrency-is-bounded",
    holds=(
        "A mapping names its maximum concurrency, 2 or more, and a function that reserves"
        " concurrency reserves as much."
    ),
    remedy="Set `maximum_concurrency` of the environment, and reserve as much or nothing.",
)
def concurrency_is_bounded(assembly: Assembly) -> Iterator[Finding]:
    """A mapping without a bound scales until a vendor refuses; a throttled one uses receives up."""
    for consumer in consumers(assembly):
        most, function = consumer.maximum_concurrency, consumer.function.resource
        reserved = function.whole("ReservedConcurrentExecutions")
        if most is None or most < LEAST_CONCURRENCY:
            problem = f"is {most or 'not set'}, not {LEAST_CONCURRENCY} or more"
            yield Finding(consumer.mapping, "ScalingConfig.MaximumConcurrency", problem)
        if reserved is not None and reserved < (most or LEAST_CONCURRENCY):
            problem = f"reserves {reserved}, less than the {most} calls that its mapping makes"
            yield Finding(function, "ReservedConcurrentExecutions", problem)


@invariant(
    "visibility-outlasts-function",
    severity=Severity.FATAL,
    holds="A queue hides a message for at least as long as the function may run.",
    remedy="Raise the queue's visibility timeout, or lower `function_timeout_seconds`.",
)
def visibility_outlasts_function(assembly: Assembly) -> Iterator[Finding]:
    """Otherwise a message is delivered again while it is being worked on."""
    for consumer in consumers(assembly):
        visibility, timeout = consumer.visibility, consumer.function.timeout
        if visibility < timeout:
            problem = f"hides a message for {visibility} s, while the function may run {timeout} s"
            yield Finding(consumer.queue, "VisibilityTimeout", problem)


@invariant(
    "visibility-as-advised",
    severity=Severity.WARNING,
    holds="A queue hides a message for six times the function's timeout, as AWS advises.",
    remedy="Raise the queue's visibility timeout, so that a throttled batch is not received twice.",
)
def visibility_as_advised(assembly: Assembly) -> Iterator[Finding]:
    """Less is no fault, but leaves a batch no time to wait for a throttled function."""
    for consumer in consumers(assembly):
        visibility, timeout = consumer.visibility, consumer.function.timeout
        if timeout <= visibility < ADVISED_VISIBILITY * timeout:
            problem = f"is {visibility} s, less than {ADVISED_VISIBILITY} times {timeout} s"
            yield Finding(consumer.queue, "VisibilityTimeout", problem)


@invariant(
    "given-up-messages-are-kept",
    severity=Severity.FATAL,
    holds="A queue that feeds a function has a dead-letter queue.",
    remedy="Give the queue a dead-letter queue: without one, messages end when they expire.",
)
def given_up_messages_are_kept(assembly: Assembly) -> Iterator[Finding]:
    """A message that is given up must end where a person finds it."""
    for consumer in consumers(assembly):
        if not consumer.queue.value("RedrivePolicy.deadLetterTargetArn"):
            yield Finding(consumer.queue, "RedrivePolicy", "names no dead-letter queue")


@invariant(
    "dead-letters-outlive-their-queue",
    severity=Severity.FATAL,
    holds="A dead-letter queue keeps messages for longer than the queue before it.",
    remedy="Raise the dead-letter queue's retention (14 days at most), or lower the queue's.",
)
def dead_letters_outlive_their_queue(assembly: Assembly) -> Iterator[Finding]:
    """A message's age goes on counting when it becomes a dead letter."""
    for consumer in consumers(assembly):
        if consumer.dead_letters:
            kept, before = retention(consumer.dead_letters), retention(consumer.queue)
            if kept <= before:
                problem = f"keeps dead letters {kept} s, the queue before it {before} s"
                yield Finding(consumer.dead_letters, "MessageRetentionPeriod", problem)


@invariant(
    "receives-cover-settling",
    severity=Severity.FATAL,
    holds=(
        "The queue delivers a message often enough for its send, every look at an unknown"
        " outcome, and one failure before."
    ),
    remedy="Raise `max_receive_count`, or name fewer settle delays.",
)
def receives_cover_settling(assembly: Assembly) -> Iterator[Finding]:
    """Otherwise an unknown send is declared so before it was looked for as often as meant."""
    for consumer in consumers(assembly):
        receives, settings = consumer.max_receive_count, consumer.function.settings
        if settings and receives is not None:
            needed = settings.timing.settling_receives + SPARE_RECEIVES
            if receives < needed:
                problem = f"is {receives}, where the settle delays need {needed}"
                yield Finding(consumer.queue, "RedrivePolicy.maxReceiveCount", problem)


@invariant(
    "retention-covers-receives",
    severity=Severity.FATAL,
    holds="The queue keeps a message for as long as all of its deliveries may take.",
    remedy="Lower `max_receive_count`, or raise the queue's retention.",
)
def retention_covers_receives(assembly: Assembly) -> Iterator[Finding]:
    """A message that expires in the queue is lost without a trace.

    Each delivery may take the function's timeout, and the longest wait that a vendor is granted.
    """
    for consumer in consumers(assembly):
        receives, kept = consumer.max_receive_count, retention(consumer.queue)
        if receives is not None and consumer.function.settings:
            longest = receives * (consumer.function.timeout + int(LONGEST_REQUESTED))
            if longest > kept:
                problem = f"is {kept} s, where {receives} deliveries may take {longest} s"
                yield Finding(consumer.queue, "MessageRetentionPeriod", problem)
