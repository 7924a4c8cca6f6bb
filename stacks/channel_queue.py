"""A channel's queue and its dead-letter queue."""

from collections.abc import Sequence

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.config import ChannelNames
from stacks.grants import grant_key_use
from stacks.invariants import attach_rules

VISIBILITY_PER_TIMEOUT = 6
"""Visibility over the consumer's timeout, as AWS advises for a queue that feeds a function."""

RETENTION = Duration.days(7)
"""How long a message may wait, for example while the function is turned off."""

DEAD_LETTER_RETENTION = Duration.days(14)
"""The maximum of SQS; a message keeps its age when it is moved to the dead-letter queue."""

CONSUME = (
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ChangeMessageVisibility",
)


class ChannelQueue(Construct):
    """Encrypted, TLS-only queue with a dead-letter queue.

    Args:
        names: The channel's names.
        consumer_timeout: The timeout of the function that the queue feeds; the visibility timeout
            is six times as long.
        max_receive_count: Deliveries after which a message moves to the dead-letter queue.
        removal_policy: Of both queues.
        encryption_key: Encrypts both; None: a key that SQS manages.

    Attributes:
        queue: The queue that the router sends to and that feeds the processor.
        dead_letter_queue: The queue of messages that were delivered `max_receive_count` times.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: ChannelNames,
        consumer_timeout: Duration,
        max_receive_count: int,
        removal_policy: RemovalPolicy,
        encryption_key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._key = encryption_key
        encryption = sqs.QueueEncryption.KMS if encryption_key else sqs.QueueEncryption.SQS_MANAGED
        self.dead_letter_queue = sqs.Queue(
            self,
            "DeadLetterQueue",
            queue_name=names.dead_letter_queue,
            encryption=encryption,
            encryption_master_key=encryption_key,
            enforce_ssl=True,
            retention_period=DEAD_LETTER_RETENTION,
            removal_policy=removal_policy,
        )
        self.queue = sqs.Queue(
            self,
            "Queue",
            queue_name=names.queue,
            encryption=encryption,
            encryption_master_key=encryption_key,
            enforce_ssl=True,
            retention_period=RETENTION,
            visibility_timeout=Duration.seconds(
                VISIBILITY_PER_TIMEOUT * consumer_timeout.to_seconds()
            ),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=self.dead_letter_queue, max_receive_count=max_receive_count
            ),
            removal_policy=removal_policy,
        )
        attach_rules(self, names.environment)

    def grant_send(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow a router to send messages to the queue, and nothing else."""
        self._grant_key(grantee, "kms:GenerateDataKey", "kms:Decrypt")
        return self._grant(grantee, "sqs:SendMessage", queues=[self.queue])

    def grant_request_lookups(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow a scheduled job to send messages, and to see how many wait on the queue."""
        self.grant_send(grantee)
        return self._grant(grantee, "sqs:GetQueueAttributes", queues=[self.queue])

    def grant_process(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow a function to receive from the queue and to extend visibility timeouts."""
        self._grant_key(grantee, "kms:Decrypt")
        return self._grant(grantee, *CONSUME, queues=[self.queue])

    def grant_operate(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow an operator to read and remove messages of both queues, and to redrive them."""
        self._grant_key(grantee, "kms:GenerateDataKey", "kms:Decrypt")
        self._grant(grantee, "sqs:SendMessage", queues=[self.queue])
        return self._grant(grantee, *CONSUME, queues=[self.queue, self.dead_letter_queue])

    def _grant_key(self, grantee: iam.IGrantable, *actions: str) -> None:
        if self._key:
            grant_key_use(grantee, self._key, *actions, service="sqs")

    def _grant(
        self, grantee: iam.IGrantable, *actions: str, queues: Sequence[sqs.IQueue]
    ) -> iam.Grant:
        return iam.Grant.add_to_principal(
            grantee=grantee,
            actions=list(actions),
            resource_arns=[queue.queue_arn for queue in queues],
        )
