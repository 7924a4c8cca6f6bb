"""What `make local` needs while nothing happens: when it has started, and after many messages."""

import re
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from lambda_src.core import RecordKey
from local import paths
from local.aws import Aws, base_environment
from local.channel import deployed_channels
from local.contexts import EXAMPLE, example
from local.deployment import default_project
from local.emulator.feed import Feed
from local.emulator.ministack_process import IDLE_SECONDS
from local.lifecycle import GuardedProcess, wait_for
from local.up import START_SECONDS, STATE_FILE
from ops.endpoints import LocalCloudState
from tests.faults.report import OnProgress, Table

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef as Entry

CHANNEL = "whatsapp"
PROCESSED_QUEUES = (f"-{CHANNEL}-queue-dev", f"-{CHANNEL}-events-queue-dev")
BATCH_SIZE = 10
MAX_QUEUED = 300
LOAD_SECONDS = 300
"""Longest time in which the queues must become shorter."""
PAGE_RECIPIENT = "+447700900999"
PAGE_TIMEOUT_SECONDS = 60
QUIET_SECONDS = IDLE_SECONDS + 30
"""Then the functions' processes have ended."""
OBSERVED_SECONDS = 60
MAX_MEMORY_MB, MAX_PROCESSOR_PERCENT, MAX_PAGE_SECONDS = 300, 3, 1
COLUMNS = (
    *("messages before", "memory (PSS), MB", "RSS, MB", "processor, % of a core"),
    *("ops status, s", "local send, s", "page, s", "met"),
)
CAPTION = (
    f"Goals: at most {MAX_MEMORY_MB} MB and {MAX_PROCESSOR_PERCENT} % of a core, in the sum of all"
    f" processes of `make local`; a change is on an open page within {MAX_PAGE_SECONDS} s."
)
PAGE_UPDATES = 5
"""Changes whose way to an open page is measured; the slowest counts."""
PAGE_URL = re.compile(r"http://127\.0\.0\.1:\d+/\?token=\S+")


@dataclass(frozen=True)
class Idle:
    """What an idle `make local` needs.

    Attributes:
        messages: Number of messages that were sent before, each with its status callbacks.
        pss_mb: Memory of all processes; pages that several of them share count once.
        rss_mb: The same; shared pages count for each process.
        processor_percent: Processor time, in percent of a core.
        status_seconds: Duration of `ops status`.
        send_seconds: Duration of `local send`, until its message is sent.
        page_seconds: Longest time from the write of a record to an open page of the web console.
    """

    messages: int
    pss_mb: float
    rss_mb: float
    processor_percent: float
    status_seconds: float
    send_seconds: float
    page_seconds: float

    @property
    def is_met(self) -> bool:
        """Whether the goals are met."""
        return (
            self.pss_mb <= MAX_MEMORY_MB
            and self.processor_percent <= MAX_PROCESSOR_PERCENT
            and self.page_seconds <= MAX_PAGE_SECONDS
        )

    def row(self) -> tuple[str, ...]:
        """Return the row of the table."""
        return (
            f"{self.messages:,}",
            f"{self.pss_mb:.0f}",
            f"{self.rss_mb:.0f}",
            f"{self.processor_percent:.1f}",
            f"{self.status_seconds:.1f}",
            f"{self.send_seconds:.1f}",
            f"{self.page_seconds:.2f}",
            "yes" if self.is_met else "no",
        )


def measure(messages: int, on_progress: OnProgress) -> list[Idle]:
    """Measure `make local` after its start, and after a number of messages."""
    with _running() as (process, state, page):
        before = _idle(process, state, page, 0)
        _process(state, messages, on_progress)
        return [before, _idle(process, state, page, messages)]


def idle_table(measured: list[Idle]) -> Table:
    """Return the table."""
    rows = tuple(each.row() for each in measured)
    return Table("The running local cloud, idle", COLUMNS, rows, CAPTION)


@contextmanager
def _running() -> Iterator[tuple[psutil.Process, LocalCloudState, str]]:
    """Run `make local`; yield its process, its state and the address of its web console."""
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "up.log"
        up = GuardedProcess(
            [sys.executable, "-m", "local", "up"],
            env=base_environment(),
            cwd=paths.ROOT,
            log=log,
        )
        with up:
            state = wait_for(
                lambda: LocalCloudState.find(STATE_FILE) if up.running() else None, START_SECONDS
            )
            if state is None:
                raise RuntimeError(f"`make local` did not start:\n{up.last_lines()}")
            page = wait_for(lambda: PAGE_URL.search(log.read_text("utf-8")), START_SECONDS)
            if page is None:
                raise RuntimeError(f"`make local` serves no web console:\n{up.last_lines()}")
            yield psutil.Process(state.pid), state, page[0]


def _process(state: LocalCloudState, messages: int, on_progress: OnProgress) -> None:
    """Send messages, and wait until they and their callbacks are processed."""
    aws = Aws(state.endpoint, state.account, state.region)
    feed = Feed(aws, max_age_seconds=0)
    queue_url = deployed_channels(aws, default_project())[CHANNEL].resources.queue_url
    for first in range(0, messages, BATCH_SIZE):
        _wait_until_queued(feed, MAX_QUEUED)
        entries: list[Entry] = [
            {"Id": str(number), "MessageBody": _body(number)}
            for number in range(first, min(messages, first + BATCH_SIZE))
        ]
        aws.sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
        on_progress(first + len(entries), messages)
    _wait_until_queued(feed, 0)


def _body(number: int) -> str:
    recipient = f"+447700{900_000 + number % 100_000:06}"
    return example(CHANNEL, conversation_id=f"idle-{number}", recipient=recipient)


def _wait_until_queued(feed: Feed, maximum: int) -> None:
    def queued() -> int:
        queues = feed.changes().queues.items()
        return sum(number for name, number in queues if name.endswith(PROCESSED_QUEUES))

    if not wait_for(lambda: queued() <= maximum, LOAD_SECONDS):
        raise TimeoutError(f"{queued()} messages are queued still")


def _idle(process: psutil.Process, state: LocalCloudState, page: str, messages: int) -> Idle:
    time.sleep(QUIET_SECONDS)
    processes = [process, *process.children(recursive=True)]
    before, started = _cpu_seconds(processes), time.monotonic()
    time.sleep(OBSERVED_SECONDS)
    used = (_cpu_seconds(processes) - before) / (time.monotonic() - started)
    memory = [each.memory_full_info() for each in processes]
    return Idle(
        messages=messages,
        pss_mb=sum(each.pss for each in memory) / 1e6,
        rss_mb=sum(each.rss for each in memory) / 1e6,
        processor_percent=100 * used,
        status_seconds=_duration("ops", "status", "--local"),
        send_seconds=_duration("local", "send", str(EXAMPLE), "--new"),
        page_seconds=_page_seconds(state, page),
    )


def _page_seconds(state: LocalCloudState, page: str) -> float:
    """Return the longest time until a new record is on an open page of the web console."""
    aws = Aws(state.endpoint, state.account, state.region)
    channel = deployed_channels(aws, default_project())[CHANNEL]
    origin = page.partition("?")[0]
    direct = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor()
    )
    direct.open(page, timeout=PAGE_TIMEOUT_SECONDS).close()
    delays = []
    for _ in range(PAGE_UPDATES):
        key = RecordKey(PAGE_RECIPIENT, f"page-{uuid.uuid4().hex}")
        with direct.open(f"{origin}live/conversations", timeout=PAGE_TIMEOUT_SECONDS) as stream:
            stream.readline()  # the page is open
            channel.send(
                example(CHANNEL, conversation_id=key.conversation_id, recipient=key.primary_channel)
            )
            while key.conversation_id.encode() not in stream.readline():
                pass
            seen = time.time()
        created = datetime.fromisoformat(channel.record(key)["created_at"])
        delays.append(seen - created.timestamp())
    return max(delays)


def _cpu_seconds(processes: list[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes]
    return sum(each.user + each.system for each in times)


def _duration(*command: str) -> float:
    started = time.monotonic()
    subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", *command],
        cwd=paths.ROOT,
        env=base_environment(),
        check=True,
        capture_output=True,
    )
    return time.monotonic() - started
