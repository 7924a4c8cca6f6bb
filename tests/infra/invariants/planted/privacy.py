"""Faults in what protects messages from others' eyes."""

from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from tests.infra.invariants.bench import Bench
from tests.infra.invariants.fault import fault
from tests.infra.invariants.templates import drop, put, without

QUEUE = "AWS::SQS::Queue"


def _plain_queue(bench: Bench) -> None:
    bench.queue()
    sqs.Queue(bench.stack, "Plain", encryption=sqs.QueueEncryption.UNENCRYPTED, enforce_ssl=True)


def _queue_without_tls(bench: Bench) -> None:
    bench.queue()
    sqs.Queue(bench.stack, "Open", encryption=sqs.QueueEncryption.SQS_MANAGED)


def _topic_without_tls(bench: Bench) -> None:
    bench.topic()
    sns.Topic(bench.stack, "Open")


FAULTS = (
    fault(
        "queue without encryption",
        "queues-are-encrypted",
        by_code=_plain_queue,
        by_override=put(QUEUE, "SqsManagedSseEnabled", value=False),
    ),
    fault(
        "queue that says nothing of encryption",
        "queues-are-encrypted",
        by_code=_plain_queue,
        by_override=drop(QUEUE, "SqsManagedSseEnabled"),
    ),
    fault(
        "queue that takes plain connections",
        "connections-are-encrypted",
        by_code=_queue_without_tls,
        by_override=without("AWS::SQS::QueuePolicy", "DeadLetter"),
    ),
    fault(
        "topic that takes plain connections",
        "connections-are-encrypted",
        by_code=_topic_without_tls,
        by_override=without("AWS::SNS::TopicPolicy"),
    ),
)
