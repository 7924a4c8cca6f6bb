"""Faults between the queue and the function."""

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from tests.infra.invariants.bench import Bench, changed, resource
from tests.infra.invariants.fault import fault
from tests.infra.invariants.templates import drop, put

MAPPING = "AWS::Lambda::EventSourceMapping"
QUEUE = "AWS::SQS::Queue"
FUNCTION = "AWS::Lambda::Function"
MAIN, DEAD = "ChannelQueue4", "DeadLetterQueue"


def _own_queue(bench: Bench, dead_letters: sqs.Queue | None = None) -> None:
    queue = sqs.Queue(
        bench.stack,
        "Own",
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        visibility_timeout=Duration.minutes(18),
        retention_period=Duration.days(4),
        dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=8)
        if dead_letters
        else None,
    )
    bench.processor(queue=queue)


def _dead_letters_that_expire_with_the_rest(bench: Bench) -> None:
    dead_letters = sqs.Queue(
        bench.stack,
        "OwnDeadLetters",
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=Duration.days(4),
    )
    _own_queue(bench, dead_letters)


def _reserved(bench: Bench) -> None:
    resource(bench.processor()).reserved_concurrent_executions = 1


def _throttled(bench: Bench) -> None:
    mapping = bench.processor().node.find_child("Mapping").node.default_child
    assert isinstance(mapping, lambda_.CfnEventSourceMapping)
    mapping.add_property_override("ScalingConfig.MaximumConcurrency", 1)


FAULTS = (
    fault(
        "mapping without batch item failures",
        "failures-are-reported",
        by_code=lambda bench: bench.mapping(bench.processor(), reports=False),
        by_override=drop(MAPPING, "FunctionResponseTypes"),
    ),
    fault(
        "mapping without a maximum concurrency",
        "concurrency-is-bounded",
        by_code=lambda bench: bench.mapping(bench.processor(), bounded=False),
        by_override=drop(MAPPING, "ScalingConfig"),
    ),
    fault(
        "maximum concurrency under 2",
        "concurrency-is-bounded",
        by_code=_throttled,
        by_override=put(MAPPING, "ScalingConfig.MaximumConcurrency", 1),
    ),
    fault(
        "reserved concurrency of 1",
        "concurrency-is-bounded",
        by_code=_reserved,
        by_override=put(FUNCTION, "ReservedConcurrentExecutions", 1),
    ),
    fault(
        "visibility below the function's timeout",
        "visibility-outlasts-function",
        by_code=lambda bench: bench.processor(queue=bench.queue(consumer_timeout=20)),
        by_override=put(QUEUE, "VisibilityTimeout", 179, MAIN),
    ),
    fault(
        "visibility that nobody set",
        "visibility-outlasts-function",
        by_code=lambda bench: bench.processor(queue=bench.queue(consumer_timeout=5)),
        by_override=drop(QUEUE, "VisibilityTimeout", MAIN),
    ),
    fault(
        "visibility below what AWS advises",
        "visibility-as-advised",
        by_code=lambda bench: bench.processor(queue=bench.queue(consumer_timeout=100)),
        by_override=put(QUEUE, "VisibilityTimeout", 1_079, MAIN),
    ),
    fault(
        "queue without a dead-letter queue",
        "given-up-messages-are-kept",
        by_code=_own_queue,
        by_override=drop(QUEUE, "RedrivePolicy", MAIN),
    ),
    fault(
        "dead letters kept no longer than messages",
        "dead-letters-outlive-their-queue",
        by_code=_dead_letters_that_expire_with_the_rest,
        by_override=put(QUEUE, "MessageRetentionPeriod", 604_800, DEAD),
    ),
    fault(
        "too few receives for the settle delays",
        "receives-cover-settling",
        by_code=changed(max_receive_count=5),
        by_override=put(FUNCTION, "Environment.Variables.SETTLE_DELAYS_SECONDS", "1,2,3,4,5,6,7,8"),
    ),
    fault(
        "receives that outlast the queue's retention",
        "retention-covers-receives",
        by_code=changed(max_receive_count=100),
        by_override=put(QUEUE, "MessageRetentionPeriod", 86_400, MAIN),
    ),
)
