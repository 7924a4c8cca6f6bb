"""The environment's own key, which encrypts its data at rest."""

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.invariants import attach_rules


class EncryptionKey(Construct):
    """Rotated key that an environment's log groups and alarms may use.

    Queues and the table need no statement in its policy: SQS and DynamoDB use it with the
    permissions of their callers, which the constructs of queue and table grant. CloudWatch Logs and
    alarms use it as services.

    Args:
        alias: Its name, `alias/…`.
        log_groups: A pattern for the names of the log groups that it may encrypt.
        removal_policy: Of the key.

    Attributes:
        key: The key.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        alias: str,
        log_groups: str,
        removal_policy: RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        self.key = kms.Key(
            self,
            "Key",
            alias=alias,
            description="Encrypts the queues, conversations, alerts and logs of an environment",
            enable_key_rotation=True,
            removal_policy=removal_policy,
        )
        self.key.add_to_resource_policy(self._allow_logs(log_groups))
        self.key.add_to_resource_policy(self._allow_alarms())
        attach_rules(self)

    def _allow_logs(self, log_groups: str) -> iam.PolicyStatement:
        # A pattern, because a log group's ARN would make key and group depend on each other.
        stack = Stack.of(self)
        arn = stack.format_arn(
            service="logs",
            resource="log-group",
            resource_name=log_groups,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        return iam.PolicyStatement(
            sid="AllowLogGroupsOfThisEnvironment",
            principals=[iam.ServicePrincipal(f"logs.{stack.region}.{stack.url_suffix}")],
            actions=[
                "kms:Encrypt",
                "kms:Decrypt",
                "kms:ReEncrypt*",
                "kms:GenerateDataKey*",
                "kms:DescribeKey",
            ],
            resources=["*"],
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": arn}},
        )

    def _allow_alarms(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid="AllowAlarmsOfThisAccount",
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=["kms:Decrypt", "kms:GenerateDataKey*"],
            resources=["*"],
            conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
        )
