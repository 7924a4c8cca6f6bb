"""The channel's secrets: stored, read, checked against their schema and with their vendor.

Checks use the vendors' cheapest read-only requests; nothing here sends a message. The deletions are
those of an erasure. The channel's vendor is asked by the channel's own parts.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from lambda_src.core import (
    ConfigurationRefused,
    PermanentFailure,
    ProcessingError,
    SecretField,
    TransientFailure,
)
from lambda_src.core.ai.errors import classify_status
from lambda_src.services import secrets_manager_service as secrets
from ops.errors import OperatorError, VendorUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date

    import openai
    from mypy_boto3_secretsmanager import SecretsManagerClient

    from lambda_src.core import Credentials, Settings
    from ops.deployment import Deployment

T = TypeVar("T")

API_KEY = "OPENAI_API_KEY"
"""The SDK's own variable of the environment; with it the commands that ask OpenAI need no AWS."""
OPENAI_TIMEOUT_SECONDS = 15.0
OPENAI_NAME_PART = "/openai-api-key/"
"""In the name of a secret that holds an OpenAI key; all others hold a tenant's credentials."""


@dataclass(frozen=True)
class OpenAILookup:
    """Requests to OpenAI that read or delete.

    Attributes:
        api_key: The key.
        base_url: OpenAI's address; empty for the SDK's own.
    """

    api_key: str
    base_url: str

    @classmethod
    def of_channel(cls, store: SecretStore) -> OpenAILookup:
        """Use the channel's own key."""
        deployment = store.deployment
        name = deployment.settings.secret_prefixes[0]
        try:
            secret = store.read(name)
        except ClientError as error:
            raise OperatorError(f"{name}: {refused_secret(name, error)}") from None
        return cls(secrets.openai_key(secret), deployment.settings.openai_base_url)

    def shutdown_date(self, model: str) -> date | None:
        """Return when a model is shut down (`GET /v1/models/{model}`, free of charge).

        Raises:
            ProcessingError: OpenAI refuses the key, has no such model, or cannot be reached.
        """
        # Imported here, as in _request.
        from lambda_src.core.openai_processor import OpenAIProcessor  # noqa: PLC0415

        processor = OpenAIProcessor(self.base_url)
        return processor.shutdown_date(self.api_key, model, OPENAI_TIMEOUT_SECONDS)

    def check(self) -> None:
        """Check that the key may create responses; a restricted key need not have other rights.

        The request is empty, so that OpenAI rejects it after it has checked the key.

        Raises:
            ProcessingError: OpenAI refuses the key or the account.
            OperatorError: OpenAI cannot be reached.
        """
        try:
            self._request(lambda client: client.post("/responses", body={}, cast_to=object))
        except (PermanentFailure, ConfigurationRefused):
            return

    def delete_conversation(self, conversation: str) -> bool:
        """Delete a conversation with its items, which OpenAI would keep; return False if not found.

        Raises:
            ProcessingError: OpenAI refuses the request.
            OperatorError: OpenAI cannot be reached.
        """

        def delete(client: openai.OpenAI) -> None:
            for item in [item.id for item in client.conversations.items.list(conversation)]:
                if item:
                    client.conversations.items.delete(item, conversation_id=conversation)
            client.conversations.delete(conversation)

        return self._delete(delete)

    def delete_response(self, response: str) -> bool:
        """Delete a response; return False if not found; errors as above."""
        return self._delete(lambda client: client.responses.delete(response))

    def delete_thread(self, thread: str) -> bool:
        """Delete an assistant's thread; return False if not found; errors as above."""
        return self._delete(lambda client: client.beta.threads.delete(thread))

    def _delete(self, request: Callable[[openai.OpenAI], object]) -> bool:
        import openai  # noqa: PLC0415 - see _request

        def delete(client: openai.OpenAI) -> bool:
            try:
                request(client)
            except openai.NotFoundError:
                return False
            return True

        return self._request(delete)

    def _request(self, request: Callable[[openai.OpenAI], T]) -> T:
        # Imported here: it takes as long as all other imports, and few commands ask OpenAI.
        import openai  # noqa: PLC0415

        client = openai.OpenAI(
            api_key=self.api_key,
            base_url=self.base_url or None,
            max_retries=1,
            timeout=OPENAI_TIMEOUT_SECONDS,
        )
        try:
            return request(client)
        except openai.APIStatusError as error:
            raise classify_status(error.status_code, error.code, param=error.param) from None
        except openai.APIError as error:
            raise VendorUnreachable(f"OpenAI cannot be reached: {type(error).__name__}") from None


@dataclass(frozen=True)
class SecretKind:
    """A kind of secret.

    Attributes:
        vendor: Name of the vendor that issues it.
        fields: Its fields; none: it is given as JSON.
        parse: Checks a value's schema; raises `ConfigurationRefused` if it does not match.
        check: Asks the vendor about a valid value; raises `ProcessingError` or `OperatorError` if
            the vendor refuses it or cannot be reached; None: it cannot be asked.
    """

    vendor: str
    fields: tuple[SecretField, ...]
    parse: Callable[[Any], Any]
    check: Callable[[Settings, Any], object] | None

    def problem(self, settings: Settings, value: Any) -> str:
        """Return what is wrong with a value, empty if nothing is."""
        try:
            parsed = self.parse(value)
            if self.check:
                self.check(settings, parsed)
        except (ProcessingError, OperatorError) as error:
            return str(error)
        return ""

    def note(self, value: Mapping[str, object]) -> str:
        """Return what an operator should know about a value without a problem; may be empty."""
        notes = [field.note for field in self.fields if field.note and field.name not in value]
        if self.check is None:
            notes.append(f"{self.vendor} was not asked: the channel has no check of credentials")
        return "; ".join(notes)


def _check_openai(settings: Settings, key: str) -> None:
    OpenAILookup(key, settings.openai_base_url).check()


OPENAI = SecretKind("OpenAI", (SecretField("ai_api_key"),), secrets.openai_key, _check_openai)


@dataclass(frozen=True)
class SecretStore:
    """The channel's secrets in Secrets Manager, and no others.

    Attributes:
        client: A Secrets Manager client.
        deployment: The channel.
    """

    client: SecretsManagerClient
    deployment: Deployment

    def names(self) -> Iterator[str]:
        """Yield the names of the channel's secrets."""
        return (name for name, _ in self._listed())

    def is_stored(self, name: str) -> bool:
        """Return whether there is a secret with a name or ARN.

        Raises:
            ClientError: Access is denied.
        """
        if any(name in listed for listed in self._listed()):
            return True
        try:  # the list may be behind
            self.client.get_secret_value(SecretId=name)
        except self.client.exceptions.ResourceNotFoundException:
            return False
        return True

    def nearest(self, name: str) -> str:
        """Return the stored secret whose name is likely meant by a misspelled one; may be empty."""
        folder, _, tenant = name.rpartition("/")
        stored = (each.rpartition("/") for each in self.names())
        tenants = {last.casefold(): last for first, _, last in stored if first == folder}
        close = get_close_matches(tenant.casefold(), tenants, n=1)
        return f"{folder}/{tenants[close[0]]}" if close else ""

    def _listed(self) -> Iterator[tuple[str, str]]:
        """Yield name and ARN of the channel's secrets."""
        for prefix in self.deployment.settings.secret_prefixes:
            yield from secrets.listed_secrets(self.client, prefix, with_deleted=True)

    def kind_of(self, name: str) -> SecretKind:
        """Return the kind of one of the channel's secrets, by its name or ARN.

        Raises:
            OperatorError: It holds a tenant's credentials, and the channel has none.
        """
        if OPENAI_NAME_PART in f"{name}/":
            return OPENAI
        parts = self.deployment.parts
        operator = parts.operator
        if parts.read_credentials is None:
            raise OperatorError(f"{name}: {operator.vendor} has no credentials per tenant")
        return SecretKind(
            operator.vendor,
            operator.secret_fields,
            parts.read_credentials,
            operator.check_credentials,
        )

    def check_name(self, name: str) -> str:
        """Return the name of one of the channel's secrets.

        Raises:
            OperatorError: It has none of the channel's prefixes.
        """
        if not self.deployment.is_own_secret(name):
            prefixes = " or ".join(self.deployment.settings.secret_prefixes)
            raise OperatorError(
                f"{name}: the names of this channel's secrets begin with {prefixes}"
            )
        return name

    def read(self, name: str) -> Any:
        """Return a secret's JSON value.

        Raises:
            ConfigurationRefused: It is not JSON.
            ClientError: It does not exist, or access is denied.
        """
        return secrets.stored_secret(self.client.get_secret_value(SecretId=name))

    def write(self, name: str, value: Any, *, is_new: bool = False) -> str:
        """Store a value as a new version, or create the secret.

        Returns:
            `created` or `stored`.

        Raises:
            OperatorError: It is scheduled for deletion, or was created or deleted by now.
        """
        text, errors = json.dumps(value), self.client.exceptions
        try:
            if is_new:
                self.client.create_secret(Name=name, SecretString=text)
                return "created"
            self.client.put_secret_value(SecretId=name, SecretString=text)
        except (errors.ResourceNotFoundException, errors.ResourceExistsException):
            raise OperatorError(
                f"not stored: {name} was created or deleted in the meantime: run the command again"
            ) from None
        except errors.InvalidRequestException:
            raise OperatorError(f"not stored: {scheduled_for_deletion(name)}") from None
        return "stored"


class NamedSecrets(secrets.ChannelSecrets):
    """A channel's secrets, whose errors say which secret is meant.

    An operator may read the name; the runtime leaves it out, because it is a value of a message.
    """

    @classmethod
    def of(cls, deployment: Deployment) -> NamedSecrets:
        """Return the secrets of a channel."""
        return cls(
            deployment.aws.secretsmanager,
            deployment.settings.secret_prefixes,
            deployment.parts.read_credentials,
        )

    def openai_key(self, reference: str, *, fresh: bool = False) -> str:
        """Return the OpenAI API key."""
        with self._named(reference):
            return super().openai_key(reference, fresh=fresh)

    def credentials(self, reference: str, *, fresh: bool = False) -> Credentials:
        """Return a tenant's credentials for the channel's vendor."""
        with self._named(reference):
            return super().credentials(reference, fresh=fresh)

    @contextmanager
    def _named(self, reference: str) -> Iterator[None]:
        try:
            yield
        except TransientFailure as error:
            detail = f"{reference}: {error.detail}" if error.detail else reference
            raise type(error)(error.code, error.step, detail) from error


def refused_secret(name: str, error: ClientError) -> str:
    """Return why Secrets Manager does not return a secret."""
    code = error.response["Error"]["Code"]
    if code == "InvalidRequestException":
        return scheduled_for_deletion(name)
    return f"Secrets Manager refused it: {code}"


def scheduled_for_deletion(name: str) -> str:
    """Return the problem of a secret that is scheduled for deletion, with its remedy."""
    return (
        "it is scheduled for deletion; restore it with"
        f" `aws secretsmanager restore-secret --secret-id {name}`"
    )
