"""The real core, built as `lambda_src.bootstrap` does, on fakes or on any other ports."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from lambda_src.core.batch import BatchHandler
from lambda_src.core.contract import CheckMode, Kind, Metric, Step
from lambda_src.core.delivery.reconciliation import Reconciler
from lambda_src.core.delivery.sending import AtMostOnceSender
from lambda_src.core.drafts.composer import MessageComposer
from lambda_src.core.flow import FailureRecorder, MessageFlow
from lambda_src.core.ledger import LeaseManager, LedgerStore
from lambda_src.core.models import (
    AssistantDefinition,
    ContextObject,
    Delivery,
    Outcome,
    RecordKey,
    TextRules,
    VariableRule,
)
from lambda_src.core.ports import (
    Assistants,
    HandOffQueue,
    Heartbeat,
    Queue,
    Secrets,
    Sender,
    TextGenerator,
)
from lambda_src.core.time_budget import TimeBudget
from lambda_src.services.secrets_manager_service import TwilioCredentials
from lambda_src.services.twilio_service import TEXT_RULES
from tests.support import contexts
from tests.support.clock import START, FakeClock
from tests.support.fake_ledger import FakeLedgerStore, Record
from tests.support.fakes import FakeAssistants, FakeSecrets, FakeSender, FakeTextGenerator

LEASE_SECONDS = 90.0
BACKOFF_BASE = 10.0
"""Seconds of the first backoff."""
FUNCTION_TIMEOUT = 300.0
"""Seconds that Lambda gives the function, from the test's beginning."""
KEY = RecordKey(contexts.RECIPIENT, contexts.CONVERSATION)
"""The key of the default context object's record."""
API_KEY = "sk-1"
TWILIO = TwilioCredentials("AC1", "token-1", "HX1")
TIMES = TimeBudget(60.0, 10.0, (15.0, 60.0, 300.0))
FIRST_CONTACT = AssistantDefinition(
    model="model-of-the-day",
    instructions="Write a greeting.",
    variables={"1": VariableRule("The first name.", 60), "2": VariableRule("The message.")},
)


class _FakeQueue:
    """Implements the port `Queue`; `delays` has seconds by receipt handle.

    It shares `journal` with the heartbeat, so that tests see the order of their calls.
    """

    def __init__(self, journal: list[str]) -> None:
        self.delays: dict[str, int] = {}
        self.max_receives = 10
        self.error: Exception | None = None
        self._journal = journal

    def change_visibility(self, seconds: Mapping[str, int]) -> None:
        self._journal.append("visibility changed")
        self.delays.update(seconds)

    def max_receive_count(self) -> int:
        if self.error:
            raise self.error
        return self.max_receives


class FakeHandOffQueue:
    """Implements the port `HandOffQueue`; `bodies` has what was put on it."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.error: Exception | None = None

    def put(self, body: str) -> None:
        if self.error:
            raise self.error
        self.bodies.append(body)


class _FakeHeartbeat:
    """Implements the port `Heartbeat`; it beats when `beat` is called."""

    def __init__(self, journal: list[str]) -> None:
        self.receipt_handles: dict[str, str] = {}
        self.failed_ids: frozenset[str] = frozenset()
        self.leases: dict[str, Callable[[], None]] = {}
        self.renewal_errors: list[Exception] = []
        self._journal = journal

    def start(self) -> None:
        self._journal.append("heartbeat started")

    def stop(self) -> frozenset[str]:
        self._journal.append("heartbeat stopped")
        return self.failed_ids

    @contextmanager
    def renewing(self, message_id: str, renew: Callable[[], None]) -> Iterator[None]:
        self.leases[message_id] = renew
        try:
            yield
        finally:
            del self.leases[message_id]

    def beat(self) -> None:
        for renew in list(self.leases.values()):
            try:
                renew()
            except Exception as error:  # noqa: BLE001 - like the real heartbeat
                self.renewal_errors.append(error)


class FakeMetrics:
    """Implements the port `Metrics`: `values` was recorded, the rest published."""

    def __init__(self) -> None:
        self.values: defaultdict[Metric, list[float]] = defaultdict(list)
        self.counts: dict[Metric, int] = {}
        self.failures: dict[tuple[Step, Kind], int] = {}
        self.published = 0

    def record(self, values: Mapping[Metric, float]) -> None:
        """Keep the values."""
        for metric, value in values.items():
            self.values[metric].append(value)

    def publish(
        self, counts: Mapping[Metric, int], failures: Mapping[tuple[Step, Kind], int]
    ) -> None:
        """Keep the numbers of the last batch."""
        self.published += 1
        self.counts, self.failures = dict(counts), dict(failures)


class SleepClock(Protocol):
    """A clock on which one can wait."""

    def __call__(self) -> float:
        """Return the time in epoch seconds."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Runtime:
    """Builds the real core; a subclass provides the ports."""

    clock: SleepClock
    store: LedgerStore
    secrets: Secrets
    assistants: Assistants
    generator: TextGenerator
    sender: Sender
    queue: Queue
    times: TimeBudget
    lease_seconds: float = LEASE_SECONDS
    callback_base_url: str = ""
    has_message_list: bool = True
    text_rules: TextRules = TEXT_RULES
    check_mode: CheckMode = CheckMode.ENFORCE
    hand_off_queue: HandOffQueue | None = None

    def heartbeat_for(self, receipt_handles: Mapping[str, str]) -> Heartbeat:
        """Return a heartbeat for messages given as message id → receipt handle."""
        raise NotImplementedError

    @cached_property
    def metrics(self) -> FakeMetrics:
        """What is recorded and published."""
        return FakeMetrics()

    @property
    def leases(self) -> LeaseManager:
        return LeaseManager(self.store, self.clock, self.lease_seconds)

    @property
    def composer(self) -> MessageComposer:
        """The composer, which measures with the clock."""
        ports = (self.secrets, self.assistants, self.generator, self.metrics)
        times = (self.clock, self.times)
        return MessageComposer(
            self.leases, *ports, *times, self.text_rules, self.check_mode, stopwatch=self.clock
        )

    @property
    def at_most_once(self) -> AtMostOnceSender:
        """The sender with its intent and its final write."""
        parts = (self.leases, self.secrets, self.sender, self.metrics)
        times = (self.clock, self.times, self.clock.sleep, self.clock)
        return AtMostOnceSender(*parts, *times, callback_base_url=self.callback_base_url)

    @property
    def failures(self) -> FailureRecorder:
        return FailureRecorder(self.store, self.clock, self.clock.sleep)

    @property
    def flow(self) -> MessageFlow:
        vendor = (self.secrets, self.sender, self.at_most_once)
        reconciler = Reconciler(self.store, *vendor, self.clock, self.times, self.has_message_list)
        return MessageFlow(
            leases=self.leases,
            secrets=self.secrets,
            composer=self.composer,
            sender=self.at_most_once,
            failures=self.failures,
            reconciler=reconciler,
            queue=self.queue,
            clock=self.clock,
            hand_off_queue=self.hand_off_queue,
        )

    def batch(self, max_concurrency: int = 10, **changes: Any) -> BatchHandler:
        return BatchHandler(
            queue=self.queue,
            heartbeat=self.heartbeat_for,
            parse=contexts.parser,
            flow=self.flow,
            metrics=self.metrics,
            clock=self.clock,
            max_concurrency=max_concurrency,
            backoff_base=BACKOFF_BASE,
            **changes,
        )


@dataclass
class FakeRuntime(Runtime):
    """The core on fakes, in a state in which the default context object is sent."""

    clock: FakeClock = field(default_factory=FakeClock)
    store: FakeLedgerStore = field(default_factory=FakeLedgerStore)
    secrets: FakeSecrets = field(default_factory=FakeSecrets)
    assistants: FakeAssistants = field(default_factory=FakeAssistants)
    journal: list[str] = field(default_factory=list)
    times: TimeBudget = TIMES
    deadline: float = START + FUNCTION_TIMEOUT
    """When Lambda ends the function, in epoch seconds."""

    def __post_init__(self) -> None:
        self.generator: FakeTextGenerator = FakeTextGenerator(API_KEY)
        self.sender: FakeSender = FakeSender(self.clock, TWILIO.auth_token)
        self.queue: _FakeQueue = _FakeQueue(self.journal)
        self.hand_off_queue: FakeHandOffQueue | None = FakeHandOffQueue()
        self.heartbeat = _FakeHeartbeat(self.journal)
        store_defaults(self.secrets, self.assistants)

    def heartbeat_for(self, receipt_handles: Mapping[str, str]) -> _FakeHeartbeat:
        """Return the heartbeat for the messages of one batch."""
        self.heartbeat.receipt_handles = dict(receipt_handles)
        return self.heartbeat

    def time_left(self) -> float:
        """Return the seconds until Lambda ends the function."""
        return self.deadline - self.clock()

    def begin_invocation(self) -> None:
        """Let Lambda invoke the function again, with all of its time."""
        self.deadline = self.clock() + FUNCTION_TIMEOUT

    def delivery(
        self, body: str = "", *, message_id: str = "message-1", receive_count: int = 1
    ) -> Delivery:
        owner = f"{message_id}-{receive_count}"
        handle = f"handle-of-{owner}"
        return Delivery(message_id, handle, body, receive_count, self.deadline, owner=owner)

    def process(self, context: ContextObject | None = None, *, receive_count: int = 1) -> Outcome:
        body = contexts.body(contexts.valid())
        delivery = self.delivery(body, receive_count=receive_count)
        context = context or contexts.parse(contexts.valid())
        return self.flow.process(delivery, context, self.heartbeat)

    @property
    def record(self) -> Record:
        """The default context object's record."""
        return self.store.records[KEY]

    def while_generating(self, action: Callable[[], object]) -> None:
        """Let something happen while the AI writes."""
        self.generator.during = lambda _: action()


def store_defaults(secrets: FakeSecrets, assistants: FakeAssistants) -> None:
    """Store the secrets and the assistant that the default context object names."""
    secrets.openai_keys.stored[contexts.OPENAI_SECRET] = API_KEY
    secrets.twilio_credentials.stored[contexts.TWILIO_SECRET] = TWILIO
    assistants.definitions["first_contact"] = FIRST_CONTACT
