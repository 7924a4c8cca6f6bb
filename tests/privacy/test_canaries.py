"""No canary (made-up personal data or secret) is in logs, metrics, errors or the operator CLI."""

import base64
import io
import json
import logging
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, cycle
from typing import Any
from urllib.parse import quote

import pytest

from lambda_src import index
from lambda_src.core.ai.errors import classify_status
from lambda_src.core.contract import Step
from lambda_src.core.errors import ProcessingError
from lambda_src.core.ledger import LeaseManager
from lambda_src.core.models import ContextObject
from lambda_src.core.openai_processor import OpenAIProcessor
from lambda_src.services.twilio.errors import classify
from lambda_src.services.twilio_service import TwilioSender
from lambda_src.utils.context_processor import ContextParser
from local.fakes.faults import Fault
from local.fakes.openai.errors import NAMED_FAULTS as OPENAI_ERRORS
from local.fakes.twilio.errors import NAMED_FAULTS as TWILIO_ERRORS
from tests.alarms.situations import fail_heartbeat
from tests.ops.operator_channel import OperatorChannel
from tests.support import contexts
from tests.support.channel import (
    ACCOUNT,
    API_KEY,
    OPENAI_SECRET,
    PREFIXES,
    TOKEN,
    TWILIO_SECRET,
    Channel,
    failing_operation,
)

TEST_LOGGERS = ("werkzeug", "moto", "responses", "local", "tests", "hypothesis")
"""Loggers that do not exist in Lambda."""
CONVERSATION = "conversation-kept"
READING_COMMANDS = (
    *("status", "conversation list", f"conversation show {CONVERSATION}", "dlq list"),
    *("dlq list --messages", f"dlq show {CONVERSATION}", "dlq redrive --dry-run", "unknown list"),
)

MARK = "kanari"
"""Part of every canary text."""
NUMBERS = ("447700900", "15550100")
"""Start of all phone numbers, recipients' and senders', without the plus sign."""
AMOUNT = 918_273.645
"""A number in the project's data."""
HEADER = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
SECRETS = (API_KEY, TOKEN, HEADER)
"""The API key, the token, and the HTTP header with the token."""
MESSAGE = {"1": f"{MARK} addressee", "2": f"{MARK} message: shall we call you tomorrow at noon?"}
"""The AI's answer."""
QUOTE = f"{MARK} words about +{NUMBERS[0]}000"
"""The text of errors and of wrong values."""

OPENAI_REFERENCE = "company_data_payload.ai_config.openai_config.whatsapp.api_key_reference"
TWILIO_REFERENCE = "company_data_payload.channel_config.whatsapp.whatsapp_credentials_id"

FIELDS: Mapping[str, Any] = {
    "frontend_payload.company_data.api_key": f"{MARK}-router-key",
    "frontend_payload.recipient_data.recipient_first_name": f"{MARK} first name",
    "frontend_payload.recipient_data.recipient_last_name": f"{MARK} last name",
    "frontend_payload.recipient_data.recipient_email": f"{MARK}@example.org",
    "frontend_payload.project_data": {
        f"{MARK} field": [{f"{MARK} nested field": f"{MARK} nested\nü \u202e value"}, AMOUNT],
    },
    "company_data_payload.company_name": f"{MARK} company",
    "company_data_payload.project_name": f"{MARK} project",
    "company_data_payload.company_rep": {"name": f"{MARK} representative", "of": [AMOUNT]},
    "company_data_payload.auto_queue_start": f"{MARK} start",
    "company_data_payload.auto_queue_windows": [{f"{MARK} window": AMOUNT}],
    "company_data_payload.rate_limits": {f"{MARK} limit": AMOUNT},
    "company_data_payload.ai_config.openai_config.whatsapp.assistant": {
        "model": "gpt-6-luna",
        "instructions": f"{MARK} instructions",
        "variables": {
            name: {"description": f"{MARK} variable", "max_length": 90} for name in MESSAGE
        },
        "max_output_tokens": 500,
    },
    OPENAI_REFERENCE: OPENAI_SECRET,
    TWILIO_REFERENCE: TWILIO_SECRET,
    "company_data_payload.channel_config.whatsapp.company_whatsapp_number": f"+{NUMBERS[1]}001",
}
"""Values of a context object by path; ids are not personal data and have no canaries."""
PAST: Any = {"N": "0"}
_numbers = count()


def document(changes: Mapping[str, object] | None = None, number: int = 0) -> dict[str, Any]:
    """Return a context object with every optional field, a canary in each that allows it, changes.

    `number` (0 to 999) distinguishes conversations and recipients.
    """
    values = {
        **json.loads(json.dumps(FIELDS)),
        "frontend_payload.recipient_data.recipient_tel": f"+{NUMBERS[0]}{number:03}",
        "conversation_data.conversation_id": f"conversation-{number}",
        **(changes or {}),
    }
    planted = contexts.complete()
    for path, value in values.items():
        contexts.changed(path, value, planted)
    return planted


def body(changes: Mapping[str, object] | None = None, engine: str = "responses") -> str:
    """Return such a context object of a new conversation as JSON, with changes by path."""
    path = "company_data_payload.ai_config.openai_config.whatsapp.engine"
    return json.dumps(document({path: engine, **(changes or {})}, next(_numbers) % 1000))


def quoting(fault: Fault) -> Fault:
    """Return a vendor's error with a text that quotes personal data; other faults unchanged."""
    if not fault.status or fault.kind != "error":
        return fault
    return Fault.error(fault.status, fault.code, QUOTE)


def answer(variables: Mapping[str, str] = MESSAGE) -> Fault:
    """Return a fault that makes the AI answer with these variables, whatever was requested."""
    return Fault.wrong_output(json.dumps(variables))


def found_in(text: str) -> list[str]:
    """Return the canaries in a text, with context: as they are, or encoded in any known way."""
    lowered = text.lower()
    places = sorted(lowered.find(spelling) for spelling in SPELLINGS if spelling in lowered)
    return [text[max(0, place - 20) : place + 40] for place in places]


def _spellings(canary: str) -> tuple[str, ...]:
    # In base64, a text has one of three forms, depending on its position.
    shifted = (base64.b64encode(b"-" * shift + canary.encode()) for shift in range(3))
    encoded = [each[4:-4].decode() for each in shifted if len(each) > 12]
    plain = (canary, json.dumps(canary)[1:-1], quote(canary, safe=""))
    return tuple(spelling.lower() for spelling in (*plain, *encoded))


CANARIES = (MARK, *NUMBERS, str(AMOUNT), *SECRETS)
SPELLINGS = frozenset(spelling for canary in CANARIES for spelling in _spellings(canary))

WRONG = ((QUOTE, [QUOTE]), ({QUOTE: QUOTE}, None))
"""Values that are invalid for most fields."""
IDS = frozenset({"conversation_id", "request_id"})
"""Fields that logs contain, and that have no canary."""
BROKEN = (
    *(Fault.reset(), Fault.reset(effect_applied=True), Fault.empty(), Fault.not_json()),
    *(Fault.error(status, "", QUOTE) for status in (500, 418)),
)


def deliver(channel: Channel, bodies: Sequence[str], **options: Any) -> None:
    for start in range(0, len(bodies), 10):
        channel.deliver(*bodies[start : start + 10], **options)


def send(channel: Channel) -> None:
    """Messages are sent with either AI engine."""
    deliver(channel, [body(), body(engine="assistants")])


def openai_errors(channel: Channel) -> None:
    """OpenAI responds with an error of each class, with texts that quote the message."""
    by_class = {type(classify_status(f.status, f.code)): f for f in OPENAI_ERRORS.values()}
    for engine, faults in (
        ("responses", (*by_class.values(), *BROKEN)),
        ("assistants", (OPENAI_ERRORS["invalid_value"], OPENAI_ERRORS["server_error"], *BROKEN)),
    ):
        for fault in faults:
            channel.openai.fail_next(quoting(fault))
        deliver(channel, [body(engine=engine) for _ in faults])


def invalid_answers(channel: Channel) -> None:
    """The AI refuses, stops early, or its answer is invalid."""
    for fault in (Fault.refusal(), Fault.incomplete(), Fault.failed(), answer({"9": QUOTE})):
        channel.openai.fail_next(fault)
    deliver(channel, [body() for _ in range(5)])
    for text in ("", QUOTE * 200):
        channel.openai.fail_next(answer({**MESSAGE, "2": text}))
        deliver(channel, [body()])


def twilio_errors(channel: Channel) -> None:
    """Twilio responds with an error of each class, with texts that quote the number."""
    by_class = {type(classify(f.status, int(f.code), Step.SEND)): f for f in TWILIO_ERRORS.values()}
    faults = (*by_class.values(), *BROKEN)
    for fault in faults:
        channel.twilio.fail_next(quoting(fault))
    deliver(channel, [body() for _ in faults])


def unknown_outcomes(channel: Channel) -> None:
    """Sends with unknown outcome are found, not found, fail to be looked up, and are given up."""
    for fault in (Fault.reset(effect_applied=True), Fault.reset(), Fault.empty(), Fault.reset()):
        channel.twilio.fail_next(fault)
        deliver(channel, [body()])
    again = [body() for _ in range(2)]
    channel.twilio.fail_next(Fault.reset(), times=2)
    deliver(channel, again)
    for item in channel.dynamodb.scan(TableName=channel.table)["Items"]:
        channel.dynamodb.put_item(TableName=channel.table, Item={**item, "send_deadline": PAST})
    channel.twilio.fail_next(quoting(Fault.error(400, 20404)))
    deliver(channel, again, receive_count=2)
    deliver(channel, again, receive_count=10)


def invalid_bodies(channel: Channel) -> None:
    """Every field is missing or contains an invalid canary; some bodies are not objects."""
    bodies = [f"{MARK} {{", json.dumps([MARK]), json.dumps(QUOTE), f'{{"{MARK}": 1, "{MARK}": 2}}']
    paths = list(_paths(document()))
    for path, wrong in zip((*paths, MARK), cycle(WRONG)):
        if path.rpartition(".")[2] not in IDS:
            bodies += [body({path: value}) for value in wrong]
    bodies += [json.dumps(contexts.without(path, document())) for path in paths]
    deliver(channel, bodies)


def _paths(value: object, prefix: str = "") -> Iterator[str]:
    """Yield the dotted paths of all fields."""
    if isinstance(value, dict):
        for name, part in value.items():
            if "." not in name:
                yield f"{prefix}{name}"
                yield from _paths(part, f"{prefix}{name}.")


def invalid_secrets(channel: Channel) -> None:
    """Secrets are malformed in each way, have wrong values, or are missing."""
    index.batch_handler()  # quiets the log of the libraries that the kit uses too
    forms: tuple[object, ...] = (QUOTE, [QUOTE], {MARK: QUOTE}, {"ai_api_key": QUOTE})
    forms += ({"twilio_account_sid": QUOTE, "twilio_auth_token": MARK}, {"ai_api_key": MARK})
    bodies = []
    for path, prefix in ((OPENAI_REFERENCE, OPENAI_SECRET), (TWILIO_REFERENCE, PREFIXES[1])):
        for number, form in enumerate(forms):
            name = f"{prefix.rstrip('/')}/{number}"
            channel.secretsmanager.create_secret(Name=name, SecretString=json.dumps(form))
            bodies.append(body({path: name}))
    references = (f"ai-multi-comms/dev/whatsapp-credentials/{MARK}", QUOTE, f"../{MARK}")
    deliver(channel, [*bodies, *(body({TWILIO_REFERENCE: each}) for each in references)])


def table_errors(channel: Channel) -> None:
    """The table refuses each write, with errors that quote it."""
    writes = [("UpdateItem", containing) for containing in ("send_intent_at", "message_sid", "")]
    for operation, containing in (("TransactWriteItems", ""), *writes):
        for code in ("InternalServerError", "AccessDeniedException", "ValidationException"):
            with failing_operation(channel, operation, code, containing=containing):
                deliver(channel, [body()], seconds_left=50)


def unexpected_errors(channel: Channel) -> None:
    """Components raise unexpected exceptions with personal data in their text."""

    def fail(*_: object, **__: object) -> None:
        raise ValueError(QUOTE)

    methods = {ContextParser: "__call__", OpenAIProcessor: "generate", TwilioSender: "send"}
    for component, method in methods.items():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(component, method, fail)
            deliver(channel, [body()])


def opt_out(channel: Channel) -> None:
    """A recipient opts out, and their next message is rejected."""
    channel.twilio.fail_next(quoting(TWILIO_ERRORS["21610"]))
    text = body()
    other = contexts.changed("conversation_data.conversation_id", "another", json.loads(text))
    deliver(channel, [text])
    deliver(channel, [json.dumps(other)])


SITUATIONS: tuple[Callable[[Channel], None], ...] = (
    *(send, openai_errors, invalid_answers, twilio_errors, unknown_outcomes, invalid_bodies),
    *(invalid_secrets, table_errors, fail_heartbeat, unexpected_errors, opt_out),
)


@dataclass
class Capture:
    """Standard output and error, the log of every library, and the texts of all errors."""

    capsys: pytest.CaptureFixture[str]
    libraries: io.StringIO = field(default_factory=io.StringIO)
    errors: list[str] = field(default_factory=list)
    _output: str = ""

    @property
    def output(self) -> str:
        self._output += "".join(self.capsys.readouterr())
        return self._output

    @property
    def everything(self) -> str:
        return "\n".join([self.output, self.libraries.getvalue(), *self.errors])


@pytest.fixture
def capture(
    channel: Channel, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Capture]:
    """Return a capture at level DEBUG, where libraries log most; the AI's answer is a canary."""
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    channel.openai.add_rule(channel.openai.rule(answer(), times=None))
    captured = Capture(capsys)
    initialize = ProcessingError.__init__

    def record(error: ProcessingError, *args: Any, **keywords: Any) -> None:
        initialize(error, *args, **keywords)
        text = traceback.format_exception_only(error)
        captured.errors.append(f"{text} {error!r} {error.detail} {error.fields} {error.event}")

    monkeypatch.setattr(ProcessingError, "__init__", record)
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
    assert (situation is table_errors) == ("out_of_time" in capture.output)
    assert [] == found_in(capture.everything)


def test_canaries_reach_record_and_recipient(channel: Channel, capture: Capture) -> None:
    """The canaries are processed: the record and the sent messages contain them."""
    send(channel)

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
        *(json.dumps({"a": "x kanari ü"}), json.dumps(document())),
    ],
)
def test_leak_is_found(capture: Capture, leak: str) -> None:
    """A leak is found in any spelling, in the output and in any library's log."""
    print(leak)  # noqa: T201 - a leak
    assert found_in(capture.output)
    logging.getLogger("some.library").debug("sending %s", leak)
    assert found_in(capture.libraries.getvalue())


def test_runtime_leak(channel: Channel, capture: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A leak is found if the runtime logs its input."""
    log = logging.getLogger("lambda_src.core.flow")

    def leak(_: object, context: ContextObject, *__: object) -> None:
        log.info("acquiring", extra={"given": context.attributes})

    monkeypatch.setattr(LeaseManager, "acquire", leak)
    channel.deliver(body())

    assert found_in(capture.everything)


def test_tool_shows_personal_data_only_on_request(operator: OperatorChannel) -> None:
    """Reading commands mask personal data in tables and JSON, except with --show-personal-data."""
    channel = operator.channel
    channel.openai.add_rule(channel.openai.rule(answer(), times=None))
    sent, refused = body({"conversation_data.conversation_id": CONVERSATION}), body()
    channel.deliver(sent)
    channel.twilio.fail_next(quoting(channel.twilio.rule("21211").fault))
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
