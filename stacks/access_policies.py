"""Managed policies of a channel: for routers that send to it, and for its operators."""

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.channel_queue import ChannelQueue
from stacks.channel_secrets import ChannelSecrets
from stacks.config import ChannelNames
from stacks.conversations_table import ConversationsTable
from stacks.grants import acknowledge_wildcards
from stacks.hand_off_queue import HandOffQueue
from stacks.invariants import attach_rules

READ_ONLY = (
    "cloudformation:DescribeStacks",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "lambda:ListEventSourceMappings",
    "secretsmanager:ListSecrets",
)
"""Actions that read names, states and numbers, and that IAM allows on all resources only."""


class RouterPolicy(Construct):
    """Managed policy for senders of context objects in this account.

    Attributes:
        policy: The policy.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: ChannelNames,
        channel_queue: ChannelQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        self.policy = iam.ManagedPolicy(
            self,
            "Policy",
            managed_policy_name=names.router_policy,
            description=f"May send to the {names.channel.display} queue, and nothing else",
        )
        channel_queue.grant_send(self.policy)
        attach_rules(self, names.environment)


class OperatorPolicy(Construct):
    """Managed policy for a channel's operators: exactly what the operator's tool calls.

    It reads and changes conversations of the whole environment, because they share one table.

    Attributes:
        policy: The policy.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: ChannelNames,
        channel_queue: ChannelQueue,
        conversations: ConversationsTable,
        secrets: ChannelSecrets,
        function: lambda_.IAlias,
        hand_off: HandOffQueue | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.policy = iam.ManagedPolicy(
            self,
            "Policy",
            managed_policy_name=names.operator_policy,
            # A change would replace the policy, which CloudFormation refuses for its fixed name.
            description=f"An operator of {names.channel.display}: what the operator's tool calls",
        )
        channel_queue.grant_operate(self.policy)
        conversations.grant_operate(self.policy)
        secrets.grant_operate(self.policy)
        if hand_off:
            hand_off.grant_remove(self.policy)
        stack_arn = Stack.of(self).format_arn(
            service="cloudformation",
            resource="stack",
            resource_name=f"{names.stack}/*",
            arn_format=ArnFormat.SLASH_RESOURCE_NAME,
        )
        self._allow(function.function_arn, "lambda:GetFunctionConfiguration")
        self._allow(stack_arn, "cloudformation:ListStackResources")
        self._allow("*", *READ_ONLY)
        acknowledge_wildcards(
            self.policy,
            stack_arn,
            "*",
            reason="A stack is granted by its name with any id; reading, on all resources only.",
        )
        attach_rules(self, names.environment)

    def _allow(self, resource: str, *actions: str) -> None:
        self.policy.add_statements(iam.PolicyStatement(actions=list(actions), resources=[resource]))
