"""Personal data and secrets get into no log, metric, error or trace, whatever happens."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from lambda_src.core.claims import Claims
from lambda_src.core.context import ContextObject
from tests.privacy.canaries import MESSAGE, NUMBERS, found_in, planted
from tests.privacy.happenings import HAPPENINGS, send
from tests.privacy.listening import Listener, listening
from tests.privacy.messages import body, misfit
from tests.services.channel import TOKEN, Channel

SNAPSHOTS = Path(__file__).parents[1] / "infra" / "__snapshots__"


@pytest.fixture
def listener(
    channel: Channel, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Listener]:
    """Listens to the function at DEBUG, where libraries are at their most talkative."""
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    channel.openai.add_rule(channel.openai.rule(misfit(MESSAGE), times=None))
    with listening(capsys, monkeypatch) as listener:
        yield listener


@pytest.mark.parametrize("happen", HAPPENINGS, ids=lambda happen: happen.__name__)
def test_nothing_personal_is_said(
    channel: Channel, listener: Listener, happen: Callable[[Channel], None]
) -> None:
    """Whatever happens is told by codes, kinds, field names and ids alone."""
    happen(channel)

    assert '"event":"batch_finished"' in listener.output
    assert '"_aws"' in listener.output
    assert [] == found_in(listener.everything)


def test_what_happens_is_what_it_is_called(channel: Channel, listener: Listener) -> None:
    """The canaries travel the whole way: from the context object to the record and the phone."""
    send(channel)

    stored = json.dumps(channel.dynamodb.scan(TableName=channel.table)["Items"])
    on_phones = json.dumps([request.body for request in channel.twilio.requests], default=str)
    assert found_in(stored)
    assert found_in(on_phones)
    assert "sent" in listener.output


@pytest.mark.parametrize(
    "leak",
    [
        "kanari first name",
        f"+{NUMBERS[0]}123",
        f"{NUMBERS[0]}123",
        quote(f"whatsapp:+{NUMBERS[0]}123"),
        "KANARI@example.org",
        json.dumps({"a": "x kanari ü"}),
        f"token {TOKEN}",
        "918273.645",
        json.dumps(planted()),
    ],
)
def test_a_leak_is_found(listener: Listener, leak: str) -> None:
    """In whatever spelling, and whoever says it."""
    print(leak)  # noqa: T201 - a leak
    assert found_in(listener.output)
    logging.getLogger("some.library").debug("sending %s", leak)
    assert found_in(listener.libraries.getvalue())


def test_a_leak_of_the_runtime_is_found(
    channel: Channel, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flow that logged what it was given would be told on."""
    log = logging.getLogger("lambda_src.core.flow")

    def talkative(_: object, context: ContextObject, *__: object) -> None:
        log.info("claiming", extra={"given": context.attributes})

    monkeypatch.setattr(Claims, "take", talkative)
    channel.deliver(body())

    assert found_in(listener.everything)


def test_snapshots_hold_nothing_personal() -> None:
    """What is deployed, with alarms and their texts, knows no recipient, sender, key or token."""
    texts = [path.read_text("utf-8") for path in SNAPSHOTS.rglob("*.json")]

    assert texts
    assert [] == [place for text in texts for place in found_in(text)]
