"""From an alarm's action to a mailbox: topic, its policy, its key, its subscribers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.alarms.deployment import ACCOUNT, Deployment, Resource
from tests.alarms.metrics import NotUnderstoodError
from tests.alarms.policies import Call, allows

SUBSCRIPTION = {"Protocol", "Endpoint", "TopicArn"}
AWS_MANAGED_KEY = "alias/aws/sns"
KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")
"""What a publisher needs of the key of an encrypted topic."""


@dataclass(frozen=True)
class Address:
    """Where a notification ends."""

    protocol: str
    endpoint: str


class Delivery:
    """The topics of a deployment, with what stands between an alarm and their subscribers."""

    def __init__(self, deployment: Deployment) -> None:
        self._topics = {topic.arn: topic for topic in deployment.resources("AWS::SNS::Topic")}
        self._policies = deployment.resources("AWS::SNS::TopicPolicy")
        self._keys = deployment.resources("AWS::KMS::Key")
        self._subscriptions = deployment.resources("AWS::SNS::Subscription")

    def reached_by(self, alarm_arn: str, action: str) -> list[Address]:
        """Return whom an alarm's action reaches.

        Args:
            alarm_arn: The alarm's ARN.
            action: The action's.
        """
        topic = self._topics.get(action)
        if topic is None or not self._may_publish(alarm_arn, topic):
            return []
        return list(self._subscribers(topic))

    def _may_publish(self, alarm_arn: str, topic: Resource) -> bool:
        policies = [
            policy.properties["PolicyDocument"]
            for policy in self._policies
            if topic.arn in policy.properties["Topics"]
        ]
        # Without a policy the default one stands, under which the account's alarms publish.
        publish = _call(alarm_arn, "sns:Publish", topic.arn)
        return all(allows(policy, publish) for policy in policies) and self._may_encrypt(
            alarm_arn, topic.properties.get("KmsMasterKeyId")
        )

    def _may_encrypt(self, alarm_arn: str, key_id: str | None) -> bool:
        """An alarm cannot use the key that AWS manages for topics: nobody can change its policy."""
        if key_id is None:
            return True
        keys = [key for key in self._keys if key_id in {key.arn, key.arn.rpartition("/")[2]}]
        if not keys and key_id != AWS_MANAGED_KEY:
            raise NotUnderstoodError(f"key {key_id}, which no template makes")
        policies = [key.properties["KeyPolicy"] for key in keys]
        return bool(policies) and all(
            allows(policy, _call(alarm_arn, action, key.arn))
            for key, policy in zip(keys, policies, strict=True)
            for action in KEY_ACTIONS
        )

    def _subscribers(self, topic: Resource) -> Iterator[Address]:
        for subscription in self._subscriptions:
            properties: Any = subscription.properties
            if unknown := properties.keys() - SUBSCRIPTION:
                raise NotUnderstoodError(f"subscription properties {sorted(unknown)}")
            if properties["TopicArn"] == topic.arn:
                yield Address(properties["Protocol"], properties["Endpoint"])


def _call(alarm_arn: str, action: str, resource: str) -> Call:
    context = {
        "aws:sourcearn": alarm_arn,
        "aws:sourceaccount": ACCOUNT,
        "aws:securetransport": "true",
    }
    return Call("cloudwatch.amazonaws.com", action, resource, context)
