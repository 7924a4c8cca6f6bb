"""An environment's hand-off queue: copies of the context objects whose drafts are held."""

from aws_cdk import Acknowledgment, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.channel_queue import CONSUME, DEAD_LETTER_RETENTION
from stacks.config.environments import Environment
from stacks.grants import grant_key_use
from stacks.invariants import attach_rules


class HandOffQueue(Construct):
    """Encrypted, TLS-only queue that informs other systems about held drafts.

    The record decides about a draft, so a copy may be read, kept or lost without any effect. It
    expires after 14 days. There is no dead-letter queue: a copy that was received a few times is
    still the notification that it was, and another queue would keep personal data once more.

    Args:
        queue_name: Its name.
        environment: What may differ between environments.
        encryption_key: Encrypts it; None: a key that SQS manages.

    Attributes:
        queue: The queue.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        queue_name: str,
        environment: Environment,
        encryption_key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._key = encryption_key
        self.queue = sqs.Queue(
            self,
            "Queue",
            queue_name=queue_name,
            encryption=sqs.QueueEncryption.KMS
            if encryption_key
            else sqs.QueueEncryption.SQS_MANAGED,
            encryption_master_key=encryption_key,
            enforce_ssl=True,
            retention_period=DEAD_LETTER_RETENTION,
            removal_policy=environment.removal_policy,
        )
        Validations.of(self.queue).acknowledge(
            Acknowledgment(
                id="AwsSolutions-SQS3",
                reason="Its messages are copies for other systems, and their records decide.",
            )
        )
        attach_rules(self, environment)

    def grant_put(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow a processor to put copies on the queue, and nothing else."""
        return self._grant(
            grantee, "sqs:SendMessage", of_key=("kms:GenerateDataKey", "kms:Decrypt")
        )

    def grant_remove(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow an operator to find and remove the copies about an erased recipient."""
        return self._grant(grantee, *CONSUME, of_key=("kms:Decrypt",))

    def _grant(self, grantee: iam.IGrantable, *actions: str, of_key: tuple[str, ...]) -> iam.Grant:
        if self._key:
            grant_key_use(grantee, self._key, *of_key, service="sqs")
        return iam.Grant.add_to_principal(
            grantee=grantee, actions=list(actions), resource_arns=[self.queue.queue_arn]
        )
