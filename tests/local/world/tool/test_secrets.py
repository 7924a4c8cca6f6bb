"""Storing secrets of the local cloud."""

import json

from local.vendors import MADE_UP
from tests.local.world.tool.duty import Duty
from tests.local.world.tool.interruption import ctrl_c
from tests.local.world.tool.ways import Way, exercises
from tests.services.channel import PREFIXES

GOOD = MADE_UP.twilio_secret


def name(duty: Duty) -> str:
    """The secret of the test's own tenant."""
    return f"{PREFIXES[1]}{duty.company}"


def stored(duty: Duty) -> list[str]:
    """What Secrets Manager holds of it, if anything."""
    client = duty.world.aws.secretsmanager
    try:
        return [client.get_secret_value(SecretId=name(duty))["SecretString"]]
    except client.exceptions.ResourceNotFoundException:
        return []


@exercises(Way.DONE, "secrets set")
def test_a_proven_secret_is_made_and_stored(duty: Duty) -> None:
    """A new tenant's is made, and the next value stored; the value shows nowhere."""
    call = ("secrets", "set", name(duty), "--yes")
    result = duty.run(*call, answer=GOOD)
    assert 0 == result.exit_code, result.output
    assert MADE_UP.twilio_auth_token not in result.output
    assert "stored" == duty.done(*call, answer=GOOD)["done"]
    assert [json.loads(GOOD)] == [json.loads(text) for text in stored(duty)]


@exercises(Way.REFUSED, "secrets set")
def test_a_secret_of_bad_form_or_that_is_not_proven_is_not_stored(duty: Duty) -> None:
    """Nor is one whose storing nobody agreed to, nor a stranger's."""
    call = ("secrets", "set", name(duty))
    wrong = json.dumps({**json.loads(GOOD), "twilio_auth_token": "a-wrong-token"})
    for value, said in (
        ("{", "secret_malformed"),
        ('{"twilio_account_sid": "AC1"}', "secret_malformed"),
        (wrong, "not stored: twilio_20003"),
    ):
        told = duty.refused(*call, "--yes", answer=value)
        assert said in told
        assert "a-wrong-token" not in told
    assert "add --yes" in duty.refused(*call, answer=GOOD)
    assert "the channel's secrets are" in duty.refused("secrets", "set", "x/y", answer=GOOD)
    assert [] == stored(duty)


@exercises(Way.INTERRUPTED, "secrets set")
def test_an_interrupted_storing_is_begun_again(duty: Duty) -> None:
    """Called off while it is stored, the next run stores it, and says so."""
    call = ("secrets", "set", name(duty), "--yes")
    with ctrl_c(duty.session, "secrets-manager.PutSecretValue"):
        told = duty.interrupted(*call, answer=GOOD)
    assert "run the same command again" in told
    assert MADE_UP.twilio_auth_token not in told
    assert [] == stored(duty)
    assert "made" == duty.done(*call, answer=GOOD)["done"]
