"""The environment's own key, under which its data is encrypted at rest."""

from aws_cdk import ArnFormat, Aws, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.invariants import guard


class EncryptionKey(Construct):
    """Rotating key that an environment's log groups and alarms may use, and whoever is granted it.

    Queues and the table need no line in its policy: SQS and DynamoDB use it with the privileges of
    their callers, which the constructs of queue and table grant. CloudWatch Logs and alarms act in
    their own name.

    Args:
        alias: Its name, `alias/…`.
        log_groups: Names of the log groups that it may encrypt, as a pattern.
        removal_policy: What becomes of it when it leaves its stack.

    Attributes:
        key: The key itself.
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
        self.key.add_to_resource_policy(self._logs_may_use(log_groups))
        self.key.add_to_resource_policy(self._alarms_may_use())
        guard(self)

    def _logs_may_use(self, log_groups: str) -> iam.PolicyStatement:
        # By a pattern: with a group's own ARN, key and group would wait for each other.
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

    def _alarms_may_use(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid="AllowAlarmsOfThisAccount",
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=["kms:Decrypt", "kms:GenerateDataKey*"],
            resources=["*"],
            conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
        )


def grant_key_use(grantee: iam.IGrantable, key: kms.IKey, *actions: str, through: str) -> iam.Grant:
    """Let somebody use a key through one service, and never by itself.

    Args:
        grantee: Who.
        key: The key.
        actions: Such as `kms:Decrypt`.
        through: The service, as its address spells it: `sqs`.
    """
    return iam.Grant.add_to_principal(
        grantee=grantee,
        actions=list(actions),
        resource_arns=[key.key_arn],
        conditions={"StringEquals": {"kms:ViaService": f"{through}.{Aws.REGION}.{Aws.URL_SUFFIX}"}},
    )
