"""What a channel router may do: put messages on the channel's queue."""

from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.channel_queue import ChannelQueue
from stacks.invariants import guard
from stacks.names import ChannelNames


class RouterPolicy(Construct):
    """Managed policy to attach to whatever sends context objects, in this account.

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
    ) -> None:
        super().__init__(scope, construct_id)
        self.policy = iam.ManagedPolicy(
            self,
            "Policy",
            managed_policy_name=names.router_policy,
            description=f"May send to the {names.channel.display} queue, and nothing else",
        )
        channel_queue.grant_send(self.policy)
        guard(self, names.environment)
