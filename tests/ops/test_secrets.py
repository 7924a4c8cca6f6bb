"""`secrets`: checked against schema and vendor, stored, and never shown."""

import json

import pytest

from ops.commands import secrets
from tests.ops.operator_channel import OperatorChannel
from tests.support.channel import ACCOUNT, API_KEY, OPENAI_SECRET, TOKEN, TWILIO_SECRET

CREDENTIALS = {"twilio_account_sid": ACCOUNT, "twilio_auth_token": TOKEN}


def stored(operator: OperatorChannel, name: str) -> object:
    """Return the value of a secret."""
    client = operator.channel.secretsmanager
    return json.loads(client.get_secret_value(SecretId=name)["SecretString"])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (OPENAI_SECRET, '{"placeholder": "x"}', "secret_malformed"),
        (OPENAI_SECRET, '{"ai_api_key": "another-key"}', "openai_invalid_api_key"),
        (TWILIO_SECRET, "not JSON", "secret_malformed"),
        (TWILIO_SECRET, json.dumps({**CREDENTIALS, "twilio_auth_token": "old"}), "twilio_20003"),
    ],
)
def test_an_invalid_secret_is_reported(
    operator: OperatorChannel, name: str, value: str, message: str
) -> None:
    """The problem has a code, and the value is not shown."""
    operator.channel.set_secret(name, value)
    output = operator.refused("secrets", "check", name)
    assert message in "".join(output.split())
    assert not {"another-key", TOKEN} & set(output.split())


def test_a_missing_secret_is_reported(operator: OperatorChannel) -> None:
    """The code of Secrets Manager's refusal is shown."""
    output = operator.refused("secrets", "check", f"{TWILIO_SECRET}-missing")
    assert "ResourceNotFoundException" in "".join(output.split())


def test_a_secret_is_typed_at_a_prompt(
    operator: OperatorChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal each field is prompted for; an optional one may be left out."""
    monkeypatch.setattr(secrets, "is_terminal", lambda: True)
    answers = f"{ACCOUNT}\n{TOKEN}\n\ny\n"
    result = operator.run("secrets", "set", TWILIO_SECRET, answer=answers)
    assert 0 == result.exit_code, result.output
    assert TOKEN not in result.output
    assert CREDENTIALS == stored(operator, TWILIO_SECRET)


def test_a_dry_run_and_a_missing_yes_store_nothing(operator: OperatorChannel) -> None:
    """With the secret on standard input no question is possible."""
    text = json.dumps({"ai_api_key": API_KEY, "note": "new"})
    assert "" == operator.succeed("secrets", "set", OPENAI_SECRET, "--dry-run", answer=text)["done"]
    assert "add --yes" in operator.refused("secrets", "set", OPENAI_SECRET, answer=text)
    assert {"ai_api_key": API_KEY} == stored(operator, OPENAI_SECRET)


def test_the_vendors_check_can_be_skipped(operator: OperatorChannel) -> None:
    """--unproven stores a value while its vendor is unavailable."""
    operator.channel.openai.fail_next("server_error", times=5)
    call, text = ("secrets", "set", OPENAI_SECRET, "--yes"), '{"ai_api_key": "a-newer-key"}'
    assert "not stored" in operator.refused(*call, answer=text)
    operator.succeed(*call, "--unproven", answer=text)
    assert {"ai_api_key": "a-newer-key"} == stored(operator, OPENAI_SECRET)
