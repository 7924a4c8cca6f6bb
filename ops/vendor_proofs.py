"""Proving a credential with its vendor's cheapest harmless call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import openai

from lambda_src.core.errors import ProcessingError
from lambda_src.core.openai_errors import meaning_of_status
from ops.errors import OperatorError
from ops.twilio_lookup import TwilioLookup

if TYPE_CHECKING:
    from openai.types import Model

    from lambda_src.services.secret_forms import TwilioCredentials
    from ops.deployment import Deployment

OPENAI_SECONDS = 15.0


@dataclass(frozen=True)
class OpenAILookup:
    """OpenAI, asked about models.

    Attributes:
        api_key: The key.
        base_url: Where it answers; None for its own address.
    """

    api_key: str
    base_url: str | None

    def model(self, name: str) -> Model:
        """A model that the key may use (`GET /v1/models/{model}`, which costs nothing).

        Raises:
            ProcessingError: OpenAI refuses the key, or has no such model.
            OperatorError: OpenAI cannot be asked.
        """
        client = openai.OpenAI(
            api_key=self.api_key, base_url=self.base_url, max_retries=1, timeout=OPENAI_SECONDS
        )
        try:
            return client.models.retrieve(name)
        except openai.APIStatusError as error:
            raise meaning_of_status(error.status_code, error.code, param=error.param) from None
        except openai.APIError as error:
            raise OperatorError(f"OpenAI cannot be asked now: {type(error).__name__}") from None


def openai_problem(lookup: OpenAILookup, model: str) -> str:
    """What is wrong with an OpenAI key, empty if nothing is."""
    try:
        lookup.model(model)
    except (ProcessingError, OperatorError) as error:
        return str(error)
    return ""


def twilio_problem(deployment: Deployment, credentials: TwilioCredentials) -> str:
    """What is wrong with Twilio credentials, empty if nothing is."""
    settings = deployment.settings
    lookup = TwilioLookup(settings.twilio_timeout_seconds, settings.twilio_base_url)
    try:
        status = lookup.account_status(credentials)
    except (ProcessingError, OperatorError) as error:
        return str(error)
    return "" if status == "active" else f"the account is {status}"
