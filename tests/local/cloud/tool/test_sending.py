"""`send` and `secrets set` on the local cloud."""

import json
from pathlib import Path

from lambda_src.core.contract import Status
from tests.local.cloud.tool.local_operator import LocalOperator
from tests.local.cloud.tool.terminal import ctrl_c
from tests.local.cloud.tool.ways import Way, exercises
from tests.support.channel import PREFIXES


@exercises(Way.REFUSED, "send")
def test_only_a_confirmed_valid_context_is_sent(operator: LocalOperator, tmp_path: Path) -> None:
    """Problems are reported with their fields; a dry run and a no send nothing either."""
    conversation = operator.conversation()
    invalid = conversation.body.replace('"comms_consent": true', '"comms_consent": "yes"')
    output = operator.refused("send", "-", "--yes", answer=invalid.replace('"active"', '"paused"'))
    assert "comms_consent" in output
    assert "project_status" in output
    assert "2 problem(s); nothing was sent" in output
    assert conversation.number not in output
    file = tmp_path / "context.json"
    file.write_text(conversation.body)
    assert not operator.succeed("send", str(file), "--dry-run")["sent_to_queue"]
    assert "nothing was changed" in operator.refused("send", str(file), answer="n\n")
    assert ({}, []) == (operator.record(conversation), operator.queued())


@exercises(Way.DONE, "send")
@exercises(Way.INTERRUPTED, "send")
def test_a_message_is_sent_once_after_an_interruption(operator: LocalOperator) -> None:
    """Interrupted before the queue nothing is sent; repeated and repeated again, one message is."""
    conversation = operator.conversation()
    call = ("send", "-", "--yes")
    with ctrl_c(operator.session, "dynamodb.GetItem"):
        output = operator.interrupted(*call, answer=conversation.body)
    assert "interrupted: nothing was changed" in output
    assert ({}, []) == (operator.record(conversation), operator.queued())

    outcome = operator.succeed(*call, "--follow", answer=conversation.body)
    assert Status.SENT == outcome["status"]
    operator.await_sent(conversation)
    repeated = operator.succeed(*call, "--follow", answer=conversation.body)
    assert Status.SENT == repeated["recorded_already"]
    operator.await_sent(conversation)


def stored(operator: LocalOperator) -> list[str]:
    """Return the values of the tenant's secret, none if it does not exist."""
    client = operator.cloud.aws.secretsmanager
    try:
        return [client.get_secret_value(SecretId=secret_name(operator))["SecretString"]]
    except client.exceptions.ResourceNotFoundException:
        return []


def secret_name(operator: LocalOperator) -> str:
    """Return the name of the tenant's secret."""
    return f"{PREFIXES[1]}{operator.company}"


@exercises(Way.DONE, "secrets set")
@exercises(Way.INTERRUPTED, "secrets set")
def test_a_checked_secret_is_stored(operator: LocalOperator) -> None:
    """Interrupted it is not stored; repeated it is created, then replaced, and never shown."""
    valid = operator.fakes.credentials.twilio_secret
    call = ("secrets", "set", secret_name(operator), "--yes")
    with ctrl_c(operator.session, "secrets-manager.PutSecretValue"):
        output = operator.interrupted(*call, answer=valid)
    assert "run the same command again" in output
    assert operator.fakes.credentials.twilio_auth_token not in output
    assert [] == stored(operator)

    assert ["created", "stored"] == [
        operator.succeed(*call, answer=valid)["done"] for _ in range(2)
    ]
    assert [json.loads(valid)] == [json.loads(text) for text in stored(operator)]


@exercises(Way.REFUSED, "secrets set")
def test_an_invalid_secret_is_not_stored(operator: LocalOperator) -> None:
    """Neither a wrong schema, a refused value, a foreign name nor an unconfirmed value is."""
    valid = operator.fakes.credentials.twilio_secret
    call = ("secrets", "set", secret_name(operator))
    wrong = json.dumps({**json.loads(valid), "twilio_auth_token": "a-wrong-token"})
    for value, message in (
        ("{", "secret_malformed"),
        ('{"twilio_account_sid": "AC1"}', "secret_malformed"),
        (wrong, "not stored: twilio_20003"),
    ):
        output = operator.refused(*call, "--yes", answer=value)
        assert message in output
        assert "a-wrong-token" not in output
    assert "add --yes" in operator.refused(*call, answer=valid)
    assert "secrets begin with" in operator.refused("secrets", "set", "x/y", answer=valid)
    assert [] == stored(operator)
