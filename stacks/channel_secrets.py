"""A channel's secrets: placeholders that a person fills, and the grants to read them."""

from collections.abc import Iterable, Sequence

from aws_cdk import Acknowledgment, ArnFormat, RemovalPolicy, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.config import ChannelNames
from stacks.grants import acknowledge_wildcards, readable_secrets
from stacks.invariants import attach_rules

OPENAI_FORM = '{"ai_api_key": "sk-…"}'


class ChannelSecrets(Construct):
    """Placeholders for a channel's OpenAI key and for the credentials of the listed tenants.

    Secrets Manager generates the first values, so a template has none, and a processor that reads
    one reports that the secret is not in its documented form. Reading is granted by prefix, so that
    a new tenant needs no deployment.

    Args:
        names: The channel's names, which give the secrets' names.
        tenants: The tenants whose credentials get a placeholder.
        removal_policy: Of the secrets.

    Attributes:
        prefixes: The prefixes of all names of this channel's secrets.
        credentials_prefixes: Those of the tenants' credentials; none, if the channel has none.
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
        form = names.channel.credentials_form
        self.credentials_prefixes = () if form is None else (names.credentials_prefix,)
        self.prefixes = (names.openai_secret, *self.credentials_prefixes)
        self._removal_policy = removal_policy
        self._placeholder(self, "OpenAi", names.openai_secret, OPENAI_FORM)
        if form is not None:
            by_tenant = Construct(self, "Tenants")
            for tenant in tenants:
                self._placeholder(by_tenant, tenant, f"{names.credentials_prefix}{tenant}", form)
        patterns = [name for prefix in self.prefixes for name in readable_secrets(prefix)]
        self._arns = {name: self._arn(name) for name in patterns}
        self._below_prefix = [arn for name, arn in self._arns.items() if name.endswith("*")]
        acknowledge_wildcards(
            Stack.of(self),
            *self._below_prefix,
            reason="Granted by the channel's prefix, so that tenants can be added.",
        )
        attach_rules(self, names.environment)

    def grant_read(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow a processor to read the secrets within the channel's prefixes, and no others."""
        return self._grant(grantee, self._arns.values(), "secretsmanager:GetSecretValue")

    def grant_read_credentials(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow an events worker to read the tenants' credentials, and no other secrets."""
        patterns = map(readable_secrets, self.credentials_prefixes)
        arns = [self._arns[pattern] for each in patterns for pattern in each]
        return self._grant(grantee, arns, "secretsmanager:GetSecretValue")

    def grant_check(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow a vendor check to find the channel's secrets by their names, and to read them.

        IAM allows the listing of names on all resources only.
        """
        self._grant(grantee, ["*"], "secretsmanager:ListSecrets")
        return self.grant_read(grantee)

    def grant_operate(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow an operator to read and write these secrets, and to create one below a prefix."""
        self._grant(grantee, self._below_prefix, "secretsmanager:CreateSecret")
        return self._grant(
            grantee,
            self._arns.values(),
            "secretsmanager:GetSecretValue",
            "secretsmanager:PutSecretValue",
        )

    def _grant(self, grantee: iam.IGrantable, arns: Iterable[str], *actions: str) -> iam.Grant:
        return iam.Grant.add_to_principal(
            grantee=grantee, actions=list(actions), resource_arns=list(arns)
        )

    def _placeholder(self, scope: Construct, construct_id: str, name: str, form: str) -> None:
        secret = secretsmanager.Secret(
            scope,
            construct_id,
            secret_name=name,
            description=f"To be filled by a person, in the form {form}",
            # Never change this generator: CloudFormation would generate a new value over the one
            # that a person has stored.
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template="{}",  # noqa: S106  # an empty object, no secret
                generate_string_key="placeholder",
            ),
            removal_policy=self._removal_policy,
        )
        Validations.of(secret).acknowledge(
            Acknowledgment(
                id="AwsSolutions-SMG4",
                reason="Keys of external vendors: only their consoles can issue new ones.",
            )
        )

    def _arn(self, name: str) -> str:
        return Stack.of(self).format_arn(
            service="secretsmanager",
            resource="secret",
            resource_name=name,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
