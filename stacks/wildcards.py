"""Wildcards in policies that are meant, each acknowledged with its reason."""

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import Construct


def acknowledge_wildcard(scope: Construct, arn: str, *, reason: str) -> None:
    """Let cdk-nag know that a wildcard is meant.

    Args:
        scope: Where it stands, or the stack that holds all policies with it.
        arn: The resource, as the policy has it.
        reason: Why it is not narrower.
    """
    finding = f"AwsSolutions-IAM5[Resource::{_as_finding(scope, arn)}]"
    Validations.of(scope).acknowledge(Acknowledgment(id=finding, reason=reason))


def _as_finding(scope: Construct, arn: str) -> str:
    resolved = Stack.of(scope).resolve(arn)
    parts = [resolved] if isinstance(resolved, str) else resolved["Fn::Join"][1]
    return "".join(part if isinstance(part, str) else f"<{part['Ref']}>" for part in parts)
