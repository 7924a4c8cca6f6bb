"""A channel's secrets: placeholders to be filled by a person, and who may read them."""

from collections.abc import Sequence

from aws_cdk import Acknowledgment, ArnFormat, RemovalPolicy, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.invariants import guard
from stacks.names import ChannelNames
from stacks.secret_patterns import readable

OPENAI_FORM = '{"ai_api_key": "sk-…"}'


class ChannelSecrets(Construct):
    """Placeholders for a channel's OpenAI key and for the credentials of the tenants named.

    Secrets Manager makes up the first values, so no value stands in a template, and a processor
    that meets one says that the secret is not in its documented form. Reading is granted by
    prefix: a tenant added later needs no deployment.

    Args:
        names: The channel's names, of which the secrets' follow.
        tenants: For whom placeholders of credentials are made.
        removal_policy: Of the secrets.

    Attributes:
        prefixes: What the names of all secrets of this channel begin with.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: ChannelNames,
        tenants: Sequence[str],
        removal_policy: RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        self.prefixes = (names.openai_secret, names.credentials_prefix)
        self._removal_policy = removal_policy
        self._placeholder(self, "OpenAi", names.openai_secret, OPENAI_FORM)
        by_tenant = Construct(self, "Tenants")
        for tenant in tenants:
            name = f"{names.credentials_prefix}{tenant}"
            self._placeholder(by_tenant, tenant, name, names.channel.credentials_form)
        guard(self, names.environment)

    def grant_read(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let a processor read the secrets behind the channel's prefixes, and no others."""
        names = [name for prefix in self.prefixes for name in readable(prefix)]
        for name in names:
            if name.endswith("*"):
                self._acknowledge(self._arn(name))
        return iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["secretsmanager:GetSecretValue"],
            resource_arns=[self._arn(name) for name in names],
        )

    def _placeholder(self, scope: Construct, construct_id: str, name: str, form: str) -> None:
        secret = secretsmanager.Secret(
            scope,
            construct_id,
            secret_name=name,
            description=f"To be filled by a person, in the form {form}",
            # Never change this generator: CloudFormation would then generate a value anew, over
            # the one that a person has stored.
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template="{}",  # noqa: S106  # an empty object, no secret
                generate_string_key="placeholder",
            ),
            removal_policy=self._removal_policy,
        )
        Validations.of(secret).acknowledge(
            Acknowledgment(
                id="AwsSolutions-SMG4",
                reason="Keys of outside vendors: only their consoles can issue new ones.",
            )
        )

    def _acknowledge(self, wildcard: str) -> None:
        Validations.of(Stack.of(self)).acknowledge(
            Acknowledgment(
                id=f"AwsSolutions-IAM5[Resource::{self._as_finding(wildcard)}]",
                reason="Secrets are granted by the channel's prefix, so that tenants can be added.",
            )
        )

    def _as_finding(self, arn: str) -> str:
        resolved = Stack.of(self).resolve(arn)
        parts = [resolved] if isinstance(resolved, str) else resolved["Fn::Join"][1]
        return "".join(part if isinstance(part, str) else f"<{part['Ref']}>" for part in parts)

    def _arn(self, name: str) -> str:
        return Stack.of(self).format_arn(
            service="secretsmanager",
            resource="secret",
            resource_name=name,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
