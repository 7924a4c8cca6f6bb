"""The function's configuration: read from the environment once, complete or not at all."""

import os
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    AnyHttpUrl,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from lambda_src.core.contract import DEFAULTS, REQUIRED_VARIABLES, TWILIO_BASE_URL, Variable

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


def _split(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _url_or_empty(value: str) -> str:
    if value:
        TypeAdapter(AnyHttpUrl).validate_python(value)
    return value


class ConfigurationError(Exception):
    """The function's environment variables are not what the runtime needs; names each of them."""


class Settings(BaseModel):
    """The environment variables of the processor function; times are in seconds."""

    model_config = ConfigDict(frozen=True)

    channel: Text
    queue_url: Text
    conversations_table: Text
    secret_prefixes: Annotated[list[Text], BeforeValidator(_split), Field(min_length=1)]
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
    version: Text
    heartbeat_interval_seconds: PositiveInt
    heartbeat_visibility_seconds: Annotated[PositiveInt, Field(le=43_200)]
    lease_seconds: PositiveInt
    openai_timeout_seconds: PositiveInt
    twilio_timeout_seconds: PositiveInt
    settle_delays_seconds: Annotated[
        list[NonNegativeInt], BeforeValidator(_split), Field(min_length=1)
    ]
    backoff_base_seconds: PositiveInt
    max_concurrency: PositiveInt
    assistants_base_url: Annotated[str, BeforeValidator(_url_or_empty)]
    twilio_base_url: Annotated[str, BeforeValidator(_url_or_empty)] = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings.

        Raises:
            ConfigurationError: A variable is missing, empty or invalid; lists all of them.
        """
        values = {str(name).lower(): _value(name, environment) for name in Variable}
        values[TWILIO_BASE_URL.lower()] = environment.get(TWILIO_BASE_URL, "")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigurationError(_problems(error)) from None


def _value(name: Variable, environment: Mapping[str, str]) -> str:
    value = environment.get(name, "")
    return value if value or name in REQUIRED_VARIABLES else DEFAULTS[name]


def _problems(error: ValidationError) -> str:
    lines = [
        f"{str(problem['loc'][0]).upper()}: {problem['msg']}"
        for problem in error.errors(include_input=False, include_url=False)
    ]
    return "environment variables of the function: " + "; ".join(lines)
