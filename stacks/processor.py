"""The function that processes a channel's messages, with its log group, role, alias and mapping."""

from collections.abc import Sequence
from typing import cast

from aws_cdk import Acknowledgment, Validations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from lambda_src.core.contract import DEFAULTS, METRICS_NAMESPACE, RELEASE, Variable
from stacks.config import ChannelNames, Environment
from stacks.invariants import attach_rules

ALIAS = "live"


class Processor(Construct):
    """Function behind an alias, fed from a queue, with its own log group and role.

    The role may write to the log group, and nothing else until it is granted more.

    Args:
        names: The channel's names; the channel also gives the handler.
        environment: Runtime, memory, timeout, batch size and what else may differ.
        code: The package that holds the handler.
        queue: The queue that feeds it; grant access with `ChannelQueue.grant_process`.
        table: The conversations table; grant access with `ConversationsTable.grant_ledger`.
        secret_prefixes: The prefixes of the channel's secrets; grant access with
            `ChannelSecrets.grant_read`.
        encryption_key: Encrypts the log group; None: CloudWatch's own key.

    Attributes:
        function: The function; grant it what it works with.
        alias: The published version that processes the messages.
        log_group: The function's log group.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: ChannelNames,
        environment: Environment,
        code: lambda_.Code,
        queue: sqs.IQueue,
        table: dynamodb.ITable,
        secret_prefixes: Sequence[str],
        encryption_key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.log_group = logs.LogGroup(
            self,
            "LogGroup",
            log_group_name=names.log_group,
            retention=environment.log_retention,
            removal_policy=environment.removal_policy,
            encryption_key=encryption_key,
        )
        self.function = self._function(
            names, environment, code, _variables(names, environment, queue, table, secret_prefixes)
        )
        self._acknowledge()
        self.alias = lambda_.Alias(
            self, "Live", alias_name=ALIAS, version=self.function.current_version
        )
        lambda_.EventSourceMapping(
            self,
            "Mapping",
            target=self.alias,
            event_source_arn=queue.queue_arn,
            batch_size=environment.batch_size,
            max_concurrency=environment.maximum_concurrency,
            report_batch_item_failures=True,
        )
        attach_rules(self, environment)

    def _role(self) -> iam.Role:
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.log_group.grant_write(role)
        return role

    def _function(
        self,
        names: ChannelNames,
        environment: Environment,
        code: lambda_.Code,
        variables: dict[str, str],
    ) -> lambda_.Function:
        snap_start = lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if environment.snap_start else None
        return lambda_.Function(
            self,
            "Function",
            function_name=names.function,
            description=f"Sends the first {names.channel.display} message of a conversation",
            code=code,
            handler=names.channel.handler,
            runtime=environment.function_runtime,
            architecture=environment.function_architecture,
            memory_size=environment.function_memory_mb,
            timeout=environment.function_timeout,
            snap_start=snap_start,
            role=self._role(),
            log_group=self.log_group,
            environment=variables,
        )

    def _acknowledge(self) -> None:
        Validations.of(self.function).acknowledge(
            Acknowledgment(
                id="AwsSolutions-L1",
                reason="The environment chooses the runtime, which the package is built for.",
            )
        )
        # The CDK makes the function depend on its role's policy by a list that also has the role.
        resource = cast("lambda_.CfnFunction", self.function.node.default_child)
        resource.add_metadata("cfn-lint", {"config": {"ignore_checks": ["W3005"]}})


def _variables(
    names: ChannelNames,
    environment: Environment,
    queue: sqs.IQueue,
    table: dynamodb.ITable,
    secret_prefixes: Sequence[str],
) -> dict[str, str]:
    variables = DEFAULTS | {
        Variable.CHANNEL: names.channel.name,
        Variable.QUEUE_URL: queue.queue_url,
        Variable.CONVERSATIONS_TABLE: table.table_name,
        Variable.SECRET_PREFIXES: ",".join(secret_prefixes),
        Variable.LOG_LEVEL: environment.log_level,
        Variable.VERSION: RELEASE,
        Variable.MAX_CONCURRENCY: str(environment.batch_size),
        Variable.OPENAI_BASE_URL: environment.openai_base_url or "",
        Variable.ASSISTANTS_BASE_URL: environment.assistants_base_url or "",
        Variable.CONVERSATION_RETENTION_DAYS: str(environment.conversation_retention_days or ""),
    }
    used = {name.value: value for name, value in variables.items() if value}
    return used | {METRICS_NAMESPACE: names.metrics_namespace}
