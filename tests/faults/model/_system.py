"""The modelled system: queue, observer, vendors, and containers that run the real core."""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, partial
from math import inf
from random import Random
from typing import Any, NamedTuple, TypeVar

from greenlet import GreenletExit

from lambda_src.core.ledger import ConditionFailed, RecipientSuppressed
from lambda_src.core.log import LOG_FIELDS
from lambda_src.core.models import Answer, Delivery, GenerationRequest, OutgoingMessage, RecordKey
from lambda_src.services.secrets_manager_service import TwilioCredentials
from tests.faults.model._calls import (
    INTERVAL,
    OPT_OUT,
    Author,
    CallFault,
    Effect,
    SteppedHeartbeat,
    SteppedPort,
    Task,
    TaskPool,
    current,
)
from tests.faults.operator_decisions import EDITED_BADLY
from tests.faults.rules import History, Location
from tests.support import contexts
from tests.support.fake_ledger import FakeLedgerStore, Record
from tests.support.fakes import (
    ANSWER,
    FakeSender,
    FakeTextGenerator,
)
from tests.support.runtime import (
    FUNCTION_TIMEOUT,
    TIMES,
    Runtime,
    SleepClock,
)

VISIBILITY_SECONDS = 900.0
"""Visibility timeout of the queue; the first heartbeat shortens it."""
HEARTBEAT_VISIBILITY_SECONDS = 90.0
"""Visibility timeout that each heartbeat sets."""


@dataclass
class InMemoryMessage:
    """One message; `handle` is its latest delivery's, `end` is DELETED or DEAD."""

    message_id: str
    key: RecordKey
    body: str
    visible_at: float
    receives: int = 0
    handle: str = ""
    end: Location | None = None


class InMemoryQueue:
    """One queue and its dead-letter queue; implements the port `Queue`, and `extend`."""

    def __init__(self, now: Callable[[], float], name: str = "message") -> None:
        self.messages: list[InMemoryMessage] = []
        self._name = name
        self.max_receives = 10
        self._now = now
        self._arrived = 0
        self._by_handle: dict[str, InMemoryMessage] = {}

    def put(self, key: RecordKey, body: str, delay: float = 0.0) -> str:
        self._arrived += 1
        name = f"{self._name}-{self._arrived}"
        self.messages.append(InMemoryMessage(name, key, body, self._now() + delay))
        return name

    @property
    def on_queue(self) -> list[InMemoryMessage]:
        return sorted((m for m in self.messages if not m.end), key=lambda m: m.visible_at)

    @property
    def visible(self) -> list[InMemoryMessage]:
        return [m for m in self.on_queue if m.visible_at <= self._now()]

    @property
    def dead(self) -> list[InMemoryMessage]:
        return [m for m in self.messages if m.end is Location.DEAD]

    def receive(self, message: InMemoryMessage) -> bool:
        if message.receives >= self.max_receives:
            message.end = Location.DEAD
            return False
        message.end = None
        message.receives += 1
        message.handle = f"{message.message_id}/{len(self._by_handle)}"
        message.visible_at = self._now() + VISIBILITY_SECONDS
        self._by_handle[message.handle] = message
        return True

    def delete(self, handle: str) -> None:
        message = self._by_handle[handle]
        message.end = message.end or Location.DELETED

    def redrive(self, message: InMemoryMessage) -> None:
        self.messages.remove(message)
        self.put(message.key, message.body)

    def location(self, message: InMemoryMessage) -> Location:
        is_visible = message.visible_at <= self._now()
        return message.end or (Location.ON_QUEUE if is_visible else Location.IN_FLIGHT)

    def extend(self, receipt_handles: Mapping[str, str]) -> frozenset[str]:
        return frozenset(
            message_id
            for message_id, handle in receipt_handles.items()
            if not self._hide(handle, HEARTBEAT_VISIBILITY_SECONDS)
        )

    def change_visibility(self, seconds: Mapping[str, int]) -> None:
        for handle, delay in seconds.items():
            self._hide(handle, delay)

    def max_receive_count(self) -> int:
        return self.max_receives

    def _hide(self, handle: str, seconds: float) -> bool:
        message = self._by_handle[handle]
        if message.handle != handle or message.end:
            return False
        message.visible_at = self._now() + seconds
        return True


ACQUIRING = frozenset({"store.create", "store.take_over"})
WITHOUT_LEASE = frozenset({"store.related_records", "store.record_sent"})
STORING = frozenset({"store.checkpoint_answer", "store.record_intent", "store.hold_draft"})
RECIPIENTS = (contexts.RECIPIENT, contexts.RECIPIENT, "+15550100124", "+15550100124")
"""Of each conversation: two have the same one."""
KEYS = tuple(RecordKey(r, f"conversation-{number}") for number, r in enumerate(RECIPIENTS))
REVIEWED = KEYS[-1]
"""The conversation whose context object asks for a review."""
FLAWED = (EDITED_BADLY, "")
"""Texts that fail the checks, or the rules for texts."""


def _body(key: RecordKey) -> str:
    document = contexts.changed("conversation_data.conversation_id", key.conversation_id)
    document["company_data_payload"]["auto_queue_initial_message"] = key == REVIEWED
    path = "frontend_payload.recipient_data.recipient_tel"
    return contexts.body(contexts.changed(path, key.primary_channel, document))


BODIES = {key: _body(key) for key in KEYS}


@dataclass
class Observation(History):
    """What was observed of one conversation."""

    sids: list[str] = field(default_factory=list)
    alarms: set[str] = field(default_factory=set)
    is_refused: bool = False
    is_fixable: bool = False
    status: str = "no record"


class Observer(logging.Handler):
    """Observes each conversation, the log, and what the schedule has reached.

    That are the steps that did something, the faults that happened, the changes of records'
    statuses, the writes that were refused, the failures, and the operator's decisions.
    """

    def __init__(self, store: FakeLedgerStore) -> None:
        super().__init__(logging.CRITICAL)
        self.observations: defaultdict[RecordKey, Observation] = defaultdict(Observation)
        self.reached: set[str] = set()
        self.has_checks = True  # whether drafts that fail their checks are held
        self._store = store

    def of(self, key: RecordKey) -> Observation:
        return self.observations[key]

    def emit(self, record: logging.LogRecord) -> None:
        conversation = LOG_FIELDS.get({}).get("conversation_id")
        for key, observation in self.observations.items():
            if key.conversation_id == conversation:
                observation.alarms.add(str(vars(record)["event"]))

    def note_fault(self, call: str, author: Author | None, fault: CallFault) -> None:
        if author and not author.event:
            observation = self.of(author.key)
            observation.is_refused |= fault.is_refusal
            observation.is_fixable |= fault.is_fixable
        self.reached.add(f"{call}: {fault.name}")

    def note_status(self, key: RecordKey, status: str) -> None:
        observation = self.of(key)
        if status != observation.status:
            self.reached.add(f"{observation.status} → {status}")
            observation.status = status

    def observed(self, call: str, author: Author | None, effect: partial[Any]) -> Callable[[], Any]:
        if author and call == "generator.generate":
            self.of(author.key).count_answers(author.owner)
        return partial(self._run, call, author, effect) if author else effect

    def _run(self, call: str, author: Author, effect: partial[Any]) -> Any:
        before, observation = self._store.records.get(author.key), self.of(author.key)
        if call == "sender.send":
            observation.sent_after_callback += observation.is_proven
            message: OutgoingMessage = effect.args[1]
            is_flawed = self.has_checks and message.variables["2"] in FLAWED
            observation.sends(message, needs_approval=is_flawed or author.key == REVIEWED)
        try:
            result = effect()
        except ConditionFailed as failed:
            self.reached.add(f"{call} refused: {failed.record and failed.record.status}")
            raise
        except RecipientSuppressed:
            observation.is_refused = True
            raise
        if author.event is None:
            self._note_effect(call, author, effect, before, result)
        elif call in {"store.record_delivery", "store.suppress"}:
            observation.changed_by_forgery += author.event.is_forged
        return result

    def _note_effect(
        self, call: str, author: Author, effect: partial[Any], before: Record | None, result: Any
    ) -> None:
        observation, owner = self.of(author.key), author.owner
        if call in ACQUIRING:
            observation.acquired(owner, has_answer=bool(before and before.answer))
            observation.acquired_after_opt_out += self._has_opted_out(author.key)
        elif call == "generator.generate":
            observation.asked(owner, has_answer=bool(before and before.answer))
            observation.answered(owner)
        elif call == "sender.send":
            observation.acted(owner, call)
            observation.sids.append(result)
        elif call == "hand_off.put":
            observation.hand_offs += 1
        elif call.startswith("store.") and call not in WITHOUT_LEASE:
            observation.acted(owner, call)
            if call in STORING:
                observation.stored(owner)
            self._note_write(call, observation, owner, *effect.args[1:])

    def _note_write(self, call: str, observation: Observation, owner: str, *values: Any) -> None:
        if call == "store.reject_draft":
            observation.count_answers(owner)
        elif call == "store.hold_draft":
            observation.held(values[0])
            self.reached.add(f"held: {values[0].reason}")
        elif call == "store.record_failure":
            self.reached.add(f"failed: {values[0].code}")

    def _has_opted_out(self, key: RecordKey) -> bool:
        records = [
            record
            for record in self._store.records.values()
            if record.key.primary_channel == key.primary_channel
        ]
        failures = {record.failure.code for record in records if record.failure}
        return OPT_OUT in failures | {f"twilio_{record.delivery.error_code}" for record in records}


SHORT_LEASE, SLOW_GENERATION = 40.0, 50.0
"""Seconds, where the AI takes longer than a lease lasts."""

T = TypeVar("T")


class NothingToDo(Exception):
    """There is nothing to act on: the step does nothing."""


def pick(things: Sequence[T], number: int) -> T:
    """Return the thing of that number, counted round and round."""
    if not things:
        raise NothingToDo
    return things[number % len(things)]


class LateEffect(NamedTuple):
    """A call's effect that is still to come, although its caller gave up."""

    call: str
    author: Author | None
    effect: Callable[[], Any]


class LaggingSender(FakeSender):
    """The channel's vendor, whose list may lag behind what it accepted."""

    listed_until = inf

    def find(
        self, credentials: TwilioCredentials, message: OutgoingMessage, *, since: float
    ) -> tuple[str, ...]:
        unlisted = {sent.sid for sent in self.sent if sent.at >= self.listed_until}
        found = super().find(credentials, message, since=since)
        return tuple(sid for sid in found if sid not in unlisted)


class ModelGenerator(FakeTextGenerator):
    """The AI, which writes the same text for all conversations, or each one its own.

    Attributes:
        flaws: The texts of its next answers.
        threads: What each conversation at OpenAI contains, by its id.
    """

    is_original = False

    def __init__(self, api_key: str) -> None:
        super().__init__(api_key)
        self.flaws: list[str] = []
        self.threads: dict[str, Mapping[str, str]] = {}

    def generate(self, api_key: str, request: GenerationRequest) -> Answer:
        super().generate(api_key, request)
        flaw = self.flaws.pop(0) if self.flaws else None
        return self.write(request.metadata["conversation_id"], flaw)

    def write(self, conversation_id: str, text: str | None = None) -> Answer:
        """Return an answer in a new thread: that text, or the usual one."""
        if text is None:
            own = f"About {conversation_id}: when may we call?"
            text = own if self.is_original else ANSWER.variables["2"]
        thread_id = f"conv_{len(self.threads) + 1}"
        self.threads[thread_id] = {**ANSWER.variables, "2": text}
        return replace(ANSWER, thread_id=thread_id, variables=self.threads[thread_id])


SKEWS = (0.0, 1.0, -1.0)
"""Seconds by which containers' clocks differ from the true time."""
Alter = Callable[[Any], Any]
"""Makes another handler of a handler, or another job of the scheduled job: a mutant."""

parse = cache(contexts.parser)


def unaltered(handler: Any) -> Any:
    """Return the handler as it is."""
    return handler


class SkewedClock:
    """The container's own clock, which differs a little from the others'."""

    def __init__(self, process: "Process", skew: float) -> None:
        self._call = process.call
        self._true_time = process.environment.clock
        self._skew = skew

    def __call__(self) -> float:
        return float(self._true_time() + self._skew)

    def sleep(self, seconds: float) -> None:
        self._call("clock.sleep", partial(self._true_time.advance, seconds))


class Process:
    """A function's process; one that was killed has no effect any more.

    Attributes:
        authors: On whose behalf it works, by message id.
    """

    clock: SleepClock

    def __init__(self, name: str, environment: Any, skew: float = 0.0) -> None:
        self.name = name
        self.environment = environment
        self.is_dead = False
        self.ends_at = 0.0
        self.tasks: list[Task] = []
        self.messages: Sequence[InMemoryMessage] = ()
        self.authors: dict[str, Author] = {}
        self._invocation: Task | None = None
        self.clock = SkewedClock(self, skew)

    def _stepped(self, name: str, port: object) -> Any:
        return SteppedPort(name, port, self.call)

    @property
    def is_busy(self) -> bool:
        return self._invocation is not None and not self._invocation.dead

    @property
    def ready(self) -> list[Task]:
        return [task for task in self.tasks if task.is_ready]

    @property
    def has_no_time(self) -> bool:
        return self.clock() >= self.ends_at

    def begin(self, messages: Sequence[InMemoryMessage]) -> None:
        self.messages = messages
        self.ends_at = self.clock() + FUNCTION_TIMEOUT
        self.tasks = [task for task in self.tasks if not task.dead]
        self.authors = {
            m.message_id: Author(m.handle, m.key, self.environment.events.get(m.message_id))
            for m in messages
        }
        deliveries = [
            Delivery(m.message_id, m.handle, m.body, m.receives, self.ends_at, owner=m.handle)
            for m in messages
        ]
        self._invocation = self.spawn(partial(self.invoke, deliveries))

    def invoke(self, deliveries: list[Delivery]) -> None:
        """Handle a batch, and delete what was not reported as failed."""
        raise NotImplementedError

    def spawn(self, work: Callable[[], object], author: Author | None = None) -> Task:
        task = Task(work, author)
        self.tasks.append(task)
        return task

    def kill(self) -> None:
        self.is_dead = True
        for task in self.tasks:
            task.end()

    def check_alive(self) -> None:
        if self.is_dead:
            raise GreenletExit

    def call(self, name: str, effect: "partial[Any]") -> Any:
        task = current()
        self._stop(task, f"before:{name}")
        fault, task.fault = task.fault, None
        observed = self.environment.observer.observed(name, task.author, effect)
        self.before_effect(task, name)
        try:
            late = LateEffect(name, task.author, observed)
            return self._fail(late, fault) if fault else observed()
        finally:
            self._stop(task, f"after:{name}")

    def before_effect(self, task: Task, call: str) -> None:
        """Do what happens while a call is made."""

    def _stop(self, task: Task, at: str) -> None:
        self.check_alive()
        task.stop(at)

    def _fail(self, call: LateEffect, fault: CallFault) -> Any:
        self.environment.observer.note_fault(call.call, call.author, fault)
        match fault.effect:
            case Effect.ANSWER_LOST:
                with suppress(Exception):
                    call.effect()
            case Effect.LATE:
                self.environment.late.append(call)
            case Effect.TWICE:
                with suppress(Exception):
                    call.effect()
                self._stop(current(), f"after:{call.call}")
                return call.effect()
        if fault.error:
            raise fault.error()
        return None


class Container(Process, Runtime):
    def __init__(self, number: int, environment: Any, alter: Alter) -> None:
        super().__init__(f"container {number}", environment, SKEWS[number % len(SKEWS)])
        self.heartbeat: SteppedHeartbeat | None = None
        self.times = TIMES
        self.lease_seconds = environment.lease_seconds
        self.callback_base_url = environment.callback_base_url
        self.assistants = environment.assistants
        self.check_mode = environment.check_mode
        self.hand_off_queue = self._stepped("hand_off", environment.hand_off)
        self.secrets = self._stepped("secrets", environment.cached_secrets())
        self._extend = self._stepped("queue", environment.queue).extend
        for name in ("store", "generator", "sender", "queue"):
            setattr(self, name, self._stepped(name, getattr(environment, name)))
        self._handler = alter(
            replace(
                self.batch(),
                parse=parse,
                pool=lambda _: TaskPool(self),
                random=Random(0),  # noqa: S311 - jitter, the same in every run
            )
        )

    def heartbeat_for(self, receipt_handles: Mapping[str, str]) -> SteppedHeartbeat:
        self.heartbeat = SteppedHeartbeat(receipt_handles, self._extend, self)
        return self.heartbeat

    def is_at(self, key: RecordKey) -> bool:
        is_in_batch = self.is_busy and any(author.key == key for author in self.authors.values())
        return is_in_batch or any(task.is_of(key) for task in self.tasks)

    def before_effect(self, task: Task, call: str) -> None:
        if call == "generator.generate":
            self._beat_for(task, self.environment.ai_seconds)

    def _beat_for(self, task: Task, seconds: float) -> None:
        ends_at = self.clock() + seconds
        while self.heartbeat and self.clock() < ends_at:
            self.environment.clock.advance(INTERVAL)
            self.heartbeat.beat()
            task.wait_until(lambda: not (self.heartbeat and self.heartbeat.is_beating))

    def invoke(self, deliveries: list[Delivery]) -> None:
        failed = self._handler.handle(deliveries)
        for delivery in deliveries:
            # The result of an invocation that timed out is not used.
            if delivery.message_id not in failed and not self.has_no_time:
                delete = partial(self.environment.queue.delete, delivery.receipt_handle)
                self.call("mapping.delete", delete)
