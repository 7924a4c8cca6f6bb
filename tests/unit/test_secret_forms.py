"""The documented forms of the channel's secrets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.core.errors import PermanentFailure
from lambda_src.services.secret_forms import openai_key, twilio_credentials

ACCOUNT = "AC" + "0123456789abcdef" * 2
TEMPLATE = "HX" + "0123456789ABCDEF" * 2
TWILIO = {"twilio_account_sid": ACCOUNT, "twilio_auth_token": "made-up"}


def test_white_space_around_a_value_is_left_out() -> None:
    """As copied along with it from a console or a file's last line."""
    padded = {name: f" \t{value}\r\n" for name, value in TWILIO.items()}
    credentials = twilio_credentials({**padded, "twilio_template_sid": f"{TEMPLATE}\n"})

    assert "made-up" == openai_key({"ai_api_key": "\u00a0made-up\n"})
    assert (ACCOUNT, "made-up") == (credentials.account_sid, credentials.auth_token)
    assert TEMPLATE == credentials.template_sid


def test_other_fields_are_passed_over() -> None:
    """A secret may hold more than is read of it; a template is optional."""
    assert twilio_credentials({**TWILIO, "note": 7}).template_sid is None


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, "nothing"),
        ("", "an empty text"),
        (" \n", "an empty text"),
        (7, "int"),
        (["made-up"], "list"),
        ("made up", "another text"),
        ("made\nup", "another text"),
        ("tök€n", "another text"),
        ("made-up\x00", "another text"),
    ],
)
def test_a_key_that_no_header_can_carry_is_malformed(value: object, found: str) -> None:
    """The error names the field, what was expected, and the kind of what was found."""
    expected = "to be printable ASCII characters without blanks"
    with pytest.raises(PermanentFailure, match="secret_malformed") as key:
        openai_key({"ai_api_key": value})
    with pytest.raises(PermanentFailure, match="secret_malformed") as token:
        twilio_credentials({**TWILIO, "twilio_auth_token": value})

    assert f"expected ai_api_key {expected}, found {found}" == key.value.detail
    assert f"expected twilio_auth_token {expected}, found {found}" == token.value.detail


@pytest.mark.parametrize(
    "change",
    [
        {"twilio_account_sid": "x/../y"},
        {"twilio_account_sid": ACCOUNT[:-1]},
        {"twilio_account_sid": f"{ACCOUNT}0"},
        {"twilio_account_sid": ACCOUNT.replace("AC", "SK")},
        {"twilio_account_sid": ACCOUNT.replace("f", "g")},
        {"twilio_template_sid": TEMPLATE.replace("HX", "AC")},
        {"twilio_template_sid": ""},
        {"twilio_template_sid": None},
    ],
)
def test_a_sid_of_another_form_is_malformed(change: dict[str, object]) -> None:
    """It would become a part of an address, or be refused at every message."""
    name = next(iter(change))
    with pytest.raises(PermanentFailure, match=f"expected {name} to be .. and 32 hexadecimal"):
        twilio_credentials({**TWILIO, **change})


@given(st.text().filter(lambda text: not text.isascii()))
def test_no_value_ever_reaches_an_error(value: str) -> None:
    """Whatever stands in a secret stays there."""
    with pytest.raises(PermanentFailure) as raised:
        openai_key({"ai_api_key": f"a {value} z"})

    assert value not in str(raised.value)


@pytest.mark.parametrize("secret", [None, [], "made-up", 7, True])
def test_a_secret_that_is_no_object_is_malformed(secret: object) -> None:
    """Only its kind is told."""
    with pytest.raises(PermanentFailure, match="expected a JSON object, found") as raised:
        openai_key(secret)

    assert "made-up" not in str(raised.value)
