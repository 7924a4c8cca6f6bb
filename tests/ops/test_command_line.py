"""Parts of the tool without AWS: help, console, rate limiter, message groups, local cloud."""

import io
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import rich.console
import typer
from typer.testing import CliRunner

from lambda_src.services.sqs_service import message_group
from ops import INTERRUPTED, main
from ops.command import handle_errors
from ops.console import CommandGroup, Console, Hours, NextStep
from ops.dlq.runner import Cancelled, RateLimiter
from ops.endpoints import Endpoints, LocalCloudState
from ops.errors import OperatorError
from tests.ops.tool import Tool, check_call, commands

ID = "demo-company#spring-intake#req-0001"
SID = "SM" + "0" * 32
ROWS = [
    {"conversation": ID, "sid": SID, "hours_since_send": 2.0, "reason": "asked for by phone"},
    {"conversation": ID, "sid": SID, "hours_since_send": 12.5, "reason": ""},
]


@pytest.mark.parametrize(("name", "help_text"), list(commands()))
def test_every_command_has_examples(name: str, help_text: str) -> None:
    """The help text shows how to call the command."""
    assert f"python -m ops {name}" in help_text


@pytest.mark.parametrize(
    "arguments",
    [["nothing"], ["dlq", "nothing"], ["dlq", "drop"], ["status", "--nothing"], ["send", "x.json"]],
)
def test_an_invalid_call_is_detected(arguments: list[str]) -> None:
    """The check that the runbook's calls pass through can fail."""
    with pytest.raises(Exception, match=r"nothing|Missing|No such file"):
        check_call(arguments)


def test_the_rate_is_shared_by_all_threads() -> None:
    """Turns are evenly spaced, and threads that wait for one end if the limiter is cancelled."""
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(round(seconds, 3))
        return False

    limiter = RateLimiter(5, clock=lambda: 100.0, wait=wait)
    for _ in range(4):
        limiter.acquire()
    assert [0.0, 0.2, 0.4, 0.6] == waits
    limiter = RateLimiter()
    limiter.cancel()
    with pytest.raises(Cancelled):
        limiter.acquire()


@pytest.mark.parametrize("company", ["demo-company", "A" * 128, "with blank", "ü", "x" * 200])
def test_every_tenant_has_a_message_group(company: str) -> None:
    """SQS accepts up to 128 printable characters; other ids are replaced by a digest."""
    group = message_group(company)
    assert 0 < len(group) <= 128
    assert group.isascii()
    assert " " not in group


def test_a_running_local_cloud_is_found(tmp_path: Path) -> None:
    """Its process exists and its embedded AWS accepts connections."""
    state_file = tmp_path / "running.json"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        state = {"pid": os.getpid(), "endpoint": endpoint, "account": "1" * 12, "region": "r-1"}
        state_file.write_text(json.dumps(state | {"list_lag_seconds": 120}))
        found = LocalCloudState.find(state_file)
        assert found
        endpoints = Endpoints.from_local_cloud(state_file)
    region = endpoints.session.get_config_variable("region")
    assert (endpoint, "r-1") == (endpoints.aws_url, region)
    assert 120 == endpoints.list_lag_seconds
    assert not found.is_alive()


@pytest.mark.parametrize("text", ["", "[]", '{"pid": 1}', '{"other": 1}'])
def test_a_stale_local_cloud_is_ignored(tmp_path: Path, text: str) -> None:
    """A broken state file, or one of a process that has ended, counts as none."""
    state_file = tmp_path / "running.json"
    state_file.write_text(text)
    with pytest.raises(OperatorError, match="make local"):
        Endpoints.from_local_cloud(state_file)
    state = LocalCloudState(2**22 + 1, "http://127.0.0.1:9", "1" * 12, "r-1")
    assert not state.is_alive()


def console(width: int) -> tuple[Console, io.StringIO]:
    """Return a console of a width, and what it prints."""
    output = io.StringIO()
    return Console(output=rich.console.Console(file=output, width=width, highlight=False)), output


def shown(width: int) -> list[str]:
    """Return the lines that `ROWS` are shown as."""
    screen, output = console(width)
    screen.rows(ROWS)
    return [line.rstrip() for line in output.getvalue().splitlines()]


@pytest.mark.parametrize("width", [80, 95, 100, 120, 200])
def test_ids_are_not_broken(width: int) -> None:
    """Wherever one of them fits, each is shown in one piece within the width."""
    lines = shown(width)
    assert [2, 2] == ["\n".join(lines).count(each) for each in (ID, SID)]
    assert max(map(len, lines)) <= width


def test_rows_are_a_table_or_blocks() -> None:
    """A table wraps only prose and headings; a narrow terminal gets a line for each field."""
    assert f"  {ID}  {SID}    2.0  asked" in "\n".join(shown(100))
    assert 3 == len(shown(200))  # one heading, one line for each row
    lines = shown(70)
    assert f"  conversation        {ID}" == lines[0]
    assert "  hours since send    2.0" == lines[2]
    assert [""] == [line for line in lines if not line]


def test_steps_are_not_wrapped() -> None:
    """A command has a line of its own, which can be copied from a narrow terminal."""
    screen, output = console(40)
    screen.steps([NextStep("it was sent", f"unknown resolve '{ID}' --sent {SID}")])
    assert f"  → it was sent\n    unknown resolve '{ID}' --sent {SID}\n" in output.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (90, "90 s"),
        (119.6, "2 min"),
        (900, "15 min"),
        (7200, "2 h"),
        (172800, "2 days"),
    ],
)
def test_durations_have_a_fitting_unit(seconds: float, text: str) -> None:
    """On screens; a program gets hours with one decimal."""
    screen, output = console(80)
    screen.rows([{"age_hours": Hours.of(seconds), "hours_since_send": None}])
    assert ["age", text] == [line.strip() for line in output.getvalue().splitlines()]
    assert str(round(seconds / 3600, 1)) == json.dumps(Hours.of(seconds))


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("utf-8", "✓ • é 漢"), ("cp1252", "+ • é ?"), ("latin-1", "+ * é ?"), ("ascii", "+ * ? ?")],
)
def test_no_command_fails_because_of_a_character(encoding: str, shown: str) -> None:
    """Characters that the output cannot encode are replaced; JSON contains all of them."""
    program = typer.Typer(cls=CommandGroup)

    @program.command("show")
    def _show(*, as_json: bool = False) -> None:
        screen = Console(as_json=as_json)
        screen.say("✓ • é 漢")
        screen.result({"names": ["é 漢"]})

    @program.command("other", help="✓")
    def _other() -> None: ...

    runner = CliRunner(charset=encoding)
    assert f"  {shown}\n" == runner.invoke(program, ["show"], catch_exceptions=False).stdout
    document = runner.invoke(program, ["show", "--as-json"], catch_exceptions=False).stdout
    assert {"names": ["é 漢"]} == json.loads(document)
    assert 0 == runner.invoke(program, ["--help"]).exit_code


def test_a_command_continues_without_a_reader() -> None:
    """What it changes does not depend on who reads its output, as in `dlq redrive | head`."""
    script = """
import sys
from ops.console import CommandGroup, Console, Hours, NextStep
screen = Console()
for number in range(3):
    screen.say(str(number))
Console(as_json=True).result("done")
sys.exit(7)
"""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, check=False, stdout=writer)  # noqa: S603 - our own code
    os.close(writer)
    assert 7 == ended.returncode


def test_ctrl_c_during_the_start_has_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is being imported."""

    class Interrupted:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "ops.cli":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "ops.cli")
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        main()
    expected = (INTERRUPTED, "interrupted: nothing was changed\n")
    assert expected == (ended.value.code, capsys.readouterr().err)


def test_an_answer_in_another_encoding_is_not_quoted() -> None:
    """A prompt that cannot decode what is typed ends the command without a change."""
    program = typer.Typer(cls=CommandGroup)

    @program.command("ask")
    def _ask() -> None:
        with handle_errors(Console()):
            typer.prompt("number")

    program.command("other")(_ask)
    ended = CliRunner(charset="ascii").invoke(program, ["ask"], input="René\n".encode("latin-1"))
    assert 1 == ended.exit_code
    assert "expected an answer in the terminal's encoding" in ended.output
    assert "Ren" not in ended.output


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_CLOUDFORMATION"])
def test_an_endpoint_without_a_scheme_is_reported(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one message with the value and the variable."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv(name, "localhost:4566")
    refusal = Tool().refused("status")
    assert "Invalid endpoint: localhost:4566: AWS_ENDPOINT_URL" in refusal


def test_values_are_readable() -> None:
    """Lists are comma-separated, empty values a dash, booleans words."""
    screen, output = console(80)
    screen.fields({"records": ["one", "two"], "threads": (), "complete": True})
    lines = [line.strip() for line in output.getvalue().splitlines()]
    assert ["records     one, two", "threads     –", "complete    yes"] == lines
