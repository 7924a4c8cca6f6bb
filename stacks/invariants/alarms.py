"""From an alarm to a person: an alarm that nobody hears is none."""

import re
from collections.abc import Iterator, Mapping

from stacks.invariants.assembly import Assembly, Resource
from stacks.invariants.invariant import Finding, Severity, invariant
from stacks.invariants.policies import allows, policies_of
from stacks.tiers import Tier

ALARMS = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
TOPIC = "AWS::SNS::Topic"
SUBSCRIPTION = "AWS::SNS::Subscription"
KEY = "AWS::KMS::Key"

CLOUDWATCH = "cloudwatch.amazonaws.com"
KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")
"""What a service needs of a key to publish to a topic that is encrypted with it."""

RESERVED = re.compile(r".*[@.](example\.(com|net|org)|example|invalid|test|localhost)", re.I)
"""Addresses at domains that RFC 2606 keeps for examples: mail to them reaches nobody."""


@invariant(
    "alarms-act",
    holds="Each alarm has an action, and its actions are on.",
    remedy="Give the alarm an action on the topic of critical alerts.",
)
def alarms_act(assembly: Assembly) -> Iterator[Finding]:
    """An alarm without an action only changes its colour."""
    for alarm in assembly.of(*ALARMS):
        if not alarm.value("AlarmActions"):
            yield Finding(alarm, "AlarmActions", "names no action")
        if alarm.value("ActionsEnabled", default=True) is not True:
            yield Finding(alarm, "ActionsEnabled", "turns the actions off")


@invariant(
    "alarms-are-heard",
    holds="Each topic that an alarm acts on has a subscriber, except in the tier `development`.",
    remedy="Name `alert_email` in the environment.",
)
def alarms_are_heard(assembly: Assembly) -> Iterator[Finding]:
    """A topic without a subscriber wakes nobody."""
    for topic, alarm in _topics(assembly):
        is_needed = alarm.facts.tier is not Tier.DEVELOPMENT
        if is_needed and not list(_subscriptions(assembly, topic)):
            problem = f"is missing, so that {alarm.logical_id} reaches nobody"
            yield Finding(topic, "Subscription", problem)


@invariant(
    "alert-address-is-real",
    severity=Severity.WARNING,
    holds="Alarms are not mailed to a placeholder, an address at a domain kept for examples.",
    remedy="Name the address of whoever is on duty as `alert_email` in the environment.",
)
def alert_address_is_real(assembly: Assembly) -> Iterator[Finding]:
    """A placeholder lets an environment be synthesized, but nobody reads its mail."""
    for subscription in assembly.of(SUBSCRIPTION):
        endpoint = str(subscription.value("Endpoint"))
        if subscription.value("Protocol") == "email" and RESERVED.fullmatch(endpoint):
            yield Finding(subscription, "Endpoint", "is a placeholder, so that nobody is mailed")


@invariant(
    "alarms-may-publish",
    holds="CloudWatch may publish to each topic that an alarm acts on, and use the topic's key.",
    remedy=(
        "Allow cloudwatch.amazonaws.com `sns:Publish` in the topic's policy, and kms:Decrypt and"
        " kms:GenerateDataKey* in the policy of its key, which has to be one of your own."
    ),
)
def alarms_may_publish(assembly: Assembly) -> Iterator[Finding]:
    """A topic's policy replaces the default one, under which alarms publish."""
    for topic, alarm in _topics(assembly):
        statements = policies_of(assembly, topic, "AWS::SNS::TopicPolicy", "Topics")
        if statements and not allows(statements, CLOUDWATCH, "sns:Publish"):
            problem = f"does not let CloudWatch publish, so that {alarm.logical_id} stays silent"
            yield Finding(topic, "TopicPolicy", problem)
        if (key := topic.value("KmsMasterKeyId")) and not _is_usable(assembly, topic, key):
            problem = f"is a key that CloudWatch may not use: {alarm.logical_id} stays silent"
            yield Finding(topic, "KmsMasterKeyId", problem)


def _is_usable(assembly: Assembly, topic: Resource, key: object) -> bool:
    if isinstance(key, str):
        return not key.endswith("alias/aws/sns")  # of another key by name nobody can tell
    resource = assembly.referred(topic.template, key, KEY)
    if resource is None:
        return "alias/aws/sns" not in str(key)
    statements = resource.value("KeyPolicy.Statement", [])
    return all(allows(statements, CLOUDWATCH, action) for action in KEY_ACTIONS)


def _topics(assembly: Assembly) -> Iterator[tuple[Resource, Resource]]:
    """Yield each topic that alarms act on, once, and one of its alarms."""
    found: dict[int, tuple[Resource, Resource]] = {}
    for alarm in assembly.of(*ALARMS):
        for action in alarm.value("AlarmActions", []):
            if topic := assembly.referred(alarm.template, action, TOPIC):
                found.setdefault(id(topic), (topic, alarm))
    yield from found.values()


def _subscriptions(assembly: Assembly, topic: Resource) -> Iterator[Resource | Mapping[str, str]]:
    yield from topic.value("Subscription", [])
    for subscription in assembly.all_of(SUBSCRIPTION):
        arn = subscription.value("TopicArn")
        if assembly.referred(subscription.template, arn, TOPIC) is topic:
            yield subscription
