"""The conversations table; each item is the record of one conversation."""

from collections.abc import Sequence

from aws_cdk import Acknowledgment, RemovalPolicy, Validations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from lambda_src.core.contract import EXPIRES_AT, OPEN_SINCE, OPEN_WORK, OPEN_WORK_INDEX
from stacks.grants import grant_key_use
from stacks.invariants import attach_rules

KEY_USE = (
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:DescribeKey",
)
"""What DynamoDB requires of the callers of a table that is encrypted with the environment's key."""


class ConversationsTable(Construct):
    """On-demand table keyed by recipient and conversation.

    Its only index, `open-work`, lists the records on which something remains to be done. It is
    sparse and has the keys only: an index costs a write unit for each write that changes what it
    contains.

    Args:
        table_name: Its name.
        point_in_time_recovery: Whether it can be restored to any second of the last 35 days.
        deletion_protection: Whether DynamoDB refuses to delete it.
        removal_policy: Of the table.
        encryption_key: Encrypts it; None: a key that DynamoDB owns.

    Attributes:
        table: The table.
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
        self.table.add_global_secondary_index(
            index_name=OPEN_WORK_INDEX,
            partition_key=_string_key(OPEN_WORK),
            sort_key=dynamodb.Attribute(name=OPEN_SINCE, type=dynamodb.AttributeType.NUMBER),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        if not point_in_time_recovery:
            self._acknowledge_no_recovery()
        attach_rules(self)

    def grant_ledger(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow a processor to write records conditionally and to query conversations."""
        return self._grant(
            grantee,
            "dynamodb:ConditionCheckItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:Query",
        )

    def grant_record_delivery(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow an events worker to read records, to update them and to suppress recipients."""
        return self._grant(grantee, "dynamodb:GetItem", "dynamodb:UpdateItem")

    def grant_find_open_work(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow to query the index `open-work`, and not the table."""
        index = f"{self.table.table_arn}/index/{OPEN_WORK_INDEX}"
        return self._grant(grantee, "dynamodb:Query", resources=[index])

    def grant_queue_approved(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow a scheduled job to read approved records, and to change when they are due."""
        return self._grant(grantee, "dynamodb:GetItem", "dynamodb:UpdateItem")

    def grant_operate(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow an operator to find, change and erase conversations, and to suppress recipients."""
        self.grant_find_open_work(grantee)
        return self._grant(
            grantee,
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:Scan",
            "dynamodb:UpdateItem",
        )

    def _grant(
        self, grantee: iam.IGrantable, *actions: str, resources: Sequence[str] = ()
    ) -> iam.Grant:
        if self._key:
            grant_key_use(grantee, self._key, *KEY_USE, service="dynamodb")
        return iam.Grant.add_to_principal(
            grantee=grantee,
            actions=list(actions),
            resource_arns=list(resources) or [self.table.table_arn],
        )

    def _acknowledge_no_recovery(self) -> None:
        Validations.of(self.table).acknowledge(
            Acknowledgment(
                id="AwsSolutions-DDB3",
                reason="The environment turns recovery off: its data can be recreated.",
            )
        )


def _string_key(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
