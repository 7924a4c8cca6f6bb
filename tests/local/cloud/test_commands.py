"""The operator's commands on the local cloud: what only deployed functions and a terminal show."""

import io
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pexpect
import pytest

from lambda_src.core.contract import Status
from lambda_src.core.models import RecordKey
from local import paths
from local.aws import DUMMY_SECRET
from local.cloud import LocalCloud
from local.emulator.queue_metrics import queued_messages
from local.fakes import Fault, Match
from local.lifecycle import wait_for
from local.vendors import FakeVendors
from ops import INTERRUPTED, endpoints, queues
from ops.console import RESUMABLE, UNCHANGED
from ops.queues import QueueScanner
from tests.local.cloud.messages import (
    TIMEOUT_SECONDS,
    context,
    conversation,
    each_channel,
    several_waits,
)
from tests.ops.tool import Tool
from tests.support.channel import PREFIXES

pytestmark = several_waits
REDRIVEN = [f"+44770090080{number}" for number in range(6)]
FOLLOWED = "+447700900810"
PROGRAM = "from ops import queues; queues.POLL_SECONDS = 0; import ops.__main__"
"""`python -m ops` without long polls: one process of the local cloud holds the whole queue."""


@pytest.fixture(scope="module")
def environment(cloud: LocalCloud, fakes: FakeVendors) -> dict[str, str]:
    """Return the variables that connect commands to the local cloud."""
    return {**cloud.aws.command_environment(), **fakes.function_environment()}


@pytest.fixture
def tool(cloud: LocalCloud, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Tool:
    """Return the tool in this process, connected to the local cloud."""
    for name in environment.keys() - {"PATH", "HOME"}:
        monkeypatch.setenv(name, environment[name])
    access_key, region = f"local-cloud-{cloud.aws.account}", cloud.aws.region
    session = boto3.Session(access_key, DUMMY_SECRET, None, region)
    monkeypatch.setattr(queues, "POLL_SECONDS", 0)  # one process holds the whole queue
    monkeypatch.setattr(endpoints, "new_session", lambda: session._session)
    return Tool()


@each_channel
def test_the_status_of_a_channel_is_shown(cloud: LocalCloud, tool: Tool, channel: str) -> None:
    """It has the mapping, all alarms and the age of the oldest message; a watch repeats it."""

    def status() -> Any:
        found = tool.succeed("status", "--channel", channel)
        return found if found["oldest_seconds"] is not None else None

    found = wait_for(status, TIMEOUT_SECONDS) or {}
    pages = cloud.aws.cloudwatch.get_paginator("describe_alarms").paginate()
    names = [alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"]]
    assert "Enabled" == found["mapping"]
    assert {name for name in names if name.lower().startswith(f"{channel}processor")} == {
        alarm["name"] for alarm in found["alarms"]
    }
    result = tool.run("watch", "--channel", channel, "--times", "2", "--every", "0.2", "--json")
    assert (0, 2) == (result.exit_code, result.stdout.count('"dead_letters"'))


class Terminal:
    """A running command at a terminal."""

    def __init__(self, spawned: "pexpect.spawn[str]") -> None:
        self._spawned = spawned
        self._spawned.logfile_read = self._output = io.StringIO()

    def answer(self, prompt: str, text: str = "") -> None:
        """Wait until a text is shown, and then type an answer if there is one."""
        self._spawned.expect(re.escape(prompt).replace(r"\ ", r"\s+"))
        if text:
            self._spawned.sendline(text)

    def ctrl_c(self) -> str:
        """Press Ctrl-C and wait for the end; return what was shown, in one line and uncoloured."""
        self._spawned.sendintr()
        if self._spawned.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=30):
            # Python misses an interrupt between showing a prompt and reading the answer.
            self._spawned.sendintr()
            self._spawned.expect(pexpect.EOF)
        self._spawned.close()
        shown = " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._output.getvalue()).split())
        assert INTERRUPTED == self._spawned.exitstatus, shown
        return shown


@pytest.fixture
def terminal(environment: dict[str, str]) -> Callable[..., Any]:
    """Return what runs a command at a terminal; it ends with its `with` block at the latest."""

    @contextmanager
    def run(*arguments: str) -> Iterator[Terminal]:
        spawned: pexpect.spawn[str] = pexpect.spawn(
            sys.executable,
            ["-c", PROGRAM, *arguments],
            timeout=TIMEOUT_SECONDS,
            cwd=str(paths.ROOT),
            env={**environment, "TERM": "xterm"},
            encoding="utf-8",
            dimensions=(40, 100),
            preexec_fn=_heed_ctrl_c,
        )
        try:
            yield Terminal(spawned)
        finally:
            spawned.close(force=True)

    return run


def _heed_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _await_sent(cloud: LocalCloud, fakes: FakeVendors, *numbers: str) -> None:
    """Wait until each message is recorded as sent, once."""

    def are_sent() -> bool:
        keys = [RecordKey(number, conversation(number)) for number in numbers]
        records = [cloud.channel.record(key) for key in keys]
        return all(Status.SENT == record.get("conversation_status") for record in records)

    assert wait_for(are_sent, TIMEOUT_SECONDS)
    url = cloud.resources.queue_url
    assert wait_for(lambda: not _ours(cloud, url, *numbers), TIMEOUT_SECONDS)
    assert [1] * len(numbers) == [len(fakes.twilio.inbox(number)) for number in numbers]


def _ours(cloud: LocalCloud, url: str, *numbers: str) -> list[str]:
    """Return the bodies of these recipients' messages on a queue, visible or in flight."""
    bodies = {context("whatsapp", number) for number in numbers}
    return [each.body for each in queued_messages(cloud.aws, url) if each.body in bodies]


def test_a_redrive_is_interrupted_and_continues(
    cloud: LocalCloud, fakes: FakeVendors, tool: Tool, terminal: Callable[..., Any]
) -> None:
    """Of six messages some are redriven; the rest stays, and follows with the next run."""
    url = cloud.resources.dead_letter_queue_url
    for number in REDRIVEN:
        cloud.aws.sqs.send_message(QueueUrl=url, MessageBody=context("whatsapp", number))
    chosen = [option for n in REDRIVEN for option in ("--conversation", conversation(n))]
    with terminal("dlq", "redrive", *chosen, "--rate", "1") as redrive:
        redrive.answer("Continue with 6 messages?")
        redrive.answer("[y/N]:", "y")
        assert wait_for(lambda: len(_ours(cloud, url, *REDRIVEN)) < 6, TIMEOUT_SECONDS)
        shown = redrive.ctrl_c()
    assert "done messages decision" in shown
    assert shown.endswith(f"interrupted: {RESUMABLE}")
    left = len(_ours(cloud, url, *REDRIVEN))
    assert 0 < left < 6
    assert 0 == QueueScanner(cloud.aws.sqs, url).in_flight()

    assert left == tool.succeed("dlq", "redrive", *chosen, "--yes")["acted"]
    _await_sent(cloud, fakes, *REDRIVEN)


def test_ctrl_c_at_a_prompt_is_an_interruption(
    fakes: FakeVendors, terminal: Callable[..., Any]
) -> None:
    """It is not an answer, and nothing was changed."""
    with terminal("secrets", "set", f"{PREFIXES[1]}typed") as prompt:
        prompt.answer("twilio_account_sid:", fakes.credentials.twilio_account_sid)
        prompt.answer("twilio_api_key_sid")
        assert prompt.ctrl_c().endswith(f"interrupted: {UNCHANGED}")


def test_queued_message_is_sent_in_spite_of_ctrl_c(
    cloud: LocalCloud, fakes: FakeVendors, tmp_path: Path, terminal: Callable[..., Any]
) -> None:
    """The terminal says how to see its progress."""
    fakes.openai.fail_next(Fault.slow(4), match=Match(contains=conversation(FOLLOWED)))
    file = tmp_path / "context.json"
    file.write_text(context("whatsapp", FOLLOWED))
    with terminal("send", str(file), "--yes", "--follow") as send:
        send.answer("on the queue: message")
        assert f"conversation show '{conversation(FOLLOWED)}'" in send.ctrl_c()
    _await_sent(cloud, fakes, FOLLOWED)
