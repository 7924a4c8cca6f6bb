"""The table of conversations: each item is one conversation's record and its ledger."""

from aws_cdk import Acknowledgment, RemovalPolicy, Validations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from lambda_src.core.contract import EXPIRES_AT
from stacks.encryption_key import grant_key_use
from stacks.invariants import guard

KEY_USE = (
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:DescribeKey",
)
"""What DynamoDB checks of its callers where a table is encrypted with a key of our own."""


class ConversationsTable(Construct):
    """On-demand table keyed by whom a conversation is with and which one it is.

    It has no secondary index: each would multiply the cost of every write of the ledger.

    Args:
        table_name: Its name.
        point_in_time_recovery: Whether it can be restored to any second of the last 35 days.
        deletion_protection: Whether DynamoDB refuses to delete it.
        removal_policy: What becomes of it when it leaves its stack.
        encryption_key: Encrypts it; None: a key that DynamoDB owns.

    Attributes:
        table: The table itself.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        table_name: str,
        point_in_time_recovery: bool,
        deletion_protection: bool,
        removal_policy: RemovalPolicy,
        encryption_key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._key = encryption_key
        self.table = dynamodb.Table(
            self,
            "Table",
            table_name=table_name,
            partition_key=_string_key("primary_channel"),
            sort_key=_string_key("conversation_id"),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=point_in_time_recovery
            ),
            deletion_protection=deletion_protection,
            removal_policy=removal_policy,
            encryption_key=encryption_key,
            time_to_live_attribute=EXPIRES_AT,
        )
        if not point_in_time_recovery:
            self._acknowledge_no_recovery()
        guard(self)

    def grant_ledger(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let a processor keep the ledger: conditional writes and a conversation's look-up."""
        return self._grant(
            grantee,
            "dynamodb:ConditionCheckItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:Query",
        )

    def grant_operate(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let a person find, decide and erase conversations, and suppress recipients."""
        return self._grant(
            grantee,
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:Scan",
            "dynamodb:UpdateItem",
        )

    def _grant(self, grantee: iam.IGrantable, *actions: str) -> iam.Grant:
        if self._key:
            grant_key_use(grantee, self._key, *KEY_USE, through="dynamodb")
        return iam.Grant.add_to_principal(
            grantee=grantee, actions=list(actions), resource_arns=[self.table.table_arn]
        )

    def _acknowledge_no_recovery(self) -> None:
        Validations.of(self.table).acknowledge(
            Acknowledgment(
                id="AwsSolutions-DDB3",
                reason="The environment turns point-in-time recovery off: its data is disposable.",
            )
        )


def _string_key(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
