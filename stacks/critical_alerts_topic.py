"""The topic that alarms notify."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from stacks.invariants import attach_rules


class CriticalAlertsTopic(Construct):
    """TLS-only topic that the account's alarms can publish to.

    Its policy allows CloudWatch explicitly, because any policy replaces the default one that lets
    alarms publish. Without the environment's own key it is not encrypted: alarms cannot publish
    through the key that AWS manages, and notifications hold only ids and names of alarms.

    Args:
        topic_name: Its name.
        email: The address to subscribe; None: no subscriber.
        encryption_key: Encrypts it, and has to let CloudWatch use it, as `EncryptionKey` does.

    Attributes:
        topic: The topic.
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
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AllowAlarmsOfThisAccount",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        if email is not None:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))
        attach_rules(self)
