"""The runtime's parts, put together of whatever stands behind its ports."""

from collections.abc import Mapping
from functools import cached_property
from typing import Protocol

from lambda_src.core.batch import BatchHandler
from lambda_src.core.claims import Claims
from lambda_src.core.drafting import Drafting
from lambda_src.core.final_record import FinalRecord
from lambda_src.core.flow import MessageFlow
from lambda_src.core.measuring import MeasuredSender, MeasuredWriter
from lambda_src.core.ports import (
    Assistants,
    Conversations,
    Heartbeat,
    Queue,
    Secrets,
    Sender,
    Writer,
)
from lambda_src.core.putting_down import PuttingDown
from lambda_src.core.receives import Receives
from lambda_src.core.sending import Sending
from lambda_src.core.settlement import Settlement
from lambda_src.core.tally import Tally
from lambda_src.core.timing import Timing
from tests.unit import contexts
from tests.unit.fakes.metrics import FakeMetrics

LEASE = 90.0
"""Seconds a claim lasts unrenewed."""
BACKOFF_BASE = 10.0
"""Seconds of the first backoff."""


class SleepingClock(Protocol):
    """A clock on which one can wait."""

    def __call__(self) -> float:
        """The present, in epoch seconds."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Assembly:
    """Puts the real core together, as `lambda_src.index` does; who inherits gives the ports."""

    clock: SleepingClock
    conversations: Conversations
    secrets: Secrets
    assistants: Assistants
    writer: Writer
    sender: Sender
    queue: Queue
    timing: Timing
    lease: float = LEASE

    def keeping(self, receipt_handles: Mapping[str, str]) -> Heartbeat:
        """A heartbeat for messages given as message id to receipt handle."""
        raise NotImplementedError

    @cached_property
    def metrics(self) -> FakeMetrics:
        """What is counted and measured."""
        return FakeMetrics()

    @property
    def claims(self) -> Claims:
        """The ledger's writes around a claim."""
        return Claims(self.conversations, self.clock, self.lease)

    @property
    def drafting(self) -> Drafting:
        """What lets the AI write."""
        writer = MeasuredWriter(self.writer, self.metrics, self.clock)
        return Drafting(self.secrets, self.assistants, writer, self.timing)

    @property
    def final_record(self) -> FinalRecord:
        """The final write, which waits on the clock given."""
        return FinalRecord(self.conversations, self.clock.sleep)

    @property
    def putting_down(self) -> PuttingDown:
        """What records failures."""
        return PuttingDown(self.conversations, self.clock, self.clock.sleep)

    @property
    def sending(self) -> Sending:
        """The intent, and the send that follows it."""
        sender = MeasuredSender(self.sender, self.metrics, self.clock)
        return Sending(self.claims, self.secrets, sender, self.clock, self.timing)

    @property
    def settlement(self) -> Settlement:
        """What becomes of a send whose outcome is unknown."""
        return Settlement(
            self.conversations,
            self.secrets,
            self.sender,
            self.receives,
            self.final_record,
            self.clock,
            self.timing,
        )

    @property
    def receives(self) -> Receives:
        """What knows the last delivery."""
        return Receives(self.queue)

    @property
    def flow(self) -> MessageFlow:
        """A message's way."""
        return MessageFlow(
            claims=self.claims,
            drafting=self.drafting,
            sending=self.sending,
            final_record=self.final_record,
            putting_down=self.putting_down,
            settlement=self.settlement,
            receives=self.receives,
            clock=self.clock,
            timing=self.timing,
        )

    def batch(self, max_concurrency: int = 10) -> BatchHandler:
        """The handler of whole batches."""
        return BatchHandler(
            queue=self.queue,
            heartbeat=self.keeping,
            parse=contexts.parser,
            flow=self.flow,
            tally=Tally(self.metrics, self.clock),
            max_concurrency=max_concurrency,
            backoff_base=BACKOFF_BASE,
        )
