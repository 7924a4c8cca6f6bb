"""The commands without a local cloud: wrong input, context objects, vendors, output."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from lambda_src.core.models import RecordKey
from lambda_src.utils.assistant_definitions import AssistantFiles
from local import cli, paths
from local.aws import Aws
from local.channel import record_key
from local.contexts import EXAMPLE, company_id, example, read_context
from local.demo.run import report
from local.demo.scenarios import Checks, writes_message_sid
from local.emulator.alerts import Alert
from local.emulator.function_logs import LogLine
from local.emulator.ministack import HOST, free_port, map_connection_errors
from local.errors import LocalCloudError
from local.fakes import InboxMessage
from local.screen import Screen
from local.send import send
from local.up import EventMonitor, state_file
from local.vendors import (
    REQUIRED,
    Credentials,
    FakeVendors,
    RealVendors,
    select_vendors,
    template_text,
)
from ops.endpoints import LocalCloudState
from tests.local.recorded_screen import RecordedScreen

ENDPOINT = "http://127.0.0.1:1"
ACCOUNT = "0" * 12
LONG = "word " * 60 + "end"
ALL = dict.fromkeys(("OPENAI_API_KEY", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"), "made-up")


def _run(*arguments: str) -> Any:
    return CliRunner().invoke(cli.app, arguments, env=dict.fromkeys(REQUIRED, ""))


def _run_cloud(monkeypatch: pytest.MonkeyPatch, inbox: str | None) -> None:
    """Let commands find a running local cloud with this inbox."""
    inboxes = [inbox] if inbox else []
    state = LocalCloudState(1, ENDPOINT, ACCOUNT, "us-east-1", inboxes, inbox is None)
    monkeypatch.setattr(LocalCloudState, "find", lambda _: state)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["send"], "name a context object"),
        (["send", "nowhere.json"], "cannot read"),
        (["up"], "a local cloud is running already, in process 1"),
        (["lookups"], "the embedded AWS no longer responds"),
    ],
)
def test_invalid_calls(monkeypatch: pytest.MonkeyPatch, arguments: list[str], text: str) -> None:
    """A missing or wrong path, and a second `up`, are exit code 1 and one message."""
    _run_cloud(monkeypatch, ENDPOINT)
    result = _run(*arguments)
    assert 1 == result.exit_code
    assert text in result.stderr
    assert "" == result.stdout
    assert "Traceback" not in result.output


@pytest.mark.parametrize(("command", "exit_code"), [("demo", 130), ("up", 0), ("send", 130)])
def test_interrupted_command(monkeypatch: pytest.MonkeyPatch, command: str, exit_code: int) -> None:
    """After Ctrl-C, which is the regular end of `up`, a command says that all is stopped."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for name in ("run", "keep_running", "send_context"):
        monkeypatch.setattr(cli, name, interrupt)
    result = _run(command)
    assert exit_code == result.exit_code
    assert "interrupted: everything is stopped" in result.output


@pytest.mark.parametrize(
    ("inbox", "environment", "used"),
    [
        (ENDPOINT, dict.fromkeys(REQUIRED, "made-up"), "uses the fakes"),
        (None, {}, "uses the real services"),
    ],
)
def test_send_uses_only_the_selected_vendors(
    monkeypatch: pytest.MonkeyPatch,
    screen: RecordedScreen,
    inbox: str | None,
    environment: dict[str, str],
    used: str,
) -> None:
    """A context object is not sent to other vendors than those that the environment selects."""
    _run_cloud(monkeypatch, inbox)
    with pytest.raises(LocalCloudError, match=used) as raised:
        send(EXAMPLE, screen, environment)
    assert "made-up" not in str(raised.value)


def test_a_running_local_cloud_writes_its_state(tmp_path: Path) -> None:
    """The state file has what other commands need, as long as the local cloud is running."""
    path = tmp_path / "state" / "running.json"
    with FakeVendors() as vendors:
        aws = Aws(ENDPOINT, ACCOUNT, "us-east-1")
        cloud: Any = SimpleNamespace(aws=aws, vendors=vendors)
        with state_file(cloud, path):
            state = LocalCloudState(**json.loads(path.read_text("utf-8")))
        urls, origins = vendors.function_environment(), [vendors.twilio.origin, vendors.ses.origin]
    here = (os.getpid(), ENDPOINT, ACCOUNT, "us-east-1")
    expected = LocalCloudState(*here, inboxes=origins, base_urls=urls)
    assert expected == state
    assert not path.exists()


def test_unconnected_aws_is_one_error() -> None:
    """A request to an AWS that does not respond is one error with the log's name."""
    aws = Aws(f"http://{HOST}:{free_port()}", ACCOUNT, "eu-west-1")
    with (
        pytest.raises(LocalCloudError, match=r"no longer responds.*aws\.log"),
        map_connection_errors(Path("aws.log")),
    ):
        aws.sqs.list_queues()
    with pytest.raises(KeyError), map_connection_errors(Path("aws.log")):
        raise KeyError


def test_configuration_is_the_local_clouds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The user's own is not read; each account has a key, by which the CDK caches accounts."""
    broken = tmp_path / "config"
    broken.write_text("[no end")
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.setenv(name, "nonexistent")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(broken))
    aws, other = (Aws(ENDPOINT, each, "eu-west-1") for each in (ACCOUNT, "111122223333"))
    assert (ENDPOINT, "eu-west-1") == (aws.sqs.meta.endpoint_url, aws.sqs.meta.region_name)
    keys = [each.command_environment()["AWS_ACCESS_KEY_ID"] for each in (aws, other)]
    assert keys[0] != keys[1]


def test_sentences_are_not_wrapped_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    """A long sentence and a long error are one line each; the error goes to standard error."""
    screen = Screen()
    screen.say(LONG)
    screen.error(LONG)
    assert (f"  {LONG}\n", f"{LONG}\n") == capsys.readouterr()


class MonitoredCloud:
    """A local cloud as its monitor sees it, with one channel."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []
        self.delivery_lines: list[LogLine] = []
        self.messages: list[InboxMessage] = []
        self.dead: dict[str, str] = {}
        self.received: list[Alert] = []
        self.alerts = SimpleNamespace(all_alerts=self.received.copy)
        self.vendors = SimpleNamespace(inbox=SimpleNamespace(all=lambda: {"+44": self.messages}))
        channel = SimpleNamespace(
            log=self.lines.copy, delivery_log=self.delivery_lines.copy, dead_letters=self.dead.copy
        )
        self.channels = {"sms": channel}

    def send(self, number: int) -> None:
        """Let a message be sent, be received, and be reported three times."""
        ids = {"conversation_id": f"conversation {number}", "sqs_message_id": str(number)}
        self.lines.append(_log_line(event="message_sent", **ids))
        self.messages.append(InboxMessage(ids["sqs_message_id"], "+1", "A long text. " * 30, 0, ""))
        for status in ("sent", "delivered", "read"):
            report = ids | {"sqs_message_id": f"{number} {status}", "reported_status": status}
            self.delivery_lines.append(_log_line(event="delivery_recorded", **report))

    def fail(self, number: int) -> None:
        """Let a message fail twice, and become a dead-letter message."""
        ids = {"conversation_id": f"conversation {number}", "sqs_message_id": str(number)}
        code = {"failure_code": "twilio_21606", "failure_step": "send"}
        self.lines.append(_log_line(event="send_failed", level="ERROR", **ids, **code))
        self.lines.append(_log_line(event="already_ended", level="WARNING", **ids, **code))
        self.dead[str(number)] = ""


def _log_line(*, level: str = "INFO", **fields: str) -> LogLine:
    return LogLine(0, json.dumps({"level": level, **fields}), "")


def _show(monitor: EventMonitor, screen: RecordedScreen) -> list[str]:
    """Let the monitor look twice; return the lines that it has shown."""
    before = len(screen.text())
    for _ in range(2):
        monitor.show_new()
    return [line.strip() for line in screen.text()[before:].splitlines() if line.strip()]


def test_a_burst_is_one_line_for_each_message(screen: RecordedScreen) -> None:
    """One message is shown with its text and reports; 200 have a line each, and no texts."""
    cloud: Any = MonitoredCloud()
    monitor = EventMonitor(cloud, screen)
    cloud.send(0)
    single = _show(monitor, screen)
    assert any("A long text" in line for line in single)
    assert 3 == sum("reported_status=" in line for line in single)
    shown = []
    for batch in range(1, 200, 10):
        for number in range(batch, batch + 10):
            (cloud.fail if number % 10 == 0 else cloud.send)(number)
        shown += _show(monitor, screen)
    assert 200 <= len(shown) < 200 + 3 * 20 + 1
    assert "ERROR    send_failed  conversation 200  twilio_21606" in shown
    assert "INFO     delivery_recorded  9 sent, 9 delivered, 9 read" in shown
    assert not [line for line in shown if "A long text" in line]


def test_dead_letters_are_counted_once_they_have_arrived(screen: RecordedScreen) -> None:
    """Their number is shown when no more arrive, once, and again when it grows after a redrive."""
    cloud: Any = MonitoredCloud()
    monitor = EventMonitor(cloud, screen)
    shown = []
    for numbers in (range(5), range(9), range(9), range(2), range(3), range(3), range(3)):
        cloud.dead.clear()
        cloud.dead.update(dict.fromkeys(map(str, numbers), ""))
        monitor.show_new()
        shown += [line for line in screen.text().splitlines() if "DEAD" in line][len(shown) :]
    assert ["9", "3"] == [line.rpartition(" ")[2] for line in shown]


def test_alarms_are_shown_once(screen: RecordedScreen) -> None:
    """An alarm and its end are each shown once; its initial state OK is not shown."""
    cloud: Any = MonitoredCloud()
    monitor = EventMonitor(cloud, screen)
    shown = []
    for state in ("OK", "ALARM", "OK"):
        subject = f'{state}: "dead-letters"'
        cloud.received.append(Alert(subject, "dead-letters", "Look there.", state, "why", "a/b"))
        shown += _show(monitor, screen)
    assert ["ALARM    dead-letters: Look there.", "OK       dead-letters"] == shown


NOTHING: Any = None
EMPTY: Any = []


@pytest.mark.parametrize(
    "condition",
    [
        lambda: False,
        lambda: EMPTY,
        lambda: EMPTY[0],
        lambda: dict(EMPTY)["message_sid"],
        lambda: NOTHING.sid,
        lambda: NOTHING["sid"],
    ],
)
def test_demo_names_wrong_claims(screen: RecordedScreen, condition: Callable[[], object]) -> None:
    """The exit code is 1 after a claim that is false or about a missing value, which is named."""
    checks = Checks(screen)
    checks.check("water is wet", lambda: True)
    assert 0 == report(screen, checks)
    assert "✓ water is wet" in screen.text()
    checks.check("stones swim", condition)
    assert 1 == report(screen, checks)
    assert ["stones swim"] == checks.failed
    assert "✗ stones swim" in screen.text()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({":sid": {"S": "SM" + "0a" * 16}}, True),
        ({":sid": {"S": "MM" + "0a" * 16}}, True),
        ({":status": {"S": "sending"}, ":n": {"N": "1"}}, False),
        ({":text": {"S": "about SM" + "0a" * 16}}, False),
    ],
)
def test_the_final_update_is_recognized(values: dict[str, Any], expected: bool) -> None:
    """The final update is the one that writes a message's sid."""
    assert expected is writes_message_sid({"ExpressionAttributeValues": values})
    assert not writes_message_sid({})


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, r"context\.json: No such file"),
        (b'{"a" 1}', "is not JSON: .* at line 1, column 6"),
        (b"", "is not JSON: .* at line 1, column 1"),
        (b"\xff\x00", r"context\.json: expected a text in UTF-8, found another encoding \(byte 1"),
    ],
)
def test_unreadable_context_is_an_error(tmp_path: Path, content: bytes | None, error: str) -> None:
    """A file that is missing or not JSON is an error with the path and the position."""
    path = tmp_path / "context.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LocalCloudError, match=error):
        read_context(path)


def test_a_context_is_sent_unchanged_and_an_example_in_its_own_conversation() -> None:
    """A file's text is sent as it is; of an example conversation and recipient are replaced."""
    original = EXAMPLE.read_text("utf-8")
    assert original == read_context(EXAMPLE)
    varied = example("whatsapp", conversation_id="c", recipient="+447700900199")
    assert RecordKey("+447700900199", "c") == record_key(varied)
    data = "company_data_payload"
    assert json.loads(original)[data] == json.loads(varied)[data]
    assert "demo-company" == company_id(varied) == company_id(original)


@pytest.mark.parametrize(
    "body",
    [
        *("", "[]", "{}", "null", '{"frontend_payload": []}'),
        '{"conversation_data": {"conversation_id": 1}}',
        '{"frontend_payload": {"company_data": {"company_id": 7}}}',
    ],
)
def test_an_invalid_body_has_neither_key_nor_company(body: str) -> None:
    """A body without a conversation id or company id can be sent all the same."""
    assert (None, "") == (record_key(body), company_id(body))


def test_examples_contain_no_real_addresses() -> None:
    """Phone numbers are from ranges, and e-mail addresses of domains, reserved for fiction."""
    texts = [path.read_text("utf-8") for path in paths.EXAMPLE_CONTEXTS.glob("*.json")]
    numbers = {found for text in texts for found in re.findall(r'"([+0][\d ]{9,})"', text)}
    assert len(numbers) > 2
    for number in numbers:
        assert re.search("7700900|5550100", number.replace(" ", ""))
    for domain in re.findall(r"@([\w.-]+)", "".join(texts)):
        assert re.search(r"(^|\.)(example|example\.(com|org|net))$", domain)


def test_the_shipped_template_is_one_that_meta_approves() -> None:
    """No variable at an end or beside another, short ones, and mostly fixed text.

    It names the example's company, says that an AI writes, and how to opt out.
    """
    template = json.loads(paths.EXAMPLE_TEMPLATE.read_text("utf-8"))
    text = template_text()
    fixed = re.split(r"\{\{\w+\}\}", text)
    definition = AssistantFiles().find("first_contact")
    assert definition
    names = re.findall(r"\{\{(\w+)\}\}", text)
    assert names == list(definition.variables) == list(template["variables"])
    assert all(len(part.strip(" .,!:;?")) > 0 for part in fixed)
    lengths = [rule.max_length or 1024 for rule in definition.variables.values()]
    assert all(length <= 200 for length in lengths)
    assert all(
        len(template["variables"][name]) <= length
        for name, length in zip(names, lengths, strict=True)
    )
    assert len("".join(fixed)) > sum(lengths)
    example = json.loads((paths.EXAMPLE_CONTEXTS / "whatsapp.json").read_text("utf-8"))
    for phrase in (example["company_data_payload"]["company_name"], "AI assistant", "reply STOP"):
        assert phrase in text


def test_the_fakes_are_the_default() -> None:
    """Without any of the variables, or with empty ones, the fakes are used."""
    assert isinstance(select_vendors({"PATH": "/bin", "OPENAI_API_KEY": ""}), FakeVendors)


def test_complete_credentials_select_the_real_vendors() -> None:
    """With all variables the real vendors are used, without a base URL."""
    vendors = select_vendors(ALL | {"TWILIO_TEMPLATE_SID": "made-up-template"})
    assert isinstance(vendors, RealVendors)
    assert "made-up-template" == vendors.credentials.template_sid
    with vendors:
        assert not [name for name in vendors.function_environment() if name.endswith("BASE_URL")]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        *((ALL.keys() - {missing}, f"but not {missing}:") for missing in sorted(ALL)),
        ({"TWILIO_TEMPLATE_SID"}, "OPENAI_API_KEY, TWILIO_ACCOUNT_SID"),
    ],
)
def test_incomplete_credentials_are_an_error(given: set[str], error: str) -> None:
    """If only some variables are set, the error names those missing and contains no value."""
    with pytest.raises(LocalCloudError, match=error) as raised:
        select_vendors(dict.fromkeys(given, "made-up"))
    assert "made-up" not in str(raised.value)


def test_secrets_have_their_documented_form() -> None:
    """The secrets' values are the JSON objects of the documentation, and are never printed."""
    credentials = Credentials("key", "account", "token", "template")
    assert {"ai_api_key": "key"} == json.loads(credentials.openai_secret)
    twilio = {"twilio_account_sid": "account", "twilio_auth_token": "token"}
    assert twilio | {"twilio_template_sid": "template"} == json.loads(credentials.twilio_secret)
    assert twilio == json.loads(Credentials("key", "account", "token").twilio_secret)
    assert "Credentials()" == repr(credentials)
