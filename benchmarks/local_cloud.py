"""Growing numbers of messages through the local cloud: queue, mapping, function and table."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from local.cloud import LocalCloud
from local.contexts import example
from local.fakes import Fault, Rule
from local.vendors import FakeVendors
from tests.faults.report import OnProgress, Table
from tests.faults.soak.faults import FunctionProcesses

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef as Entry

BATCH_SIZE = 10
WARM_UP_MESSAGES = 100
"""Enough for batches at the same time, so that all of the function's environments start."""
MAX_CONCURRENT = 1_000
"""Messages in the queue together. The embedded queue scans all its messages at each call, and the
fake vendors store every request: with more, these would dominate the measurement."""
NO_CALLBACKS = Rule(Fault.callback_lost(), times=None)
"""The functions for callbacks would share the cores with the processor."""
POLL_SECONDS = 0.1
TIMEOUT_SECONDS = 120
"""Longest time without a sent message."""
COLUMNS = ("messages", "seconds", "ms per message", "processor ms per message", "memory, MB")


@dataclass(frozen=True)
class Run:
    """Measurement of a number of messages.

    Attributes:
        messages: Number of messages.
        seconds: From the first message on the queue until the last one is sent.
        cpu_seconds: Processor time of the function's processes.
        memory_mb: Memory of the largest of these processes, afterwards.
    """

    messages: int
    seconds: float
    cpu_seconds: float
    memory_mb: float

    def row(self) -> tuple[str, ...]:
        """Return the row of the table."""
        return (
            f"{self.messages:,}",
            f"{self.seconds:.1f}",
            f"{self.seconds * 1000 / self.messages:.0f}",
            f"{self.cpu_seconds * 1000 / self.messages:.1f}",
            f"{self.memory_mb:.0f}",
        )


def measure(messages: int, on_progress: OnProgress) -> Table:
    """Measure 1, 10, 100 … messages, up to a number."""
    vendors = FakeVendors()
    with (
        tempfile.TemporaryDirectory() as scratch,
        LocalCloud(vendors, workdir=Path(scratch)) as cloud,
    ):
        load = _Load(cloud, vendors, on_progress)
        load.process(WARM_UP_MESSAGES)
        runs = [load.process(size) for size in run_sizes(messages)]
    return Table("Through the local cloud", COLUMNS, tuple(run.row() for run in runs))


def run_sizes(messages: int) -> Iterator[int]:
    """Yield the powers of ten up to a number of messages."""
    size = 1
    while size <= messages:
        yield size
        size *= 10


def parts(size: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of the messages that are in the queue together."""
    for start in range(0, size, MAX_CONCURRENT):
        yield start, min(size, start + MAX_CONCURRENT)


class _Load:
    def __init__(self, cloud: LocalCloud, vendors: FakeVendors, on_progress: OnProgress) -> None:
        self._cloud = cloud
        self._vendors = vendors
        self._on_progress = on_progress
        self._processes = FunctionProcesses(cloud.ministack.pid, port=0)
        (self._aws,) = psutil.Process(cloud.ministack.pid).children()
        self._enqueued = 0

    def process(self, size: int) -> Run:
        """Enqueue messages and wait until all of them are sent."""
        cpu, started = self._cpu_seconds(), time.perf_counter()
        for start, end in parts(size):
            self._vendors.twilio.reset()
            self._vendors.twilio.add_rule(NO_CALLBACKS)
            self._vendors.openai.reset()
            self._cloud.dynamodb_proxy.clear_history()
            for first in range(start, end, BATCH_SIZE):
                self._enqueue(min(BATCH_SIZE, end - first))
            self._wait(start, end, size)
        seconds = time.perf_counter() - started
        memory = max(p.memory_info().rss for p in self._processes.living()) / 1_000_000
        return Run(size, seconds, self._cpu_seconds() - cpu, memory)

    def _enqueue(self, number: int) -> None:
        entries: list[Entry] = []
        for _ in range(number):
            self._enqueued += 1
            body = example(
                "whatsapp",
                conversation_id=f"bench-{self._enqueued}",
                recipient=f"+447700900{self._enqueued % 1000:03}",
            )
            entries.append({"Id": str(self._enqueued), "MessageBody": body})
        queue_url = self._cloud.resources.queue_url
        self._cloud.aws.sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)

    def _wait(self, start: int, end: int, size: int) -> None:
        sent, since = start, time.monotonic()
        while sent < end:
            time.sleep(POLL_SECONDS)
            now = start + len(self._vendors.twilio.requests)
            since = time.monotonic() if now > sent else since
            sent = now
            self._on_progress(sent, size)
            if time.monotonic() - since > TIMEOUT_SECONDS:
                raise TimeoutError(f"{sent} of {size} messages were sent within the time")

    def _cpu_seconds(self) -> float:
        """Return the processor time of the function's processes, ended ones included."""
        times = [process.cpu_times() for process in self._processes.living()]
        ended = self._aws.cpu_times()
        living = sum(each.user + each.system for each in times)
        return living + ended.children_user + ended.children_system
