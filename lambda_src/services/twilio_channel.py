"""The parts that Twilio's channels share, with an operator's requests to a tenant's account."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from lambda_src.core import (
    BY_PHONE,
    TEMPLATE_APPROVED,
    AccountRefused,
    Addressing,
    ChannelParts,
    ConfigurationRefused,
    OperatorParts,
    SecretField,
    Step,
    TextFormat,
    TextRules,
    TransientFailure,
)
from lambda_src.services.secrets_manager_service import TwilioCredentials, twilio_credentials
from lambda_src.services.twilio.callbacks import MESSAGE_SID, TwilioCallbacks
from lambda_src.services.twilio.errors import NO_REFUSALS, classify
from lambda_src.services.twilio.http import DeadlineHttpClient
from lambda_src.services.twilio_service import (
    PRELOAD_MODULES,
    SDK_ERRORS,
    TEXT_RULES,
    TwilioSender,
    TwilioStatusLookup,
    error_answer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twilio.rest import Client

    from lambda_src.core import OutgoingMessage, Settings, VendorAccess
    from lambda_src.services.twilio.errors import Refusal

T = TypeVar("T")

CONTENT_URL = "https://content.twilio.com/v1/Content"
_STATE = re.compile(r"[a-z_]{1,32}")
MESSAGE_IN_PROGRESS = 20009
"""Twilio deletes a message only after all of its systems have finished with it: usually after
minutes, rarely after 14 days (https://www.twilio.com/docs/api/errors/20009)."""


def twilio_parts(
    addresses: Callable[[OutgoingMessage], Mapping[str, str]],
    *,
    prefix: str = "",
    addressing: Addressing = BY_PHONE,
    text_rules: TextRules = TEXT_RULES,
    refusals: Mapping[int, Refusal] = NO_REFUSALS,
    has_template_approval: bool = False,
) -> ChannelParts:
    """Return the parts of a channel of Twilio's.

    Args:
        addresses: Returns a message's addresses as parameters of the API: `to`, and `from_` or
            `messaging_service_sid`.
        prefix: What precedes each phone number in Twilio's status callbacks.
        addressing: The formats of addresses in messages.
        text_rules: What the channel's texts must satisfy.
        refusals: The channel's own error codes.
        has_template_approval: Whether WhatsApp must approve a tenant's template.
    """
    callbacks = TwilioCallbacks(prefix, refusals)

    def make_sender(settings: Settings) -> TwilioSender:
        timeout, base_url = settings.send_timeout_seconds, settings.twilio_base_url
        return TwilioSender(timeout, base_url, addresses, refusals)

    def make_status_lookup(settings: Settings) -> TwilioStatusLookup:
        timeout, base_url = settings.send_timeout_seconds, settings.twilio_base_url
        return TwilioStatusLookup(timeout, base_url, callbacks)

    check = check_with_approval if has_template_approval else check_credentials
    return ChannelParts(
        make_sender=make_sender,
        read_credentials=twilio_credentials,
        addressing=addressing,
        text_rules=text_rules,
        callbacks=callbacks,
        make_status_lookup=make_status_lookup,
        template_state=template_state if has_template_approval else None,
        operator=replace(OPERATOR, check_credentials=check),
        preload_modules=PRELOAD_MODULES,
    )


def check_credentials(settings: Settings, credentials: TwilioCredentials) -> None:
    """Check the credentials, the template, and the account's status if they are its auth token.

    Messages are listed, which reconciliation needs too: only an auth token or a main API key may
    read the account.

    Raises:
        ProcessingError: Twilio refuses the credentials or cannot be reached, the account is not
            active, or has no such template.
    """
    client = _client(settings, credentials)
    if _request(lambda: client.messages.list(limit=1)) is None:
        raise _not_active("missing")
    template_id = credentials.template_id
    if template_id and _request(lambda: client.content.v1.contents(template_id).fetch()) is None:
        raise ConfigurationRefused(
            "twilio_template_missing", Step.SETTLE, "the account has no such twilio_template_sid"
        )
    if credentials.api_key_sid:
        return
    account = _request(lambda: client.api.accounts(credentials.account_sid).fetch())
    status = str(account.status) if account else "missing"
    if status != "active":
        raise _not_active(status)


def template_state(access: VendorAccess, credentials: TwilioCredentials) -> str:
    """Return the approval state of the template that the credentials name.

    `approved`, `pending`, `rejected`, `paused`, `disabled` and others are WhatsApp's; `missing` is
    a template that the account does not have
    (https://www.twilio.com/docs/content/content-api-resources#fetch-an-approval-status-request).

    Raises:
        ProcessingError: Twilio refuses the credentials or cannot be reached.
    """
    client = _client(access, credentials)
    # Not through the SDK's content API, which the Lambda package does not contain.
    url = f"{CONTENT_URL}/{credentials.template_id}/ApprovalRequests"
    answer = _request(lambda: _get(client, url))
    if answer is None:
        return "missing"
    status = (answer.get("whatsapp") or {}).get("status")
    return status if isinstance(status, str) and _STATE.fullmatch(status) else "unknown"


def check_with_approval(settings: Settings, credentials: TwilioCredentials) -> None:
    """Check the credentials and, if they name a template, that it is approved.

    Raises:
        ProcessingError: As `check_credentials`, or the template is not approved.
    """
    check_credentials(settings, credentials)
    state = template_state(settings, credentials) if credentials.template_id else TEMPLATE_APPROVED
    if state != TEMPLATE_APPROVED:
        raise ConfigurationRefused(
            "twilio_template_not_approved", Step.SETTLE, f"the template is {state} at WhatsApp"
        )


def delete_message(settings: Settings, credentials: TwilioCredentials, sid: str) -> bool:
    """Delete a message with its text and numbers; return False if not found.

    Raises:
        TransientFailure: The message is in progress, or Twilio cannot be reached.
        ProcessingError: Twilio refuses the request.
    """
    client = _client(settings, credentials)
    return _request(lambda: client.messages(sid).delete()) is not None


def _client(access: VendorAccess, credentials: TwilioCredentials) -> Client:
    http_client = DeadlineHttpClient(access.send_timeout_seconds, access.twilio_base_url)
    return http_client.sdk_client(credentials)


def _get(client: Client, url: str) -> dict[str, Any]:
    """Return the JSON of a resource, with the errors of the SDK's own resources."""
    response = client.request("GET", url)
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        raise client.api.v2010.exception("GET", url, response, "unable to fetch")
    document: dict[str, Any] = json.loads(response.text)
    return document


def _request(call: Callable[[], T]) -> T | None:
    """Return what a request that changes no message's outcome returns; None if not found."""
    try:
        return call()
    except SDK_ERRORS as error:
        answer = error_answer(error)
        if answer is None:
            raise TransientFailure(
                "twilio_unreachable", Step.SETTLE, type(error).__name__
            ) from None
        status, code = answer
        if status == HTTPStatus.NOT_FOUND:
            return None
        if code == MESSAGE_IN_PROGRESS:
            raise TransientFailure(
                f"twilio_{code}", Step.SETTLE, "Twilio has not finished with the message"
            ) from None
        raise classify(status, code, Step.SETTLE) from None


def _not_active(status: str) -> AccountRefused:
    return AccountRefused("twilio_account_not_active", Step.SETTLE, f"the account is {status}")


OPERATOR = OperatorParts(
    vendor="Twilio",
    message_id=TextFormat(MESSAGE_SID, "SM or MM and 32 hexadecimal digits"),
    secret_fields=(
        SecretField("twilio_account_sid", is_hidden=False),
        SecretField("twilio_api_key_sid", is_hidden=False, is_required=False),
        SecretField("twilio_api_key_secret", is_required=False),
        SecretField(
            "twilio_auth_token",
            is_required=False,
            note="without twilio_auth_token its messages request no status callbacks",
        ),
        SecretField("twilio_template_sid", is_hidden=False, is_required=False),
    ),
    check_credentials=check_credentials,
    delete_message=delete_message,
)
"""The same for every channel of Twilio's."""
