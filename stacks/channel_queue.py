"""A channel's queue and the dead-letter queue behind it."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.invariants import guard
from stacks.names import ChannelNames

VISIBILITY_PER_TIMEOUT = 6
"""Visibility over the consumer's timeout, as AWS advises for a queue that feeds a function."""

RETENTION = Duration.days(7)
"""How long a message may wait, for a function that was turned off for instance."""

DEAD_LETTER_RETENTION = Duration.days(14)
"""The longest that SQS keeps a message; its age goes on counting in the dead-letter queue."""


class ChannelQueue(Construct):
    """Encrypted, TLS-only queue whose undeliverable messages end in a dead-letter queue.

    Attributes:
        queue: What the router sends to and the processor is fed from.
        dead_letter_queue: Where a message goes after `max_receive_count` deliveries.
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
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letter_queue = sqs.Queue(
            self,
            "DeadLetterQueue",
            queue_name=names.dead_letter_queue,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=DEAD_LETTER_RETENTION,
            removal_policy=removal_policy,
        )
        self.queue = sqs.Queue(
            self,
            "Queue",
            queue_name=names.queue,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
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
        guard(self, names.environment)

    def grant_send(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let a router put messages on the queue, and nothing else."""
        return self._grant(grantee, "sqs:SendMessage")

    def grant_process(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let a function be fed from the queue and keep the messages that it holds invisible."""
        return self._grant(
            grantee,
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ChangeMessageVisibility",
        )

    def _grant(self, grantee: iam.IGrantable, *actions: str) -> iam.Grant:
        return iam.Grant.add_to_principal(
            grantee=grantee, actions=list(actions), resource_arns=[self.queue.queue_arn]
        )
