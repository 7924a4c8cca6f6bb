"""Faults between an alarm and a person."""

from typing import Any

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions

from tests.infra.invariants.bench import DUTY, Bench
from tests.infra.invariants.fault import fault
from tests.infra.invariants.templates import Change, Templates, drop, put, without

ALARM = "AWS::CloudWatch::Alarm"
SUBSCRIPTION = "AWS::SNS::Subscription"
TOPIC = "AWS::SNS::Topic"
POLICY = "AWS::SNS::TopicPolicy"
KEY = "AWS::KMS::Key"


def _silent(bench: Bench) -> None:
    bench.topic()
    bench.alarm()


def _switched_off(bench: Bench) -> None:
    alarm: Any = bench.alarm(bench.topic()).node.default_child
    alarm.actions_enabled = False


def _unheard(bench: Bench) -> None:
    bench.processor(bench.environment(tier="staging"))
    bench.alarm(bench.topic(email=None))


def _own_topic(bench: Bench, key: kms.IKey | None = None, *, may_publish: bool = True) -> None:
    topic = sns.Topic(bench.stack, "Own", enforce_ssl=True, master_key=key)
    topic.add_subscription(subscriptions.EmailSubscription(DUTY))
    if may_publish:
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
            )
        )
    bench.processor()
    bench.alarm(topic)


def _aws_managed(bench: Bench) -> None:
    _own_topic(bench, kms.Alias.from_alias_name(bench.stack, "Managed", "alias/aws/sns"))


def _own_key(bench: Bench) -> None:
    _own_topic(bench, kms.Key(bench.stack, "Key"))


def _put_key(statements: list[dict[str, Any]]) -> Change:
    def change(templates: Templates) -> None:
        templates.bodies["Shared"]["Resources"]["Key"] = {
            "Type": KEY,
            "Properties": {"KeyPolicy": {"Statement": statements}},
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
        }
        put(TOPIC, "KmsMasterKeyId", {"Fn::GetAtt": ["Key", "Arn"]})(templates)

    return change


DECRYPTS_ONLY = {
    "Effect": "Allow",
    "Principal": {"Service": "cloudwatch.amazonaws.com"},
    "Action": "kms:Decrypt",
    "Resource": "*",
}


def _forbid(templates: Templates) -> None:
    document = templates.one(POLICY)["Properties"]["PolicyDocument"]
    document["Statement"] = [each for each in document["Statement"] if each["Effect"] == "Deny"]


FAULTS = (
    fault(
        "alarm without an action",
        "alarms-act",
        by_code=_silent,
        by_override=drop(ALARM, "AlarmActions"),
    ),
    fault(
        "alarm whose actions are off",
        "alarms-act",
        by_code=_switched_off,
        by_override=put(ALARM, "ActionsEnabled", value=False),
    ),
    fault(
        "topic without a subscriber",
        "alarms-are-heard",
        by_code=_unheard,
        by_override=without(SUBSCRIPTION),
    ),
    fault(
        "placeholder of an address",
        "alert-address-is-real",
        by_code=lambda bench: bench.topic("duty@example.org"),
        by_override=put(SUBSCRIPTION, "Endpoint", "duty@alerts.invalid"),
    ),
    fault(
        "topic that alarms may not publish to",
        "alarms-may-publish",
        by_code=lambda bench: _own_topic(bench, may_publish=False),
        by_override=_forbid,
    ),
    fault(
        "topic encrypted with the key of AWS",
        "alarms-may-publish",
        by_code=_aws_managed,
        by_override=put(TOPIC, "KmsMasterKeyId", "alias/aws/sns"),
    ),
    fault(
        "topic encrypted with a key that alarms may not use",
        "alarms-may-publish",
        by_code=_own_key,
        by_override=_put_key([DECRYPTS_ONLY]),
    ),
)
