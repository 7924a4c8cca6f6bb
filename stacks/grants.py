"""Parts of IAM grants that several constructs share."""

from aws_cdk import Acknowledgment, Aws, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.config import ChannelNames

ARN_SUFFIX = "-??????"
"""The six random characters that Secrets Manager adds to a secret's name in its ARN."""


def readable_secrets(prefix: str) -> tuple[str, ...]:
    """Return the patterns of a policy, after `:secret:`, for the secrets within a prefix.

    Args:
        prefix: With a trailing slash: the secrets below it; without: also the secret of that name.
    """
    below = f"{prefix.rstrip('/')}/*"
    return (below,) if prefix.endswith("/") else (f"{prefix}{ARN_SUFFIX}", below)


def grant_key_use(grantee: iam.IGrantable, key: kms.IKey, *actions: str, service: str) -> iam.Grant:
    """Allow the use of a key through one service only.

    Args:
        grantee: Who may use it.
        key: The key.
        actions: Such as `kms:Decrypt`.
        service: The service as in its endpoint's name: `sqs`.
    """
    return iam.Grant.add_to_principal(
        grantee=grantee,
        actions=list(actions),
        resource_arns=[key.key_arn],
        conditions={"StringEquals": {"kms:ViaService": f"{service}.{Aws.REGION}.{Aws.URL_SUFFIX}"}},
    )


def fill_placeholders(scope: Construct, names: ChannelNames, text: str) -> str:
    """Return a text of a channel's entry for the partition, region and account of a stack."""
    stack = Stack.of(scope)
    return names.fill(text, partition=stack.partition, region=stack.region, account=stack.account)


def grant_sender(scope: Construct, names: ChannelNames, grantee: iam.IGrantable) -> None:
    """Allow a processor what its channel's sender does at AWS besides the runtime's calls."""
    for privilege in names.channel.sender_privileges:
        arns = [fill_placeholders(scope, names, arn) for arn in privilege.resources]
        iam.Grant.add_to_principal(
            grantee=grantee,
            actions=list(privilege.actions),
            resource_arns=arns,
            conditions=dict(privilege.conditions) or None,
        )
        wildcards = [arn for arn in arns if "*" in arn]
        acknowledge_wildcards(
            Stack.of(scope), *wildcards, reason="A privilege of the channel's sender, by pattern."
        )


def acknowledge_wildcards(scope: Construct, *arns: str, reason: str) -> None:
    """Acknowledge cdk-nag's findings about intended wildcards.

    Args:
        scope: The policy, or the stack of several policies with the same wildcards.
        arns: The resources as the policy names them.
        reason: Why they are not narrower.
    """
    stack = Stack.of(scope)
    findings = [f"AwsSolutions-IAM5[Resource::{_as_finding(stack, arn)}]" for arn in arns]
    Validations.of(scope).acknowledge(
        *(Acknowledgment(id=finding, reason=reason) for finding in findings)
    )


def _as_finding(stack: Stack, arn: str) -> str:
    resolved = stack.resolve(arn)
    parts = [resolved] if isinstance(resolved, str) else resolved["Fn::Join"][1]
    return "".join(part if isinstance(part, str) else f"<{part['Ref']}>" for part in parts)
