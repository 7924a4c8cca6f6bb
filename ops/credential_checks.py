"""The channel's secrets: stored, read, checked against their schema and with their vendor.

Checks use the vendors' cheapest read-only requests; nothing here sends a message. The deletions are
those of an erasure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

import openai
from twilio.rest import Client

from lambda_src.core import ConfigurationRefused, PermanentFailure, ProcessingError, Step
from lambda_src.core.ai.errors import classify_status
from lambda_src.services import secret_schemas
from lambda_src.services.twilio.errors import classify
from lambda_src.services.twilio.http import DeadlineHttpClient
from lambda_src.services.twilio_service import SDK_ERRORS, error_answer
from ops.errors import OperatorError, VendorUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from mypy_boto3_secretsmanager import SecretsManagerClient
    from openai.types import Model

    from lambda_src.services.secret_schemas import TwilioCredentials
    from ops.deployment import Deployment

T = TypeVar("T")

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
        secret = store.read(deployment.settings.secret_prefixes[0])
        return cls(secret_schemas.openai_key(secret), deployment.settings.openai_base_url)

    def model(self, name: str) -> Model:
        """Return a model that the key may use (`GET /v1/models/{model}`, free of charge).

        Raises:
            ProcessingError: OpenAI refuses the key, or has no such model.
            OperatorError: OpenAI cannot be reached.
        """
        return self._request(lambda client: client.models.retrieve(name))

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
        def delete(client: openai.OpenAI) -> bool:
            try:
                request(client)
            except openai.NotFoundError:
                return False
            return True

        return self._request(delete)

    def _request(self, request: Callable[[openai.OpenAI], T]) -> T:
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
class TwilioMessage:
    """A message as Twilio lists it; `to` is an address such as `whatsapp:+447700900123`."""

    sid: str
    status: str
    created: datetime | None
    to: str

    def is_to(self, recipient: str) -> bool:
        """Return whether it was sent to a number, on any channel."""
        return self.to.rpartition(":")[2] == recipient


class TwilioLookup:
    """Requests to Twilio with a tenant's credentials that read or delete.

    Args:
        timeout: Seconds for each request.
        base_url: Scheme and host of a local server, or empty.
    """

    def __init__(self, timeout: float, base_url: str) -> None:
        self._http_client = DeadlineHttpClient(timeout, base_url)

    def message(self, credentials: TwilioCredentials, sid: str) -> TwilioMessage | None:
        """Return a message by its sid; None if the account has none.

        Raises:
            ProcessingError: Twilio refuses the request.
            OperatorError: Twilio cannot be reached.
        """
        found = _request(lambda: self._client(credentials).messages(sid).fetch())
        if found is None:
            return None
        return TwilioMessage(str(found.sid), str(found.status), found.date_created, str(found.to))

    def delete_message(self, credentials: TwilioCredentials, sid: str) -> bool:
        """Delete a message with its text and numbers; return False if not found.

        Raises:
            ProcessingError: Twilio refuses the request, such as for a message in progress (20009).
            OperatorError: Twilio cannot be reached.
        """
        return _request(lambda: self._client(credentials).messages(sid).delete()) is not None

    def check(self, credentials: TwilioCredentials) -> None:
        """Check the credentials, and the account's status if they are its auth token.

        Messages are listed, which reconciliation needs too: only an auth token or a main API key
        may read the account.

        Raises:
            ProcessingError: Twilio refuses the credentials.
            OperatorError: Twilio cannot be reached, or the account is not active.
        """
        client = self._client(credentials)
        if _request(lambda: client.messages.list(limit=1)) is None:
            raise OperatorError("the account does not exist")
        if credentials.api_key_sid:
            return
        account = _request(lambda: client.api.accounts(credentials.account_sid).fetch())
        status = str(account.status) if account else "missing"
        if status != "active":
            raise OperatorError(f"the account is {status}")

    def _client(self, credentials: TwilioCredentials) -> Client:
        return Client(  # type: ignore[no-untyped-call]
            *credentials.login, credentials.account_sid, http_client=self._http_client
        )


@dataclass(frozen=True)
class SecretField:
    """One field of a secret; a hidden one is not shown while it is typed."""

    name: str
    is_hidden: bool = True
    is_required: bool = True


@dataclass(frozen=True)
class SecretKind:
    """A kind of secret.

    Attributes:
        vendor: Name of the vendor that issues it.
        fields: Its fields.
        parse: Checks a value's schema; raises `ConfigurationRefused` if it does not match.
        check: Asks the vendor about a valid value; raises `ProcessingError` or `OperatorError` if
            the vendor refuses it or cannot be reached.
    """

    vendor: str
    fields: tuple[SecretField, ...]
    parse: Callable[[Any], Any]
    check: Callable[[Deployment, Any], object]

    def problem(self, deployment: Deployment, value: Any) -> str:
        """Return what is wrong with a value of the right schema, empty if nothing is."""
        try:
            self.check(deployment, self.parse(value))
        except (ProcessingError, OperatorError) as error:
            return str(error)
        return ""


def _check_openai(deployment: Deployment, key: str) -> None:
    OpenAILookup(key, deployment.settings.openai_base_url).check()


def _check_twilio(deployment: Deployment, credentials: TwilioCredentials) -> None:
    settings = deployment.settings
    TwilioLookup(settings.twilio_timeout_seconds, settings.twilio_base_url).check(credentials)


OPENAI = SecretKind(
    "OpenAI", (SecretField("ai_api_key"),), secret_schemas.openai_key, _check_openai
)
TWILIO = SecretKind(
    "Twilio",
    (
        SecretField("twilio_account_sid", is_hidden=False),
        SecretField("twilio_api_key_sid", is_hidden=False, is_required=False),
        SecretField("twilio_api_key_secret", is_required=False),
        SecretField("twilio_auth_token", is_required=False),
        SecretField("twilio_template_sid", is_hidden=False, is_required=False),
    ),
    secret_schemas.twilio_credentials,
    _check_twilio,
)


def kind_of(name: str) -> SecretKind:
    """Return the kind of one of the channel's secrets, by its name or ARN."""
    return OPENAI if OPENAI_NAME_PART in f"{name}/" else TWILIO


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
        for prefix in self.deployment.settings.secret_prefixes:
            pages = self.client.get_paginator("list_secrets").paginate(
                Filters=[{"Key": "name", "Values": [prefix]}], IncludePlannedDeletion=True
            )
            found = (secret["Name"] for page in pages for secret in page["SecretList"])
            # Secrets Manager's filter ignores case and matches the start of any part of a name.
            yield from filter(self.deployment.is_own_secret, found)

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
        return secret_schemas.stored_secret(self.client.get_secret_value(SecretId=name))

    def write(self, name: str, value: Any) -> str:
        """Store a value as a new version; create the secret if needed.

        Returns:
            `created` or `stored`.

        Raises:
            OperatorError: The secret is scheduled for deletion.
        """
        text = json.dumps(value)
        try:
            self.client.put_secret_value(SecretId=name, SecretString=text)
        except self.client.exceptions.ResourceNotFoundException:
            self.client.create_secret(Name=name, SecretString=text)
            return "created"
        except self.client.exceptions.InvalidRequestException:
            raise OperatorError(f"not stored: {scheduled_for_deletion(name)}") from None
        return "stored"


def scheduled_for_deletion(name: str) -> str:
    """Return the problem of a secret that is scheduled for deletion, with its remedy."""
    return (
        "it is scheduled for deletion; restore it with"
        f" `aws secretsmanager restore-secret --secret-id {name}`"
    )


def _request(call: Callable[[], T]) -> T | None:
    try:
        return call()
    except SDK_ERRORS as error:
        answer = error_answer(error)
        if answer is None:
            raise VendorUnreachable(f"Twilio cannot be reached: {type(error).__name__}") from None
        status, code = answer
        if status == HTTPStatus.NOT_FOUND:
            return None
        raise classify(status, code, Step.SETTLE) from None
