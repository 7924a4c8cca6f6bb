"""The services beyond AWS that the deployed function talks to: stand-ins, or the real ones."""

import os
import tomllib
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import lambda_src
from lambda_src.core.contract import TWILIO_BASE_URL
from local.aws import Aws
from local.composite import Composite
from local.credentials import Credentials, store_secrets
from local.phones import Phones
from local.stand_ins import OpenAIStandIn, TwilioStandIn

MADE_UP = Credentials(
    openai_api_key="made-up-openai-key",
    twilio_account_sid=f"AC{'0' * 32}",
    twilio_auth_token="made-up-twilio-token",  # noqa: S106 - known to the stand-in only
    template_sid=f"HX{'0' * 32}",
)
TEMPLATE_TEXT = "Hello {{1}}! {{2}}"
"""The content template for which the shipped assistant `first_contact` writes the variables."""

PASSED_ON = ("HTTP_PROXY", "HTTPS_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")


class Vendors(Protocol):
    """OpenAI and the channel's vendor, for the length of a `with` block."""

    @property
    def phones(self) -> Phones | None:
        """What recipients see; None where only the recipients themselves do."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...

    def function_environment(self) -> dict[str, str]:
        """Variables that lead the function's process to them."""

    def store_secrets(self, aws: Aws) -> None:
        """Give the deployed placeholder secrets the values that they take."""


class StandIns(Composite):
    """The stand-ins of `local.stand_ins`, on loopback.

    Attributes:
        openai: the stand-in for OpenAI.
        twilio: the stand-in for Twilio.
    """

    credentials = MADE_UP

    def __init__(self) -> None:
        super().__init__()
        self.openai = OpenAIStandIn(keys={MADE_UP.openai_api_key}, models=_models())
        self.twilio = TwilioStandIn(
            accounts={MADE_UP.twilio_account_sid: MADE_UP.twilio_auth_token},
            templates={str(MADE_UP.template_sid): TEMPLATE_TEXT},
        )
        self.phones: Phones | None = None

    def _start_parts(self, starting: ExitStack) -> None:
        starting.enter_context(self.openai)
        starting.enter_context(self.twilio)
        self.phones = Phones(self.twilio.origin)

    def function_environment(self) -> dict[str, str]:
        """The base URLs by which the SDKs find the stand-ins."""
        return {"OPENAI_BASE_URL": self.openai.base_url, TWILIO_BASE_URL: self.twilio.base_url}

    def store_secrets(self, aws: Aws) -> None:
        """Store the made-up credentials that the stand-ins take."""
        store_secrets(aws, self.credentials)


class RealServices:
    """OpenAI and Twilio themselves, with the user's credentials."""

    phones: Phones | None = None

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        """Nothing was started."""

    def function_environment(self) -> dict[str, str]:
        """The user's way to the internet; the embedded AWS is reached directly all the same."""
        way = _first_set(os.environ)
        return way | {"NO_PROXY": "127.0.0.1"} if way else {}

    def store_secrets(self, aws: Aws) -> None:
        """Store the user's credentials."""
        store_secrets(aws, self.credentials)


def _first_set(environment: Mapping[str, str]) -> dict[str, str]:
    spelt = {name: environment.get(name) or environment.get(name.lower()) for name in PASSED_ON}
    return {name: value for name, value in spelt.items() if value}


def _models() -> list[str]:
    """The models that the shipped assistants name."""
    definitions = (Path(lambda_src.__file__).parent / "assistants").glob("*.toml")
    return sorted({tomllib.loads(path.read_text("utf-8"))["model"] for path in definitions})
