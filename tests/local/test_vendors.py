"""The choice between the fakes and the real vendors, by the environment's credentials."""

import json

import pytest

from local.errors import LocalCloudError
from local.vendors import Credentials, FakeVendors, RealVendors, select_vendors

ALL = {
    "OPENAI_API_KEY": "made-up-key",
    "TWILIO_ACCOUNT_SID": "made-up-account",
    "TWILIO_AUTH_TOKEN": "made-up-token",
}


def test_the_fakes_are_the_default() -> None:
    """Without any of the variables, or with empty ones, the fakes are used."""
    assert isinstance(select_vendors({"PATH": "/bin", "OPENAI_API_KEY": ""}), FakeVendors)


def test_complete_credentials_select_the_real_vendors() -> None:
    """With all variables the real vendors are used, without a base URL."""
    vendors = select_vendors(ALL | {"TWILIO_TEMPLATE_SID": "made-up-template"})
    assert isinstance(vendors, RealVendors)
    assert "made-up-template" == vendors.credentials.template_sid
    assert not [name for name in vendors.function_environment() if name.endswith("BASE_URL")]


@pytest.mark.parametrize("missing", sorted(ALL))
def test_incomplete_credentials_are_an_error(missing: str) -> None:
    """If only some variables are set, the error names those missing and contains no value."""
    some = {name: value for name, value in ALL.items() if name != missing}
    with pytest.raises(LocalCloudError, match=f"but not {missing}:") as raised:
        select_vendors(some)
    assert not [value for value in ALL.values() if value in str(raised.value)]


def test_a_template_alone_is_an_error() -> None:
    """The optional variable alone selects the real vendors, too."""
    with pytest.raises(LocalCloudError, match="OPENAI_API_KEY, TWILIO_ACCOUNT_SID"):
        select_vendors({"TWILIO_TEMPLATE_SID": "made-up-template"})


def test_secrets_have_their_documented_form() -> None:
    """The secrets' values are the JSON objects of the channel's documentation."""
    credentials = Credentials("key", "account", "token", "template")
    assert {"ai_api_key": "key"} == json.loads(credentials.openai_secret)
    twilio = {"twilio_account_sid": "account", "twilio_auth_token": "token"}
    assert twilio | {"twilio_template_sid": "template"} == json.loads(credentials.twilio_secret)
    without = Credentials("key", "account", "token")
    assert twilio == json.loads(without.twilio_secret)


def test_credentials_are_not_printed() -> None:
    """The representation of credentials contains none of them."""
    assert "Credentials()" == repr(Credentials("key", "account", "token", "template"))
