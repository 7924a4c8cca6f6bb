"""Resource policies let pass what AWS lets pass, and what is not known is refused."""

from typing import Any

import pytest

from tests.alarms.metrics import NotUnderstoodError
from tests.alarms.policies import Call, allows

TOPIC = "arn:aws:sns:eu-west-1:111122223333:alerts"
PUBLISH = Call(
    "cloudwatch.amazonaws.com",
    "sns:Publish",
    TOPIC,
    {"aws:sourceaccount": "111122223333", "aws:securetransport": "true"},
)
PERMISSION: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"Service": "cloudwatch.amazonaws.com"},
    "Action": "sns:Publish",
    "Resource": TOPIC,
}


def _lets_pass(*statements: dict[str, Any]) -> bool:
    return allows({"Statement": list(statements)}, PUBLISH)


@pytest.mark.parametrize(
    "wider",
    [
        {},
        {"Principal": "*"},
        {"Principal": {"AWS": "*"}},
        {"Principal": {"Service": ["events.amazonaws.com", "cloudwatch.amazonaws.com"]}},
        {"Action": ["sns:Subscribe", "SNS:publish"]},
        {"Action": "sns:*"},
        {"Resource": "arn:aws:sns:*:*:alerts"},
        {"Condition": {"StringEquals": {"AWS:SourceAccount": ["444455556666", "111122223333"]}}},
        {"Condition": {"Bool": {"aws:SecureTransport": True}}},
    ],
)
def test_permissions(wider: dict[str, Any]) -> None:
    """A statement that names service, action and resource, or more than these, lets a call pass."""
    assert _lets_pass(PERMISSION | wider)


@pytest.mark.parametrize(
    "other",
    [
        {"Principal": {"Service": "events.amazonaws.com"}},
        {"Principal": {"AWS": "arn:aws:iam::111122223333:root"}},
        {"Action": "sns:Subscribe"},
        {"Resource": f"{TOPIC}-2"},
        {"Condition": {"StringEquals": {"aws:SourceAccount": "444455556666"}}},
        {"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}},
        {"Effect": "Deny"},
    ],
)
def test_no_permission(other: dict[str, Any]) -> None:
    """A statement about something else, or with a condition that fails, lets nothing pass."""
    assert not _lets_pass(PERMISSION | other)


def test_a_denial_outweighs_permissions() -> None:
    """What one statement denies, no other allows; a denial whose condition fails denies nothing."""
    denial = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
    plain = {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}

    assert not _lets_pass(PERMISSION, denial)
    assert _lets_pass(PERMISSION, denial | plain)


@pytest.mark.parametrize(
    "unknown", [{"NotAction": "sns:Publish"}, {"Condition": {"DateLessThan": {"aws:Now": "1"}}}]
)
def test_what_is_not_known_is_refused(unknown: dict[str, Any]) -> None:
    """A part of a statement or an operator that is not modelled is an error, not an answer."""
    with pytest.raises(NotUnderstoodError):
        _lets_pass(PERMISSION | unknown)
