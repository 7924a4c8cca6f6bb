"""Secrets: in their documented form, proven, and shown to nobody."""

import json

import pytest

from ops.commands import secrets
from tests.ops.office import Office
from tests.services.channel import ACCOUNT, API_KEY, OPENAI_SECRET, TOKEN, TWILIO_SECRET

CREDENTIALS = {"twilio_account_sid": ACCOUNT, "twilio_auth_token": TOKEN}


def stored(office: Office, name: str) -> object:
    """What a secret holds."""
    return json.loads(office.channel.secretsmanager.get_secret_value(SecretId=name)["SecretString"])


def test_good_secrets_are_proven(office: Office) -> None:
    """Each vendor is asked once, and says that all is well."""
    rows = office.done("secrets", "check")
    assert {OPENAI_SECRET: "", TWILIO_SECRET: ""} == {row["secret"]: row["problem"] for row in rows}
    assert 2 == office.channel.vendor_calls()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (OPENAI_SECRET, '{"placeholder": "x"}', "secret_malformed"),
        (OPENAI_SECRET, '{"ai_api_key": "another-key"}', "openai_invalid_api_key"),
        (TWILIO_SECRET, "not JSON", "secret_malformed"),
        (TWILIO_SECRET, json.dumps({**CREDENTIALS, "twilio_auth_token": "old"}), "twilio_20003"),
    ],
)
def test_what_is_wrong_with_one_is_told(office: Office, name: str, value: str, said: str) -> None:
    """The code says what is wrong; the value does not show."""
    office.channel.set_secret(name, value)
    told = office.refused("secrets", "check", name)
    assert said in "".join(told.split())
    assert not {"another-key", TOKEN} & set(told.split())


def test_a_secret_comes_from_standard_input(office: Office) -> None:
    """What is piped in is proven and stored, a new tenant's secret is made."""
    name = f"{TWILIO_SECRET}-2"
    text = json.dumps(CREDENTIALS)
    assert "made" == office.done("secrets", "set", name, "--yes", answer=text)["done"]
    assert "stored" == office.done("secrets", "set", name, "--yes", answer=text)["done"]
    assert CREDENTIALS == stored(office, name)


def test_a_secret_is_typed_at_a_prompt(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal each field is asked for; an optional one may be left out."""
    monkeypatch.setattr(secrets, "is_terminal", lambda: True)
    answers = f"{ACCOUNT}\n{TOKEN}\n\ny\n"
    result = office.run("secrets", "set", TWILIO_SECRET, answer=answers)
    assert 0 == result.exit_code, result.output
    assert TOKEN not in result.output
    assert CREDENTIALS == stored(office, TWILIO_SECRET)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (OPENAI_SECRET, '{"ai_api_key": "a key"}', "secret_malformed"),
        (OPENAI_SECRET, "{", "secret_malformed"),
        (OPENAI_SECRET, '{"ai_api_key": "wrong"}', "not stored: openai_invalid_api_key"),
        ("ai-multi-comms/prod/openai-api-key/whatsapp", "{}", "the channel's secrets are"),
        ("ai-multi-comms/dev/whatsapp-credentials/../other", "{}", "the channel's secrets are"),
    ],
)
def test_a_bad_value_is_not_stored(office: Office, name: str, value: str, said: str) -> None:
    """Another form, another owner, or a key that its vendor refuses: the old value stays."""
    told = office.refused("secrets", "set", name, "--yes", answer=value)
    assert said in told
    assert not value.strip("{}") or value not in told
    assert {"ai_api_key": API_KEY} == stored(office, OPENAI_SECRET)


def test_a_dry_run_stores_nothing(office: Office) -> None:
    """Nor does a pipe without --yes, since nobody can be asked."""
    text = json.dumps({"ai_api_key": API_KEY, "note": "new"})
    assert "" == office.done("secrets", "set", OPENAI_SECRET, "--dry-run", answer=text)["done"]
    assert "add --yes" in office.refused("secrets", "set", OPENAI_SECRET, answer=text)
    assert {"ai_api_key": API_KEY} == stored(office, OPENAI_SECRET)


def test_a_vendor_that_is_down_can_be_passed_by(office: Office) -> None:
    """--unproven stores what cannot be proven now."""
    office.channel.openai.fail_next("server_error", times=5)
    text = json.dumps({"ai_api_key": "a-newer-key"})
    assert "not stored" in office.refused("secrets", "set", OPENAI_SECRET, "--yes", answer=text)
    office.done("secrets", "set", OPENAI_SECRET, "--yes", "--unproven", answer=text)
    assert {"ai_api_key": "a-newer-key"} == stored(office, OPENAI_SECRET)
