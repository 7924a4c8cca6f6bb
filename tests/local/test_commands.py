"""The commands without a local cloud: wrong input, context objects, vendors, output."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException
from typer.testing import CliRunner

from lambda_src.core import BY_PHONE
from lambda_src.utils.assistant_definitions import AssistantFiles
from local import cli, paths, up
from local.aws import Aws
from local.channel import record_key
from local.cloud import LocalCloud
from local.contexts import EXAMPLE, company_id, read_context, with_new_ids
from local.demo import run as demo
from local.demo.scenarios import Checks
from local.dynamodb_proxy import DynamoDBProxy
from local.emulator.alerts import Alert
from local.emulator.feed import Changes
from local.emulator.function_logs import LogLine
from local.errors import LocalCloudError
from local.fakes import FaultKind, InboxMessage
from local.fault_injection import FaultControl, FaultRequest, known_faults, rule, targets
from local.message_tracker import MessageState, MessageStatus, MessageTracker
from local.send import send, send_and_follow
from local.up import EventMonitor, find_running_cloud, state_file
from local.up import up as keep_running
from local.vendors import (
    REQUIRED,
    Credentials,
    FakeVendors,
    Inbox,
    RealVendors,
    assistant_definitions,
    select_vendors,
    template_text,
)
from ops.endpoints import LocalCloudState
from tests.local.fakes.clients import twilio_client
from tests.local.recorded_screen import RecordedScreen

ENDPOINT = "http://127.0.0.1:1"
ACCOUNT = "0" * 12
ALL = dict.fromkeys(("OPENAI_API_KEY", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"), "made-up")


def _run(*arguments: str) -> Any:
    return CliRunner().invoke(cli.app, arguments, env=dict.fromkeys(REQUIRED, ""))


def test_the_commands_need_no_cdk() -> None:
    """The commands do not import the CDK, which takes 350 MB and some seconds."""
    code = "import sys, local.cli; sys.exit('aws_cdk' in sys.modules)"
    command = [sys.executable, "-c", code]
    assert 0 == subprocess.run(command, cwd=paths.ROOT, check=False).returncode  # noqa: S603 - our own command


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
        (["fail", "twilo", "21606"], "no target: did you mean twilio"),
        (["fail", "twilio"], "name a fault"),
        (["fail", "twilio", "2160"], "no fault of twilio: did you mean 21660"),
        (["fail", "twilio", "21606", "5"], "takes no value, found 5"),
        (["fail", "twilio", "21606", "--for", "req-1"], "contain the recipient's phone number"),
        (["fail", "twilio", "reset", "--requests", "answers"], "no group of requests to twilio"),
        (["fail", "twilio", "callback_forged", "paper"], "needs one of signature, unsigned"),
        (["fail", "openai", "slow"], "slow needs a value: seconds"),
        (["fail", "openai", "refusal"], "openai is the real service in the running local cloud"),
        (["heal", "openai"], "no target that is a fake"),
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

    def interrupt(*_: object, **__: object) -> None:
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
        proxy = SimpleNamespace(origin="proxy")
        named = {**vendors.by_name(), "aws": proxy}
        cloud: Any = SimpleNamespace(aws=aws, vendors=vendors, fakes=named, operator_proxy=proxy)
        cloud.state = partial(LocalCloud.state, cloud)
        with state_file(cloud, path):
            state = LocalCloudState(**json.loads(path.read_text("utf-8")))
        urls, origins = vendors.function_environment(), [vendors.twilio.origin, vendors.ses.origin]
    here = (os.getpid(), ENDPOINT, ACCOUNT, "us-east-1")
    fakes = {"openai": urls["OPENAI_BASE_URL"].removesuffix("/v1"), "aws": "proxy"}
    fakes |= dict(zip(("twilio", "ses"), origins, strict=True))
    expected = LocalCloudState(
        *here,
        inboxes=origins,
        base_urls=urls,
        list_lag_seconds=120,
        fakes=fakes,
        dynamodb="proxy",
    )
    assert expected == state
    assert not path.exists()


def test_a_start_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, screen: RecordedScreen
) -> None:
    """Commands wait for the local cloud that another process starts; a second `up` is refused."""
    monkeypatch.setattr(up, "STATE_FILE", tmp_path / "running.json")
    monkeypatch.setattr(up, "LOCK_SECONDS", 0)
    assert find_running_cloud(screen) is None
    state = LocalCloudState(os.getpid(), ENDPOINT, ACCOUNT, "us-east-1")
    found = iter([None, None, state, state])
    with up.exclusive_lock():
        monkeypatch.setattr(LocalCloudState, "find", lambda _: next(found))
        assert state == find_running_cloud(screen)
        monkeypatch.setattr(LocalCloudState, "find", lambda _: None)
        with pytest.raises(LocalCloudError, match="a local cloud is being started already"):
            keep_running(screen, {})
    assert "wait for the local cloud" in screen.text()
    assert find_running_cloud(screen) is None  # the start has failed


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeVendors]:
    """Run fakes, and let commands find them as those of a running local cloud."""
    with FakeVendors() as vendors, DynamoDBProxy(ENDPOINT) as proxy:
        origins = {name: fake.origin for name, fake in {**vendors.by_name(), "aws": proxy}.items()}
        state = LocalCloudState(1, ENDPOINT, ACCOUNT, "us-east-1", fakes=origins)
        monkeypatch.setattr(LocalCloudState, "find", lambda _: state)
        yield vendors


def test_faults_are_injected_and_removed(fakes: FakeVendors) -> None:
    """A fault applies to the named requests, is shown until it is removed, and reaches no other."""
    credentials, sender = fakes.credentials, "+15550100001"
    client = twilio_client(
        fakes.twilio.base_url, credentials.twilio_account_sid, credentials.twilio_auth_token
    )
    shown = _run("fail", "twilio", "21606", "--for", "+447700900001").output
    assert "twilio fails: 21606, for +447700900001, until healed" in shown
    with pytest.raises(TwilioRestException, match="cannot send messages for this account"):
        client.messages.create(to="+447700900001", from_=sender, body="Hello")
    client.messages.create(to="+447700900002", from_=sender, body="Hello")
    client.messages.list(to="+447700900001")  # a lookup, not a send
    assert 0 == _run("fail", "aws", "throttled", "--requests", "UpdateItem").exit_code
    shown = _run("fail", "openai", "slow", "5", "--times", "2", "--share", "0.5").output
    assert "openai fails: slow, 5, for 2 requests in all, share 0.5" in shown
    assert "aws fails: ThrottlingException, until healed" in shown
    assert "1 fault removed" in _run("heal", "twilio").output
    client.messages.create(to="+447700900001", from_=sender, body="Hello")
    assert "2 faults removed" in _run("heal").output
    assert "no faults" in _run("fail").output


def test_every_fault_is_listed_and_accepted(fakes: FakeVendors) -> None:
    """The list has all faults of all targets; one of each kind can be injected as listed."""
    values = {"status": "503", "seconds": "1"}
    for name, fake in targets().items():
        listed = dict(known_faults(name))
        assert {*fake.fault_kinds, *fake.named_faults} == {each.split()[0] for each in listed}
        assert all(listed.values())
        for shown in listed:
            fault, *parameter = shown.split()
            if fault in fake.named_faults:
                continue
            value = [values[each.lower()] for each in parameter if not each.startswith("[")]
            FaultControl(LocalCloudState.find(up.STATE_FILE).fakes).add(  # type: ignore[union-attr]  # the fixture's
                name, rule(FaultRequest(target=name, fault=fault, value="".join(value)))
            )
    assert fakes.twilio.pending_faults
    page = (paths.ROOT / "docs" / "local-cloud.md").read_text("utf-8")
    assert not [kind for kind in FaultKind if f"`{kind}`" not in page]
    assert "wrong_output [TEXT]" in _run("fail", "--list", "openai").output


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


class Log:
    """A log group and its reader."""

    def __init__(self, log_group: str) -> None:
        self.log_group, self.position, self.dropped = log_group, 0, 0
        self.lines: list[LogLine] = []

    def new_lines(self) -> list[LogLine]:
        """Return the lines since the last call."""
        new, self.position = self.lines[self.position :], len(self.lines)
        return new


class MonitoredCloud:
    """A local cloud as its monitor sees it, with one channel."""

    origin = ENDPOINT

    def __init__(self) -> None:
        self.logs = Log("processor"), Log("events worker")
        self.lines, self.delivery_lines = (log.lines for log in self.logs)
        self.messages: list[InboxMessage] = []
        self.dead = 0
        self.received: list[Alert] = []
        self.alerts = SimpleNamespace(all_alerts=lambda _: self.received.copy())
        self.vendors = SimpleNamespace(inbox=Inbox(self))
        self.feed = self
        channel = SimpleNamespace(
            log_readers=lambda _: self.logs,
            resources=SimpleNamespace(dead_letter_queue_url=f"{ENDPOINT}/dead"),
        )
        self.channels = {"sms": channel}

    def changes(self) -> Changes:
        """Return what has changed."""
        ends = {log.log_group: len(log.lines) for log in self.logs}
        return Changes(ends, {"dead": self.dead}, data_points=0, alarms=0, records=0)

    def inbox_since(self, position: int) -> tuple[int, list[InboxMessage]]:
        """Return the inbox's end, and the messages after a position."""
        return len(self.messages), self.messages[position:]

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
        self.dead += 1


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
    shown: list[str] = []
    for batch in range(1, 200, 10):
        for number in range(batch, batch + 10):
            (cloud.fail if number % 10 == 0 else cloud.send)(number)
        shown += _show(monitor, screen)
    assert 200 <= len(shown) < 200 + 3 * 20 + 1
    assert "ERROR    send_failed  conversation 200  twilio_21606" in shown
    assert "INFO     delivery_recorded  9 sent, 9 delivered, 9 read" in shown
    assert not [line for line in shown if "A long text" in line]


def test_dropped_log_lines_are_mentioned(screen: RecordedScreen) -> None:
    """Log lines that were dropped before they could be shown are counted, once."""
    cloud: Any = MonitoredCloud()
    monitor = EventMonitor(cloud, screen)
    cloud.logs[0].dropped = 7
    assert ["7 older log lines were dropped"] == _show(monitor, screen)


def test_dead_letters_are_counted_once_they_have_arrived(screen: RecordedScreen) -> None:
    """Their number is shown when no more arrive, once, and again when it grows after a redrive."""
    cloud: Any = MonitoredCloud()
    monitor = EventMonitor(cloud, screen)
    shown: list[str] = []
    for numbers in (range(5), range(9), range(9), range(2), range(3), range(3), range(3)):
        cloud.dead = len(numbers)
        monitor.show_new()
        shown += [line for line in screen.text().splitlines() if "DEAD" in line][len(shown) :]
    assert ["9", "3"] == [line.rpartition(" ")[2] for line in shown]


def test_alarms_are_shown_once(screen: RecordedScreen) -> None:
    """An alarm and its end are each shown once; its initial state OK is not shown."""
    cloud: Any = MonitoredCloud()
    monitor = EventMonitor(cloud, screen)
    shown: list[str] = []
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
        lambda: NOTHING.sid,
    ],
)
def test_demo_names_wrong_claims(screen: RecordedScreen, condition: Callable[[], object]) -> None:
    """The exit code is 1 after a claim that is false or about a missing value, which is named."""
    checks = Checks(screen)
    checks.check("water is wet", lambda: True)
    assert 0 == demo.report(screen, checks)
    assert "✓ water is wet" in screen.text()
    checks.check("stones swim", condition)
    assert 1 == demo.report(screen, checks)
    assert ["stones swim"] == checks.failed
    assert "✗ stones swim" in screen.text()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, r"context\.json: No such file"),
        (b'{"a" 1}', "is not JSON: .* at line 1, column 6"),
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


@pytest.mark.parametrize("name", ["whatsapp", "whatsapp-free-text", "sms", "email"])
def test_a_preview_needs_no_cloud(name: str) -> None:
    """The fake writes the example of each channel, and no AWS is deployed."""
    result = _run("preview", f"examples/contexts/{name}.json")
    assert (0, True) == (result.exit_code, "it would be sent" in result.output), result.output


def test_new_ids() -> None:
    """A context object gets another conversation id and request id, and is otherwise unchanged."""
    original = read_context(EXAMPLE)
    first, second = (json.loads(with_new_ids(original)) for _ in range(2))
    assert first["conversation_data"] != second["conversation_data"]
    ids = first["conversation_data"].pop("conversation_id")
    assert ids == first["frontend_payload"]["request_data"].pop("request_id")
    expected = json.loads(original)
    del expected["conversation_data"]["conversation_id"]
    del expected["frontend_payload"]["request_data"]["request_id"]
    assert expected == first
    assert {"other": 1} == json.loads(with_new_ids('{"other": 1}'))


@pytest.mark.parametrize("state", [{}, {"conversation_status": "initial_message_sent"}])
def test_a_used_id_is_said(
    monkeypatch: pytest.MonkeyPatch, screen: RecordedScreen, state: dict[str, str]
) -> None:
    """A context object whose conversation has a record is sent, and new ids are offered."""
    channel: Any = SimpleNamespace(addressing=BY_PHONE, record=lambda _: state)
    status = MessageStatus(MessageState.ALREADY_SENT, None, 1)
    tracker: Any = SimpleNamespace(key=None, poll=lambda _: iter([status]))
    monkeypatch.setattr(MessageTracker, "send", lambda *_: tracker)
    assert 0 == send_and_follow(read_context(EXAMPLE), {"whatsapp": channel}, None, screen)
    assert bool(state) is ("--new" in screen.text())


@pytest.mark.parametrize(
    "body",
    [
        *("", "[]", "{}", '{"frontend_payload": []}'),
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


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, ""),
        ({"OPENAI_API_KEY": "made-up"}, "not TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN"),
        ({**ALL, "TWILIO_AUTH_TOKEN": ""}, "not TWILIO_AUTH_TOKEN: fakes write and send"),
    ],
)
def test_the_fakes_are_used_unless_all_credentials_are_set(
    screen: RecordedScreen, given: dict[str, str], text: str
) -> None:
    """Some of the variables are no reason to refuse; those missing are named, no value is."""
    assert isinstance(select_vendors({"PATH": "/bin", **given}, screen), FakeVendors)
    assert text in screen.text()
    assert "made-up" not in screen.text()


def test_complete_credentials_select_the_real_vendors(screen: RecordedScreen) -> None:
    """With all variables the real vendors are used, without a base URL, and with a warning."""
    vendors = select_vendors(ALL | {"TWILIO_TEMPLATE_SID": "made-up-template"}, screen)
    assert isinstance(vendors, RealVendors)
    assert "the phone of its recipient will ring" in screen.text()
    assert "made-up" not in screen.text()
    assert "made-up-template" == vendors.credentials.template_sid
    with vendors:
        assert not [name for name in vendors.function_environment() if name.endswith("BASE_URL")]


def test_invalid_assistants_are_one_error(tmp_path: Path) -> None:
    """The local cloud names each invalid file and field; editors' hidden files are not read."""
    valid = 'model = "m"\ninstructions = "i"\n'
    for name, text in {"a.toml": valid, "b/b.toml": f"{valid}x = 1", ".#a.toml": "="}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "b" / "gone.toml").symlink_to("nowhere")
    with pytest.raises(LocalCloudError) as raised:
        assistant_definitions(tmp_path)
    first, second = str(raised.value).splitlines()
    assert first.startswith(f"{tmp_path}/b/b.toml: x: expected only the keys ")
    assert f"{tmp_path}/b/gone.toml: expected a readable file, found one that is not: No" in second


def test_secrets_have_their_documented_form() -> None:
    """The secrets' values are the JSON objects of the documentation, and are never printed."""
    credentials = Credentials("key", "account", "token", "template")
    assert {"ai_api_key": "key"} == json.loads(credentials.openai_secret)
    twilio = {"twilio_account_sid": "account", "twilio_auth_token": "token"}
    assert twilio | {"twilio_template_sid": "template"} == json.loads(credentials.twilio_secret)
    assert twilio == json.loads(Credentials("key", "account", "token").twilio_secret)
    assert "Credentials()" == repr(credentials)
