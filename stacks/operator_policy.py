"""What the person on duty may do: what the operator's tool asks for, and no more."""

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.channel_queue import ChannelQueue
from stacks.channel_secrets import ChannelSecrets
from stacks.conversations_table import ConversationsTable
from stacks.invariants import guard
from stacks.names import ChannelNames
from stacks.wildcards import acknowledge_wildcard

LOOKS = (
    "cloudformation:DescribeStacks",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "lambda:ListEventSourceMappings",
    "secretsmanager:ListSecrets",
)
"""What reads names, states and numbers, and can be allowed of everything alone."""

MEANT = "A stack is granted by its name, whatever its id; looking, of everything alone."


class OperatorPolicy(Construct):
    """Managed policy to attach to people on duty for one channel.

    It reads and changes conversations of the whole environment, which share one table.

    Attributes:
        policy: The policy itself.
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
    ) -> None:
        super().__init__(scope, construct_id)
        self.policy = iam.ManagedPolicy(
            self,
            "Policy",
            managed_policy_name=names.operator_policy,
            description=f"An operator of {names.channel.display}: what the operator's tool calls",
        )
        channel_queue.grant_operate(self.policy)
        conversations.grant_operate(self.policy)
        secrets.grant_operate(self.policy)
        self._allow(function.function_arn, "lambda:GetFunctionConfiguration")
        self._allow(self._stack_arn(names.stack), "cloudformation:ListStackResources")
        self._allow("*", *LOOKS)
        guard(self, names.environment)

    def _allow(self, resource: str, *actions: str) -> None:
        self.policy.add_statements(iam.PolicyStatement(actions=list(actions), resources=[resource]))
        if resource.endswith("*"):
            acknowledge_wildcard(self.policy, resource, reason=MEANT)

    def _stack_arn(self, name: str) -> str:
        return Stack.of(self).format_arn(
            service="cloudformation",
            resource="stack",
            resource_name=f"{name}/*",
            arn_format=ArnFormat.SLASH_RESOURCE_NAME,
        )
