"""No personal data or secret appears in logs, metrics, errors or the operator's tool."""

import io
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from lambda_src.core.errors import ProcessingError
from lambda_src.core.ledger import LeaseManager
from lambda_src.core.models import ContextObject
from tests.ops.operator_channel import OperatorChannel
from tests.privacy import canaries
from tests.privacy.canaries import MARK, NUMBERS, QUOTE, SITUATIONS, body, found_in
from tests.support.channel import TOKEN, Channel

SNAPSHOTS = Path(__file__).parents[1] / "infra" / "__snapshots__"
TEST_LOGGERS = ("werkzeug", "moto", "responses", "local", "tests", "hypothesis")
"""Loggers that do not exist in Lambda."""
CONVERSATION = "conversation-kept"
READING_COMMANDS = (
    *("status", "conversation list", f"conversation show {CONVERSATION}", "dlq list"),
    *("dlq list --messages", f"dlq show {CONVERSATION}", "dlq redrive --dry-run", "unknown list"),
)


class Capture:
    """Captures standard output and error, the log of every library, and the texts of all errors."""

    def __init__(self, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.libraries = io.StringIO()
        self.errors: list[str] = []
        self._capsys = capsys
        self._output = ""
        initialize = ProcessingError.__init__

        def record(error: ProcessingError, *args: Any, **keywords: Any) -> None:
            initialize(error, *args, **keywords)
            text = traceback.format_exception_only(error)
            self.errors.append(f"{text} {error!r} {error.detail} {error.fields} {error.event}")

        patch.setattr(ProcessingError, "__init__", record)

    @property
    def output(self) -> str:
        """Standard output and standard error."""
        self._output += "".join(self._capsys.readouterr())
        return self._output

    @property
    def everything(self) -> str:
        """All captured text."""
        return "\n".join([self.output, self.libraries.getvalue(), *self.errors])


@pytest.fixture
def capture(
    channel: Channel, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Capture]:
    """Return a capture at level DEBUG, where libraries log most; the AI's answer is a canary."""
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    channel.openai.add_rule(channel.openai.rule(canaries.answer(), times=None))
    captured = Capture(capsys, monkeypatch)
    handler = logging.StreamHandler(captured.libraries)
    handler.addFilter(lambda record: not record.name.startswith(TEST_LOGGERS))
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield captured
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.__name__)
def test_output_has_no_personal_data(
    channel: Channel, capture: Capture, situation: Callable[[Channel], None]
) -> None:
    """In every situation, the output consists of codes, kinds, field names and ids."""
    situation(channel)

    assert '"event":"batch_finished"' in capture.output
    assert '"_aws"' in capture.output
    # Messages reach what the situation is about; only table errors use up the time.
    assert (situation is canaries.table_errors) == ("out_of_time" in capture.output)
    assert [] == found_in(capture.everything)


def test_canaries_reach_record_and_recipient(channel: Channel, capture: Capture) -> None:
    """The canaries are processed: the record and the sent messages contain them."""
    canaries.send(channel)

    stored = json.dumps(channel.dynamodb.scan(TableName=channel.table)["Items"])
    sent = json.dumps([request.body for request in channel.twilio.requests], default=str)
    assert found_in(stored)
    assert found_in(sent)
    assert "sent" in capture.output


@pytest.mark.parametrize(
    "leak",
    [
        *("kanari first name", f"+{NUMBERS[0]}123", f"{NUMBERS[0]}123", f"token {TOKEN}"),
        *(quote(f"whatsapp:+{NUMBERS[0]}123"), "KANARI@example.org", "918273.645"),
        *(json.dumps({"a": "x kanari ü"}), json.dumps(canaries.document())),
    ],
)
def test_leak_is_found(capture: Capture, leak: str) -> None:
    """A leak is found in any spelling, in the output and in any library's log."""
    print(leak)  # noqa: T201 - a leak
    assert found_in(capture.output)
    logging.getLogger("some.library").debug("sending %s", leak)
    assert found_in(capture.libraries.getvalue())


def test_leak_of_runtime_is_found(
    channel: Channel, capture: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A leak is found if the runtime logs its input."""
    log = logging.getLogger("lambda_src.core.flow")

    def leak(_: object, context: ContextObject, *__: object) -> None:
        log.info("acquiring", extra={"given": context.attributes})

    monkeypatch.setattr(LeaseManager, "acquire", leak)
    channel.deliver(body())

    assert found_in(capture.everything)


def test_templates_have_no_personal_data() -> None:
    """Snapshots of the templates, with alarms and texts, contain no canary."""
    texts = [path.read_text("utf-8") for path in SNAPSHOTS.rglob("*.json")]

    assert texts
    assert [] == [place for text in texts for place in found_in(text)]


def test_tool_shows_personal_data_only_on_request(operator: OperatorChannel) -> None:
    """Reading commands mask personal data in tables and JSON, except with --show-personal-data."""
    channel = operator.channel
    channel.openai.add_rule(channel.openai.rule(canaries.answer(), times=None))
    sent, refused = body({"conversation_data.conversation_id": CONVERSATION}), body()
    channel.deliver(sent)
    channel.twilio.fail_next(canaries.quoting(channel.twilio.rule("21211").fault))
    channel.deliver(refused)
    operator.dead_letter(sent, refused, json.dumps([QUOTE]), f"{MARK} {{")
    operator.lose_send()

    for command in READING_COMMANDS:
        for options in ((), ("--json",)):
            result = operator.run(*command.split(), *options)
            assert 0 == result.exit_code, result.output
            assert [] == found_in(result.output), command
    for command in ("conversation", "dlq"):
        assert found_in(
            operator.run(command, "show", CONVERSATION, "--show-personal-data", "--json").output
        )
