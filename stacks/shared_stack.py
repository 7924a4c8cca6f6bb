"""The resources that an environment's channels share, as a wiring diagram."""

from aws_cdk import CfnOutput, Stack
from aws_cdk import Environment as Target
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.callback_endpoint import CallbackEndpoint
from stacks.config import SharedNames
from stacks.config.environments import Environment
from stacks.conversations_table import ConversationsTable
from stacks.critical_alerts_topic import CriticalAlertsTopic
from stacks.encryption_key import EncryptionKey
from stacks.hand_off_queue import HandOffQueue
from stacks.invariants import attach_rules


class SharedStack(Stack):
    """The conversations table, the hand-off queue and the topic of critical alerts.

    Args:
        environment: What may differ between environments.
        names: Another repository's own names, where it has some.

    Attributes:
        conversations: The table construct.
        alerts: The topic construct.
        hand_off: The queue of copies of the context objects whose drafts are held.
        encryption_key: The environment's own key; None where AWS's keys are used.
        callbacks: The HTTP API of status callbacks; None without `delivery_webhook`.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        names: SharedNames | None = None,
    ) -> None:
        names = names or SharedNames(environment)
        super().__init__(
            scope,
            construct_id,
            stack_name=names.stack,
            description="Conversations and critical alerts, shared by the channels",
            env=Target(account=environment.account, region=environment.region),
            termination_protection=environment.deletion_protection,
        )
        self.encryption_key = self._key(names) if environment.customer_managed_key else None
        self.conversations = ConversationsTable(
            self,
            "Conversations",
            table_name=names.table,
            point_in_time_recovery=environment.point_in_time_recovery,
            deletion_protection=environment.deletion_protection,
            removal_policy=environment.removal_policy,
            encryption_key=self.encryption_key,
        )
        self.alerts = CriticalAlertsTopic(
            self,
            "CriticalAlerts",
            topic_name=names.topic,
            email=environment.alert_email,
            encryption_key=self.encryption_key,
        )
        self.hand_off = HandOffQueue(
            self,
            "HandOff",
            queue_name=names.hand_off_queue,
            environment=environment,
            encryption_key=self.encryption_key,
        )
        self.callbacks = (
            CallbackEndpoint(self, "Callbacks", names=names, environment=environment)
            if environment.delivery_webhook
            else None
        )
        attach_rules(self, environment)
        CfnOutput(self, "TableName", value=self.conversations.table.table_name)
        CfnOutput(self, "TopicName", value=self.alerts.topic.topic_name)
        CfnOutput(self, "TopicArn", value=self.alerts.topic.topic_arn)
        if self.callbacks:
            CfnOutput(self, "CallbackBaseUrl", value=self.callbacks.base_url)

    def _key(self, names: SharedNames) -> kms.IKey:
        return EncryptionKey(
            self,
            "Encryption",
            alias=names.key_alias,
            log_groups=names.log_groups,
            removal_policy=names.environment.removal_policy,
        ).key
