"""The commands without a local cloud: wrong input, other running clouds, output."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from typer.testing import CliRunner

from local import cli
from local.aws import Aws
from local.contexts import EXAMPLE
from local.demo.run import report
from local.demo.scenarios import Checks, writes_message_sid
from local.emulator.alerts import Alert
from local.emulator.ministack import HOST, free_port, map_connection_errors
from local.errors import LocalCloudError
from local.screen import Screen
from local.send import send
from local.up import EventMonitor, state_file
from local.vendors import REQUIRED, FakeVendors
from ops.endpoints import LocalCloudState
from tests.local.recorded_screen import RecordedScreen

if TYPE_CHECKING:
    from local.cloud import LocalCloud

ENDPOINT = "http://127.0.0.1:1"
ACCOUNT = "0" * 12
LONG = "word " * 60 + "end"


def _run(*arguments: str) -> Any:
    return CliRunner().invoke(cli.app, arguments, env=dict.fromkeys(REQUIRED, ""))


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Return a function that lets a local cloud with this inbox be found."""

    def run(inbox: str | None) -> None:
        state = LocalCloudState(1, ENDPOINT, ACCOUNT, "us-east-1", inbox)
        monkeypatch.setattr(LocalCloudState, "find", lambda _: state)

    return run


@pytest.mark.parametrize(
    ("arguments", "text"),
    [(["send"], "name a context object"), (["send", "nowhere.json"], "cannot read")],
)
def test_wrong_arguments_are_one_message(arguments: list[str], text: str) -> None:
    """A missing or wrong path is exit code 1 and one message, not a traceback."""
    result = _run(*arguments)
    assert 1 == result.exit_code
    assert text in result.stderr
    assert "" == result.stdout
    assert "Traceback" not in result.output


@pytest.mark.parametrize(("command", "exit_code"), [("demo", 130), ("up", 0), ("send", 130)])
def test_an_interrupted_command_has_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, command: str, exit_code: int
) -> None:
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
    running: Callable[[str | None], None],
    screen: RecordedScreen,
    inbox: str | None,
    environment: dict[str, str],
    used: str,
) -> None:
    """A context object is not sent to other vendors than those that the environment selects."""
    running(inbox)
    with pytest.raises(LocalCloudError, match=used) as raised:
        send(EXAMPLE, screen, environment)
    assert "made-up" not in str(raised.value)


def test_up_does_not_run_twice(running: Callable[[str | None], None]) -> None:
    """A second `up` is an error that names the running process."""
    running(ENDPOINT)
    result = _run("up")
    assert 1 == result.exit_code
    assert "a local cloud is running already, in process 1" in result.output


def test_a_running_local_cloud_writes_its_state(tmp_path: Path) -> None:
    """The state file has what other commands need, as long as the local cloud is running."""

    @dataclass
    class Cloud:
        aws: Aws
        vendors: FakeVendors

    path = tmp_path / "state" / "running.json"
    with FakeVendors() as vendors:
        cloud = Cloud(Aws(ENDPOINT, ACCOUNT, "us-east-1"), vendors)
        with state_file(cast("LocalCloud", cloud), path):
            state = LocalCloudState(**json.loads(path.read_text("utf-8")))
        urls, origin = vendors.function_environment(), vendors.twilio.origin
    expected = LocalCloudState(os.getpid(), ENDPOINT, ACCOUNT, "us-east-1", origin, urls)
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


def test_each_account_has_its_own_key() -> None:
    """The CDK's command line, which caches the account of a key, distinguishes two accounts."""
    accounts = (ACCOUNT, "111122223333")
    first, second = (Aws(ENDPOINT, each, "eu-west-1").command_environment() for each in accounts)
    assert first["AWS_ACCESS_KEY_ID"] != second["AWS_ACCESS_KEY_ID"]


def test_the_users_aws_configuration_is_not_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Clients can be created in spite of a missing profile and a broken configuration."""
    broken = tmp_path / "config"
    broken.write_text("[no end")
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.setenv(name, "nonexistent")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(broken))
    client = Aws(ENDPOINT, ACCOUNT, "eu-west-1").sqs
    assert (ENDPOINT, "eu-west-1") == (client.meta.endpoint_url, client.meta.region_name)


def test_sentences_are_not_wrapped_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    """A long sentence and a long error are one line each; the error goes to standard error."""
    screen = Screen()
    screen.say(LONG)
    screen.error(LONG)
    assert (f"  {LONG}\n", f"{LONG}\n") == capsys.readouterr()


def test_alarms_are_shown_once(screen: RecordedScreen) -> None:
    """An alarm and its end are each shown once; its initial state OK is not shown."""

    @dataclass
    class Alerts:
        received: list[Alert] = field(default_factory=list)

        def all_alerts(self) -> list[Alert]:
            return list(self.received)

    @dataclass
    class Cloud:
        alerts: Alerts

    alerts = Alerts()
    monitor = EventMonitor(cast("LocalCloud", Cloud(alerts)), screen)
    for state in ("OK", "ALARM", "OK"):
        subject = f'{state}: "dead-letters"'
        alerts.received.append(Alert(subject, "dead-letters", "Look there.", state, "why", "a/b"))
        monitor.show_alerts()
        monitor.show_alerts()

    shown = [line.strip() for line in screen.text().splitlines() if line.strip()]
    assert ['ALARM    ALARM: "dead-letters": Look there.', 'OK       OK: "dead-letters"'] == shown


def test_the_demo_succeeds_if_all_claims_hold(screen: RecordedScreen) -> None:
    """If every claim holds, the exit code is 0."""
    checks = Checks(screen)
    checks.check("water is wet", lambda: True)
    assert 0 == report(screen, checks)
    assert "✓ water is wet" in screen.text()


NOTHING: Any = None
NO_MESSAGES: list[str] = []
NO_RECORD: dict[str, str] = {}


@pytest.mark.parametrize(
    "condition",
    [
        lambda: False,
        lambda: NO_MESSAGES,
        lambda: NO_MESSAGES[0],
        lambda: NO_RECORD["message_sid"],
        lambda: NOTHING.sid,
        lambda: NOTHING["sid"],
    ],
)
def test_the_demo_names_a_wrong_claim(
    screen: RecordedScreen, condition: Callable[[], object]
) -> None:
    """A claim that is false, or about a missing value, is named and the exit code is 1."""
    checks = Checks(screen)
    checks.check("water is wet", lambda: True)
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
