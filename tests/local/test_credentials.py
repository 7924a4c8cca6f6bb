"""The choice between the real services and the stand-ins, by the environment."""

import json

import pytest

from local.aws import Aws
from local.credentials import CREDENTIALS, Credentials, real_credentials, store_secrets
from local.errors import LocalCloudError
from local.send import chosen_vendors
from local.vendors import RealServices, StandIns

TENANTS = CREDENTIALS[0]
ALL = {
    "OPENAI_API_KEY": "made-up-key",
    "TWILIO_ACCOUNT_SID": "made-up-account",
    "TWILIO_AUTH_TOKEN": "made-up-token",
}


def test_no_variable_means_the_stand_ins() -> None:
    """Without any of the variables, or with empty ones, the stand-ins are used."""
    assert real_credentials({"PATH": "/bin", "OPENAI_API_KEY": ""}) is None
    assert isinstance(chosen_vendors({}), StandIns)


def test_all_variables_mean_the_real_services() -> None:
    """With all of the variables the real services are used, led to by no base URL."""
    vendors = chosen_vendors(ALL | {"TWILIO_TEMPLATE_SID": "made-up-template"})
    assert isinstance(vendors, RealServices)
    assert "made-up-template" == vendors.credentials.template_sid
    assert not [name for name in vendors.function_environment() if name.endswith("BASE_URL")]


@pytest.mark.parametrize("missing", sorted(ALL))
def test_a_part_of_the_variables_is_an_error(missing: str) -> None:
    """When some are set, the error names those missing and no value."""
    some = {name: value for name, value in ALL.items() if name != missing}
    with pytest.raises(LocalCloudError, match=f"but not {missing}:") as refusal:
        real_credentials(some)
    assert not [value for value in ALL.values() if value in str(refusal.value)]


def test_a_template_alone_is_an_error() -> None:
    """The optional variable alone asks for the real services, too."""
    with pytest.raises(LocalCloudError, match="OPENAI_API_KEY, TWILIO_ACCOUNT_SID"):
        real_credentials({"TWILIO_TEMPLATE_SID": "made-up-template"})


def test_secrets_have_their_documented_form() -> None:
    """The secrets' values are the JSON objects that the channel documents."""
    credentials = Credentials("key", "account", "token", "template")
    assert {"ai_api_key": "key"} == json.loads(credentials.openai_secret)
    twilio = {"twilio_account_sid": "account", "twilio_auth_token": "token"}
    assert twilio | {"twilio_template_sid": "template"} == json.loads(credentials.twilio_secret)
    without = Credentials("key", "account", "token")
    assert twilio == json.loads(without.twilio_secret)


def test_credentials_do_not_show() -> None:
    """Printing credentials shows none of them."""
    assert "Credentials()" == repr(Credentials("key", "account", "token", "template"))


def test_the_examples_tenants_exist_whatever_the_environment_lists(embedded_aws: Aws) -> None:
    """Tenants of the example contexts get secrets, deployed or not; strangers' stay untouched."""
    secrets = embedded_aws.secretsmanager
    secrets.create_secret(Name="a-stranger", SecretString="untouched")
    secrets.create_secret(Name=f"{TENANTS}listed", SecretString="placeholder")
    credentials = Credentials("key", "account", "token", "template")
    for _ in range(2):  # the second time, all of them are there already
        store_secrets(embedded_aws, credentials)
    tenants = ("listed", "demo-company", "demo-company-free-text")
    stored = {
        name: secrets.get_secret_value(SecretId=name)["SecretString"]
        for name in ("a-stranger", *(f"{TENANTS}{tenant}" for tenant in tenants))
    }
    with_template = credentials.twilio_secret
    without = Credentials("key", "account", "token").twilio_secret
    assert ["untouched", with_template, with_template, without] == list(stored.values())
