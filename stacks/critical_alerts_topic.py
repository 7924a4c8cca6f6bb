"""The topic that wakes a person."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from stacks.invariants import guard


class CriticalAlertsTopic(Construct):
    """TLS-only topic that the account's alarms can publish to.

    Its policy names CloudWatch because any policy replaces the default one, under which alarms
    publish. Without a key of the environment's own it is not encrypted: an alarm cannot publish
    through the one that AWS manages, and what it says holds ids and names of alarms only.

    Args:
        topic_name: Its name.
        email: Who is told; None: nobody, until somebody subscribes.
        encryption_key: Encrypts it, and has to let CloudWatch use it, as `EncryptionKey` does.

    Attributes:
        topic: The topic itself.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        topic_name: str,
        email: str | None,
        encryption_key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(
            self, "Topic", topic_name=topic_name, enforce_ssl=True, master_key=encryption_key
        )
        self.topic.add_to_resource_policy(self._alarms_may_publish())
        if email is not None:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))
        guard(self)

    def _alarms_may_publish(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid="AllowAlarmsOfThisAccount",
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=["sns:Publish"],
            resources=[self.topic.topic_arn],
            conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
        )
