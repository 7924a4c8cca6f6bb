"""The channel's secrets: their references, their schemas, and concurrent reads."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.core.errors import ConfigurationRefused
from lambda_src.services.secret_schemas import openai_key, twilio_credentials
from lambda_src.services.secrets_manager_service import SingleFlight, is_within
from tests.support.contexts import OPENAI_SECRET, SECRET_PREFIXES, TWILIO_SECRET

ACCOUNT = "AC" + "0123456789abcdef" * 2
TEMPLATE = "HX" + "0123456789ABCDEF" * 2
TWILIO = {"twilio_account_sid": ACCOUNT, "twilio_auth_token": "made-up"}
ARN = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:"
CREDENTIALS = "ai-multi-comms/dev/whatsapp-credentials"


@pytest.mark.parametrize(
    "reference",
    [
        OPENAI_SECRET, f"{OPENAI_SECRET}/harbour", TWILIO_SECRET, f"{TWILIO_SECRET}/second",
        f"{ARN}{OPENAI_SECRET}", f"{ARN}{OPENAI_SECRET}-AbC123", f"{ARN}{TWILIO_SECRET}-AbC123",
        f"{ARN.replace('aws', 'aws-cn')}{TWILIO_SECRET}",
    ],
)  # fmt: skip
def test_references_with_a_prefix_are_the_channels_own(reference: str) -> None:
    """Names and ARNs, with or without suffix; without prefixes there are none."""
    assert is_within(reference, SECRET_PREFIXES)
    assert not is_within(reference, [])


@pytest.mark.parametrize(
    "reference",
    [
        "", "/", "ai-multi-comms", "ai-multi-comms/prod/openai-api-key/whatsapp",
        "ai-multi-comms/dev/openai-api-key/sms", f"{OPENAI_SECRET}-2", f"{OPENAI_SECRET}2",
        f"{OPENAI_SECRET}-AbC123", f"{OPENAI_SECRET}/", f" {OPENAI_SECRET}",
        f"{OPENAI_SECRET}\n", f"other/{OPENAI_SECRET}", CREDENTIALS, f"{CREDENTIALS}/",
        f"{CREDENTIALS}-old/harbour", f"{CREDENTIALS}//harbour", f"{CREDENTIALS}/./harbour",
        f"{CREDENTIALS}/../openai-api-key/sms", f"{CREDENTIALS}/..",
        f"{CREDENTIALS}/%2e%2e/prod", f"{CREDENTIALS}/harbour\x00",
        f"{ARN}ai-multi-comms/dev/openai-api-key/sms-AbC123",
        f"{ARN}{CREDENTIALS}/../secret-AbC123", f"{ARN}{OPENAI_SECRET}-2-AbC123",
        f"arn:aws:ssm:eu-west-2:123456789012:parameter:{TWILIO_SECRET}",
        f"arn:aws:secretsmanager:eu-west-2:123:secret:{TWILIO_SECRET}",
        f"{ARN}{ARN}{TWILIO_SECRET}", f"{OPENAI_SECRET}/{'x' * 512}",
    ],
)  # fmt: skip
def test_other_references_are_refused(reference: str) -> None:
    """Look-alikes, empty parts, dots, other services' ARNs and other names."""
    assert not is_within(reference, SECRET_PREFIXES)


# --- schemas


def test_surrounding_white_space_is_dropped() -> None:
    """It is easily copied along from a console or a file's last line; other fields are ignored."""
    padded = {name: f" \t{value}\r\n" for name, value in TWILIO.items()}
    credentials = twilio_credentials({**padded, "twilio_template_sid": f"{TEMPLATE}\n"})
    assert "made-up" == openai_key({"ai_api_key": "\u00a0made-up\n"})
    assert (ACCOUNT, "made-up", TEMPLATE) == (
        credentials.account_sid,
        credentials.auth_token,
        credentials.template_sid,
    )
    assert twilio_credentials({**TWILIO, "note": 7}).template_sid is None


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, "nothing"), ("", "an empty text"), (" \n", "an empty text"), (7, "int"),
        (["made-up"], "list"), ("made up", "another text"), ("made\nup", "another text"),
        ("tök€n", "another text"), ("made-up\x00", "another text"),
    ],
)  # fmt: skip
def test_a_key_that_no_header_can_carry_is_malformed(value: object, found: str) -> None:
    """The error has the field, what was expected, and the kind of what was found."""
    for name, read in (
        ("ai_api_key", lambda: openai_key({"ai_api_key": value})),
        ("twilio_auth_token", lambda: twilio_credentials({**TWILIO, "twilio_auth_token": value})),
    ):
        with pytest.raises(ConfigurationRefused, match="secret_malformed") as malformed:
            read()
        expected = f"expected {name} to be printable ASCII characters without blanks, found {found}"
        assert expected == malformed.value.detail


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
    """It would become a part of a URL, or be refused with every message."""
    name = next(iter(change))
    with pytest.raises(ConfigurationRefused, match=f"expected {name} to be .. and 32 hexadecimal"):
        twilio_credentials({**TWILIO, **change})


@given(st.text().filter(lambda text: not text.isascii()))
def test_no_value_reaches_an_error(value: str) -> None:
    """Whatever a secret contains."""
    with pytest.raises(ConfigurationRefused) as raised:
        openai_key({"ai_api_key": f"a {value} z"})
    assert value not in str(raised.value)


@pytest.mark.parametrize("secret", [None, [], "made-up", 7, True])
def test_a_secret_that_is_not_an_object_is_malformed(secret: object) -> None:
    """The error has only its kind."""
    with pytest.raises(ConfigurationRefused, match="expected a JSON object, found") as raised:
        openai_key(secret)
    assert "made-up" not in str(raised.value)


# --- concurrent reads

THREADS = 5


class Call:
    """A call that lasts until it is released; `count` is how often it was made."""

    def __init__(self, outcome: Callable[[], str]) -> None:
        self.count = 0
        self.started = Event()
        self.released = Event()
        self._outcome = outcome

    def __call__(self) -> str:
        """Wait, then return the outcome."""
        self.count += 1
        self.started.set()
        assert self.released.wait(60)
        return self._outcome()


def fail() -> str:
    """Fail."""
    raise LookupError("gone")


def concurrently(
    flight: SingleFlight[str], call: Call, pool: ThreadPoolExecutor
) -> list[Future[str]]:
    """Call from several threads while the first call is in flight, then release it."""
    futures = [pool.submit(flight.call, "key", call) for _ in range(THREADS)]
    assert call.started.wait(60)
    # The standard library's own condition, whose waiters are private.
    waiters: Any = flight._in_flight["key"]._condition
    until = time.monotonic() + 60
    while len(waiters._waiters) < THREADS - 1 and time.monotonic() < until:
        time.sleep(0.001)
    assert "other" == flight.call("another key", lambda: "other")
    call.released.set()
    return futures


@pytest.mark.parametrize("outcome", [lambda: "value", fail], ids=["result", "failure"])
def test_one_call_serves_all_concurrent_callers(outcome: Callable[[], str]) -> None:
    """Each gets its result or its failure; another key does not wait; a later call is made anew."""
    flight: SingleFlight[str] = SingleFlight()
    call = Call(outcome)
    with ThreadPoolExecutor(THREADS) as pool:
        futures = concurrently(flight, call, pool)
        results = [str(future.exception() or future.result()) for future in futures]
    assert (["gone" if outcome is fail else "value"] * THREADS, 1) == (results, call.count)
    assert "again" == flight.call("key", lambda: "again")
