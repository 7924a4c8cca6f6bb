"""A function that a queue feeds, with its log group, role, alias and event source mapping."""

from collections.abc import Mapping, Sequence
from typing import cast

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from lambda_src.core.contract import DEFAULTS, METRICS_NAMESPACE, RELEASE, Variable
from stacks.config import ChannelNames
from stacks.config.environments import Environment
from stacks.functions import logged_function
from stacks.invariants import attach_rules
from stacks.invariants.assembly import CHANNEL_VARIABLES, METADATA

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
        secret_prefixes: The prefixes of the secrets that it reads; grant access with
            `ChannelSecrets.grant_read`. Empty: it reads none.
        encryption_key: Encrypts the log group; None: CloudWatch's own key.
        callback_base_url: Where the vendor's status callbacks are sent; empty: none are requested.
        hand_off_queue: Where copies of held context objects are put; grant access with
            `HandOffQueue.grant_put`. None: a draft that would be held fails.
        variables: The channel's own environment variables.

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
        callback_base_url: str = "",
        hand_off_queue: sqs.IQueue | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        snap_start = lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if environment.snap_start else None
        found = _variables(names, environment) | {
            Variable.QUEUE_URL: queue.queue_url,
            Variable.CONVERSATIONS_TABLE: table.table_name,
        }
        if secret_prefixes:
            found[Variable.SECRET_PREFIXES] = ",".join(secret_prefixes)
        if callback_base_url:
            found[Variable.CALLBACK_BASE_URL] = callback_base_url
        if hand_off_queue:
            found[Variable.HANDOFF_QUEUE_URL] = hand_off_queue.queue_url
        created = logged_function(
            self,
            environment,
            names.log_group,
            encryption_key,
            function_name=names.function,
            description=names.function_description,
            code=code,
            handler=names.handler,
            memory_size=environment.function_memory_mb,
            timeout=environment.function_timeout,
            snap_start=snap_start,
            variables=found | dict(variables or {}),
        )
        self.function = created.function
        self.log_group = created.log_group
        if variables:
            resource = cast("lambda_.CfnFunction", self.function.node.default_child)
            resource.add_metadata(METADATA, {CHANNEL_VARIABLES: sorted(variables)})
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


def _variables(names: ChannelNames, environment: Environment) -> dict[str, str]:
    """Return the variables that follow from names and environment; empty ones are left out."""
    variables = DEFAULTS | {
        Variable.CHANNEL: names.channel.name,
        Variable.LOG_LEVEL: environment.log_level,
        Variable.VERSION: RELEASE,
        Variable.MAX_CONCURRENCY: str(environment.batch_size),
        Variable.OPENAI_BASE_URL: environment.openai_base_url or "",
        Variable.ASSISTANTS_BASE_URL: environment.assistants_base_url or "",
        Variable.DRAFT_CHECKS: environment.draft_checks,
        Variable.CONVERSATION_RETENTION_DAYS: str(environment.conversation_retention_days or ""),
    }
    used = {name.value: value for name, value in variables.items() if value}
    return used | {METRICS_NAMESPACE: names.metrics_namespace}
