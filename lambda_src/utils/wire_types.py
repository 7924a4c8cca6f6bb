"""What the fields of a context object must be, and the words that say so."""

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictStr
from pydantic_core import PydanticCustomError

from lambda_src.core.channel_parts import AddressForm

LONGEST_KEY = 1024
"""Bytes that DynamoDB takes as a sort key."""
LONGEST_ID = 256
"""Bytes of an id that log lines carry: ample for any, and never cut as OpenAI's metadata
(512 characters)."""


class Wire(BaseModel):
    """A part of the context object: nothing is coerced, unknown fields are left alone."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


def problem(code: str, expected: str) -> PydanticCustomError:
    """A problem with a code of its own."""
    return PydanticCustomError(code, "{expected}", {"expected": expected})


def at_most(longest: int) -> AfterValidator:
    """The rule that a text has no more bytes than that, in UTF-8."""

    def short(value: str) -> str:
        if len(value.encode()) > longest:
            raise problem("context_invalid", f"a string of at most {longest} bytes")
        return value

    return AfterValidator(short)


def address_of(form: AddressForm) -> Any:
    """The type of a field that holds an address of that form."""
    pattern = re.compile(form.pattern)

    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise problem(form.code, form.words)
        return value

    return Annotated[Text, at_most(LONGEST_KEY), AfterValidator(check)]


def _filled(value: str) -> str:
    if not value.strip():
        raise problem("context_invalid", "a non-empty string")
    return value


def _iso_8601(value: str) -> str:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise problem("context_invalid", "a time in ISO 8601 form") from None
    return value


Text = Annotated[StrictStr, AfterValidator(_filled)]
KeyText = Annotated[Text, at_most(LONGEST_KEY)]
IdText = Annotated[Text, at_most(LONGEST_ID)]
Timestamp = Annotated[StrictStr, AfterValidator(_iso_8601)]
JsonObject = dict[str, Any]
Assistant = Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")]
"""An assistant id; it names a file, so it holds no separator."""
