"""A channel's queue and the dead-letter queue behind it."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.encryption_key import grant_key_use
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

    Args:
        names: The channel's names.
        consumer_timeout: Of the function that the queue feeds; a message is hidden six times as
            long.
        max_receive_count: Deliveries after which a message is a dead letter.
        removal_policy: Of both queues.
        encryption_key: Encrypts both; None: a key that SQS manages.

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
        guard(self, names.environment)

    def grant_send(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let a router put messages on the queue, and nothing else."""
        self._grant_key(grantee, "kms:GenerateDataKey", "kms:Decrypt")
        return self._grant(grantee, "sqs:SendMessage")

    def grant_process(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let a function be fed from the queue and keep the messages that it holds invisible."""
        self._grant_key(grantee, "kms:Decrypt")
        return self._grant(
            grantee,
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ChangeMessageVisibility",
        )

    def grant_operate(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let a person see and remove messages of both queues, and send dead letters back."""
        self._grant_key(grantee, "kms:GenerateDataKey", "kms:Decrypt")
        self._grant(grantee, "sqs:SendMessage")
        return iam.Grant.add_to_principal(
            grantee=grantee,
            actions=[
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:ChangeMessageVisibility",
            ],
            resource_arns=[self.queue.queue_arn, self.dead_letter_queue.queue_arn],
        )

    def _grant_key(self, grantee: iam.IGrantable, *actions: str) -> None:
        if self._key:
            grant_key_use(grantee, self._key, *actions, through="sqs")

    def _grant(self, grantee: iam.IGrantable, *actions: str) -> iam.Grant:
        return iam.Grant.add_to_principal(
            grantee=grantee, actions=list(actions), resource_arns=[self.queue.queue_arn]
        )
