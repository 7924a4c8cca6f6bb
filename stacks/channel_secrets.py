"""A channel's secrets: placeholders to be filled by a person, and who may read them."""

from collections.abc import Sequence

from aws_cdk import Acknowledgment, ArnFormat, RemovalPolicy, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.invariants import guard
from stacks.names import ChannelNames
from stacks.secret_patterns import readable
from stacks.wildcards import acknowledge_wildcard

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
        return self._grant(grantee, self._readable, "secretsmanager:GetSecretValue")

    def grant_operate(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let a person fill and check the same secrets, and make a new one below a prefix."""
        below = [name for name in self._readable if name.endswith("*")]
        self._grant(grantee, below, "secretsmanager:CreateSecret")
        return self._grant(
            grantee,
            self._readable,
            "secretsmanager:GetSecretValue",
            "secretsmanager:PutSecretValue",
        )

    @property
    def _readable(self) -> list[str]:
        return [name for prefix in self.prefixes for name in readable(prefix)]

    def _grant(self, grantee: iam.IGrantable, names: Sequence[str], *actions: str) -> iam.Grant:
        for name in names:
            if name.endswith("*"):
                reason = "Granted by the channel's prefix, so that tenants can be added."
                acknowledge_wildcard(Stack.of(self), self._arn(name), reason=reason)
        return iam.Grant.add_to_principal(
            grantee=grantee,
            actions=list(actions),
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

    def _arn(self, name: str) -> str:
        return Stack.of(self).format_arn(
            service="secretsmanager",
            resource="secret",
            resource_name=name,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
