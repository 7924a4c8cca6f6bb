"""Messages hold personal data: at rest encrypted, on their way too."""

from collections.abc import Iterator

from stacks.invariants.assembly import Assembly
from stacks.invariants.invariant import Finding, invariant
from stacks.invariants.policies import denies_plain_connections, policies_of

QUEUE = "AWS::SQS::Queue"

POLICIES = {
    QUEUE: ("AWS::SQS::QueuePolicy", "Queues"),
    "AWS::SNS::Topic": ("AWS::SNS::TopicPolicy", "Topics"),
}
"""For each type of resource that others connect to: its policy, and how that names it."""


@invariant(
    "queues-are-encrypted",
    holds="Each queue is encrypted at rest, by SQS or with a key.",
    remedy="Give the queue an `encryption`.",
)
def queues_are_encrypted(assembly: Assembly) -> Iterator[Finding]:
    """SQS encrypts by default, but a template that says nothing leaves that to the default."""
    for queue in assembly.of(QUEUE):
        is_encrypted = queue.value("SqsManagedSseEnabled") is True or queue.value("KmsMasterKeyId")
        if not is_encrypted:
            yield Finding(queue, "SqsManagedSseEnabled", "is not on, and no key is named")


@invariant(
    "connections-are-encrypted",
    holds="Each queue and each topic denies everybody what does not come over TLS.",
    remedy="Set `enforce_ssl=True`.",
)
def connections_are_encrypted(assembly: Assembly) -> Iterator[Finding]:
    """AWS takes plain HTTP unless a policy denies it."""
    for resource in assembly.of(*POLICIES):
        kind, attached_by = POLICIES[resource.kind]
        if not denies_plain_connections(policies_of(assembly, resource, kind, attached_by)):
            yield Finding(resource, kind.rpartition(":")[2], "lets everybody connect without TLS")
