"""The kinds of secrets that a channel has: their documented form, and who can prove them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lambda_src.services import secret_forms
from lambda_src.utils.assistant_definitions import DIRECTORY
from ops.assistant_files import models_in
from ops.vendor_proofs import OpenAILookup, openai_problem, twilio_problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from ops.deployment import Deployment

OPENAI_PART = "/openai-api-key/"
"""What tells the name of an OpenAI key from that of a tenant's credentials."""


@dataclass(frozen=True)
class Field:
    """One field of a secret; what is hidden is not shown while it is typed."""

    name: str
    is_hidden: bool = True
    is_required: bool = True


@dataclass(frozen=True)
class Kind:
    """A kind of secret.

    Attributes:
        vendor: Whose it is.
        fields: What it holds.
        check_form: Raises `PermanentFailure` where a value is not of the documented form.
        problem: Asks the vendor; says what is wrong with a value of that form, or nothing.
    """

    vendor: str
    fields: tuple[Field, ...]
    check_form: Callable[[Any], object]
    problem: Callable[[Deployment, Any], str]


def _openai_problem(deployment: Deployment, value: Any) -> str:
    lookup = OpenAILookup(secret_forms.openai_key(value), deployment.openai_base_url)
    return openai_problem(lookup, next(iter(models_in(DIRECTORY))))


def _twilio_problem(deployment: Deployment, value: Any) -> str:
    return twilio_problem(deployment, secret_forms.twilio_credentials(value))


OPENAI = Kind("OpenAI", (Field("ai_api_key"),), secret_forms.openai_key, _openai_problem)
TWILIO = Kind(
    "Twilio",
    (
        Field("twilio_account_sid", is_hidden=False),
        Field("twilio_auth_token"),
        Field("twilio_template_sid", is_hidden=False, is_required=False),
    ),
    secret_forms.twilio_credentials,
    _twilio_problem,
)


def kind_of(name: str) -> Kind:
    """The kind of a secret of the channel, by its name or ARN."""
    return OPENAI if OPENAI_PART in f"{name}/" else TWILIO
