"""The topic through which an AWS service puts events about sent messages on the events queue."""

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.config import ChannelNames
from stacks.invariants import attach_rules

USE_KEY = ("kms:Decrypt", "kms:GenerateDataKey*")


class VendorTopic(Construct):
    """TLS-only topic whose messages reach the events queue as the vendor published them.

    The events carry no signature: they are authentic because the queue takes messages of services
    from this topic only, and the topic from the vendor's own resource (`allow_publish`).

    Args:
        names: The channel's names.
        events: The events queue.
        encryption_key: Encrypts the topic and the queue; None: the topic is not encrypted, since
            other services cannot use the key that AWS manages for SNS.

    Attributes:
        topic: The topic.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: ChannelNames,
        events: sqs.IQueue,
        encryption_key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._key = encryption_key
        self.topic = sns.Topic(
            self,
            "Topic",
            topic_name=names.events.topic,
            enforce_ssl=True,
            master_key=encryption_key,
        )
        sns.Subscription(
            self,
            "Subscription",
            topic=self.topic,
            protocol=sns.SubscriptionProtocol.SQS,
            endpoint=events.queue_arn,
            raw_message_delivery=True,
        )
        events.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AllowTheVendorsTopic",
                principals=[iam.ServicePrincipal("sns.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[events.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": self.topic.topic_arn}},
            )
        )
        # The key is in another stack, which must not depend on this one: its policy names the ARN.
        arn = Stack.of(self).format_arn(
            service="sns", resource=names.events.topic, arn_format=ArnFormat.NO_RESOURCE_NAME
        )
        self._allow_key("sns.amazonaws.com", {"ArnEquals": {"aws:SourceArn": arn}})
        attach_rules(self, names.environment)

    def allow_publish(self, service: str, source_arn: str) -> None:
        """Allow a service to publish on behalf of one resource of this account.

        Args:
            service: Such as `ses.amazonaws.com`.
            source_arn: The resource.
        """
        account = {"aws:SourceAccount": Stack.of(self).account}
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AllowTheVendor",
                principals=[iam.ServicePrincipal(service)],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {**account, "aws:SourceArn": source_arn}},
            )
        )
        self._allow_key(service, {"StringEquals": account})

    def _allow_key(self, service: str, conditions: dict[str, dict[str, str]]) -> None:
        if self._key:
            self._key.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[iam.ServicePrincipal(service)],
                    actions=list(USE_KEY),
                    resources=["*"],
                    conditions=conditions,
                )
            )
