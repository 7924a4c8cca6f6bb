"""Messages through the local cloud, in growing numbers: queue, mapping, function and table."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local.contexts import example
from local.vendors import StandIns
from local.world import World
from tests.faults.report.table import Table
from tests.faults.report.terminal import OnProgress
from tests.faults.soak.workers import Workers

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef as Entry

LARGEST_BATCH = 10
AT_ONCE = 1_000
"""Messages on their way together. The embedded queue goes through all that it holds at each call,
and the function's neighbours keep every request: a long run would come to measure those."""
LOOK_SECONDS = 0.1
PATIENCE_SECONDS = 120
"""Without a message sent meanwhile, after which the run is given up."""
COLUMNS = ("messages", "seconds", "ms a message", "processor ms a message", "memory, MB")


@dataclass(frozen=True)
class Crowd:
    """What so many messages took.

    Attributes:
        messages: How many were sent.
        seconds: From the first on the queue until the last on a phone.
        cpu_seconds: Of the function's processes.
        memory_mb: The largest of the function's processes, afterwards.
    """

    messages: int
    seconds: float
    cpu_seconds: float
    memory_mb: float

    def row(self) -> tuple[str, ...]:
        """The row of the table."""
        each, cpu = self.seconds * 1000 / self.messages, self.cpu_seconds * 1000 / self.messages
        return (
            f"{self.messages:,}",
            f"{self.seconds:.1f}",
            f"{each:.0f}",
            f"{cpu:.1f}",
            f"{self.memory_mb:.0f}",
        )


def measure(messages: int, tell: OnProgress) -> Table:
    """Send 1, 10, 100 … messages, up to so many."""
    vendors = StandIns()
    with (
        tempfile.TemporaryDirectory() as scratch,
        World(vendors, workdir=Path(scratch)) as world,
    ):
        road = _Road(world, vendors, tell)
        road.pass_through(LARGEST_BATCH)  # starts the function's processes
        crowds = [road.pass_through(size) for size in crowd_sizes(messages)]
    return Table("Through the local cloud", COLUMNS, tuple(crowd.row() for crowd in crowds))


def crowd_sizes(messages: int) -> Iterator[int]:
    """How large the crowds are, up to so many messages."""
    size = 1
    while size <= messages:
        yield size
        size *= 10


def rounds(size: int) -> Iterator[tuple[int, int]]:
    """First and last (excluded) of the messages that are on their way together."""
    for start in range(0, size, AT_ONCE):
        yield start, min(size, start + AT_ONCE)


class _Road:
    def __init__(self, world: World, vendors: StandIns, tell: OnProgress) -> None:
        self._world = world
        self._vendors = vendors
        self._tell = tell
        self._workers = Workers(world.ministack.pid, port=0)
        self._sent = 0

    def pass_through(self, size: int) -> Crowd:
        """Let so many messages go their whole way."""
        cpu, started = self._cpu_seconds(), time.perf_counter()
        for start, end in rounds(size):
            self._send_and_await(start, end, size)
        seconds = time.perf_counter() - started
        memory = max(p.memory_info().rss for p in self._workers.living()) / 1_000_000
        return Crowd(size, seconds, self._cpu_seconds() - cpu, memory)

    def _send_and_await(self, start: int, end: int, size: int) -> None:
        self._forget()
        for first in range(start, end, LARGEST_BATCH):
            self._send(min(LARGEST_BATCH, end - first))
        self._await_phones(start, end, size)

    def _forget(self) -> None:
        self._vendors.twilio.reset()
        self._vendors.openai.reset()
        self._world.gateway.forget()

    def _send(self, number: int) -> None:
        entries: list[Entry] = []
        for _ in range(number):
            self._sent += 1
            body = example(
                "whatsapp",
                conversation_id=f"bench-{self._sent}",
                recipient=f"+447700900{self._sent % 1000:03}",
            )
            entries.append({"Id": str(self._sent), "MessageBody": body})
        queue_url = self._world.resources.queue_url
        self._world.aws.sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)

    def _await_phones(self, start: int, end: int, size: int) -> None:
        there, since = start, time.monotonic()
        while there < end:
            time.sleep(LOOK_SECONDS)
            now = start + len(self._vendors.twilio.requests)
            since = time.monotonic() if now > there else since
            there = now
            self._tell(there, size)
            if time.monotonic() - since > PATIENCE_SECONDS:
                raise TimeoutError(f"{there} of {size} messages arrived, and no other since")

    def _cpu_seconds(self) -> float:
        spent = (process.cpu_times() for process in self._workers.living())
        return sum(times.user + times.system for times in spent)
