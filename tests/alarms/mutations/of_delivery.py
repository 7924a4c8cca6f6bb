"""The notification does not get through, or to nobody."""

from collections.abc import Callable
from typing import Any

from tests.alarms.mutations.mutation import Mutation, Patient

OTHER_ACCOUNT = {"StringEquals": {"aws:SourceAccount": "444455556666"}}
OTHER_SERVICE = {"Service": "events.amazonaws.com"}
OTHER_TOPIC = "arn:aws:sns:eu-west-1:111122223333:another"
DENIAL = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}

Statements = list[dict[str, Any]]


def _of_topic(patient: Patient) -> Statements:
    statements: Statements = patient.only("Shared", "AWS::SNS::TopicPolicy")["PolicyDocument"][
        "Statement"
    ]
    return statements


def _of_key(patient: Patient) -> Statements:
    statements: Statements = patient.only("Shared", "AWS::KMS::Key")["KeyPolicy"]["Statement"]
    return statements


def _permission(statements: Statements) -> dict[str, Any]:
    """Return the statement that is for alarms."""
    (statement,) = [
        item for item in statements if item["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    ]
    return statement


def _changed(of: Callable[[Patient], Statements], **changes: object) -> Callable[[Patient], None]:
    return lambda patient: _permission(of(patient)).update(changes)


def _without(of: Callable[[Patient], Statements]) -> Callable[[Patient], None]:
    return lambda patient: of(patient).remove(_permission(of(patient)))


def _denied(of: Callable[[Patient], Statements]) -> Callable[[Patient], None]:
    return lambda patient: of(patient).append(DENIAL)


def _subscription(**changes: object) -> Callable[[Patient], None]:
    return lambda patient: patient.only("Shared", "AWS::SNS::Subscription").update(changes)


def _unsubscribe(patient: Patient) -> None:
    patient.remove(patient.only("Shared", "AWS::SNS::Subscription"))


def _managed_key(patient: Patient) -> None:
    patient.only("Shared", "AWS::SNS::Topic")["KmsMasterKeyId"] = "alias/aws/sns"


OF_DELIVERY = (
    Mutation("topic: no permission to publish", _without(_of_topic)),
    Mutation("topic: permission for another service", _changed(_of_topic, Principal=OTHER_SERVICE)),
    Mutation("topic: permission for another action", _changed(_of_topic, Action="sns:Subscribe")),
    Mutation("topic: permission on another topic", _changed(_of_topic, Resource=OTHER_TOPIC)),
    Mutation("topic: permission for another account", _changed(_of_topic, Condition=OTHER_ACCOUNT)),
    Mutation("topic: publishing denied", _denied(_of_topic)),
    Mutation("key: no permission to use it", _without(_of_key)),
    Mutation("key: permission for another service", _changed(_of_key, Principal=OTHER_SERVICE)),
    Mutation("key: no permission to decrypt", _changed(_of_key, Action="kms:GenerateDataKey*")),
    Mutation("key: no permission for data keys", _changed(_of_key, Action="kms:Decrypt")),
    Mutation("key: permission for another account", _changed(_of_key, Condition=OTHER_ACCOUNT)),
    Mutation("key: use denied", _denied(_of_key)),
    Mutation("key: the one that AWS manages", _managed_key),
    Mutation("subscription: gone", _unsubscribe),
    Mutation("subscription: another protocol", _subscription(Protocol="sms")),
    Mutation("subscription: another address", _subscription(Endpoint="nobody@example.com")),
    Mutation("subscription: of another topic", _subscription(TopicArn=OTHER_TOPIC)),
)
