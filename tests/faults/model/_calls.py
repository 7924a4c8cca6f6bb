"""Tasks that stop at each outside call, and what can go wrong with each call."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from enum import Enum, auto
from functools import partial
from typing import Any, NamedTuple, cast

from greenlet import GreenletExit, getcurrent, greenlet

from lambda_src.core import errors
from lambda_src.core.contract import Step
from lambda_src.core.models import RecordKey
from lambda_src.utils.sqs_heartbeat import SQSHeartbeat, _renew
from tests.support.fake_ledger import STEPS
from tests.support.fakes import UnexpectedTestError

OPT_OUT = "twilio_21610"
"""The vendor's code for a recipient who opted out."""


class Effect(Enum):
    """Whether a call takes effect when it goes wrong; LATE: after its caller gave up waiting."""

    NONE = auto()
    ANSWER_LOST = auto()
    LATE = auto()
    TWICE = auto()  # the answer is lost, and the SDK repeats the call


class CallFault(NamedTuple):
    name: str
    effect: Effect
    error: Callable[[], Exception] | None = None
    is_refusal: bool = False
    is_fixable: bool = False


def _failures(step: Step, **kinds: type[errors.ProcessingError]) -> tuple[CallFault, ...]:
    return tuple(
        CallFault(
            code, Effect.NONE, partial(kind, code, step), issubclass(kind, errors.PermanentFailure)
        )
        for code, kind in kinds.items()
    )


def _of_store(call: str) -> tuple[CallFault, ...]:
    step = STEPS[call]
    unavailable = partial(errors.LedgerUnavailable, "ledger_unavailable", step)
    writes = (
        CallFault("answer-lost", Effect.ANSWER_LOST, unavailable),
        CallFault("repeated-by-sdk", Effect.TWICE),
        CallFault("applied-late", Effect.LATE, unavailable),
    )
    return (
        *(writes if call not in {"related_records", "read_delivery"} else ()),
        CallFault("table-unavailable", Effect.NONE, unavailable),
        *_failures(step, ledger_refused=errors.LedgerRefused),
        _UNEXPECTED,
    )


_UNEXPECTED = CallFault("unexpected-none", Effect.NONE, UnexpectedTestError)
_UNREACHABLE = partial(errors.TransientFailure, "openai_unreachable", Step.AI)
_UNKNOWN = partial(errors.SendOutcomeUnknown, "twilio_answer_lost", Step.SEND)
_UNQUEUED = partial(errors.TransientFailure, "hand_off_unavailable", Step.HOLD)
_MALFORMED = partial(errors.PermanentFailure, "secret_malformed", Step.SECRETS)
_SECRET = (
    *_failures(Step.SECRETS, secrets_unavailable=errors.TransientFailure),
    CallFault("secret_malformed", Effect.NONE, _MALFORMED, is_fixable=True),
    _UNEXPECTED,
)
CALL_FAULTS: dict[str, tuple[CallFault, ...]] = {
    **{f"store.{call}": _of_store(call) for call, step in STEPS.items() if step != Step.DELIVERY},
    "secrets.openai_key": _SECRET,
    "secrets.credentials": _SECRET,
    "generator.generate": (
        *_failures(Step.AI, openai_500=errors.TransientFailure),
        CallFault("answer-lost", Effect.ANSWER_LOST, _UNREACHABLE),
        *_failures(Step.AI, openai_429=errors.RateLimited, openai_401=errors.CredentialsRefused),
        *_failures(Step.AI, openai_insufficient_quota=errors.AccountRefused),
        *_failures(Step.AI, openai_400=errors.PermanentFailure),
        _UNEXPECTED,
    ),
    "generator.discard": (CallFault("openai_silent", Effect.NONE),),
    "hand_off.put": (
        *_failures(Step.HOLD, hand_off_unavailable=errors.TransientFailure),
        CallFault("answer-lost", Effect.ANSWER_LOST, _UNQUEUED),
        _UNEXPECTED,
    ),
    "sender.send": (
        CallFault("never-arrived", Effect.NONE, _UNKNOWN),
        CallFault("accepted-answer-lost", Effect.ANSWER_LOST, _UNKNOWN),
        CallFault("accepted-late", Effect.LATE, _UNKNOWN),
        *_failures(Step.SEND, twilio_unreachable=errors.TransientFailure),
        *_failures(Step.SEND, twilio_20429=errors.RateLimited),
        *_failures(Step.SEND, twilio_20003=errors.CredentialsRefused),
        *_failures(Step.SEND, twilio_20005=errors.AccountRefused),
        *_failures(Step.SEND, twilio_21211=errors.PermanentFailure),
        *_failures(Step.SEND, **{OPT_OUT: errors.RecipientOptedOut}),
        _UNEXPECTED,
        CallFault("unexpected-answer-lost", Effect.ANSWER_LOST, UnexpectedTestError),
    ),
    "sender.find": (
        *_failures(Step.SETTLE, twilio_503=errors.TransientFailure),
        *_failures(Step.SETTLE, twilio_20003=errors.CredentialsRefused),
        *_failures(Step.SETTLE, twilio_20005=errors.AccountRefused),
        _UNEXPECTED,
    ),
    "queue.extend": (CallFault("queue-silent", Effect.NONE, ConnectionError),),
    "queue.change_visibility": (CallFault("queue-silent", Effect.NONE),),
    "queue.max_receive_count": _failures(Step.SETTLE, queue_unavailable=errors.TransientFailure),
}
"""The ways in which each call of a processor can go wrong; a call that is not listed cannot."""
EVENT_FAULTS: dict[str, tuple[CallFault, ...]] = {
    **{f"store.{call}": _of_store(call) for call, step in STEPS.items() if step is Step.DELIVERY},
    "secrets.credentials": _SECRET,
    "queue.change_visibility": CALL_FAULTS["queue.change_visibility"],
}
"""The same for the events worker."""
INTERVAL = 25.0
"""Seconds between heartbeats."""


class Event(NamedTuple):
    """What an event is about: an intent, or nothing (a lookup); the vendor sends no forged one."""

    intent_id: str = ""
    is_forged: bool = False


class Author(NamedTuple):
    """On whose behalf a task works: one delivery, and its conversation."""

    owner: str
    key: RecordKey
    event: Event | None = None


class Task(greenlet):
    """One piece of work; `at` is where it has stopped, such as `before:sender.send`."""

    def __init__(self, work: Callable[[], object], author: Author | None = None) -> None:
        super().__init__(work)
        self.author = author
        self.at = ""
        self.fault: CallFault | None = None
        self._condition: Callable[[], bool] | None = None

    @property
    def is_ready(self) -> bool:
        return not self.dead and (self._condition is None or self._condition())

    def is_of(self, key: RecordKey) -> bool:
        return self.author is not None and self.author.key == key and not self.dead

    def go_on(self) -> None:
        self.parent = getcurrent()
        self.switch()

    def end(self) -> None:
        self.parent = getcurrent()
        self.throw(GreenletExit)

    def stop(self, at: str) -> None:
        self.at = at
        _switch_to_parent()

    def wait_until(self, condition: Callable[[], bool]) -> None:
        self._condition = condition
        while not condition():
            _switch_to_parent()
        self._condition = None


def current() -> Task:
    """Return the task that is running."""
    return cast("Task", getcurrent())


def _switch_to_parent() -> None:
    parent = getcurrent().parent
    if parent is not None:
        parent.switch()


class SteppedPort:
    """A port all of whose calls are made by `call(name, effect)`."""

    def __init__(self, name: str, port: object, call: Callable[[str, "partial[Any]"], Any]) -> None:
        self._name = name
        self._port = port
        self._call = call

    def __getattr__(self, method: str) -> Callable[..., Any]:
        function = getattr(self._port, method)

        def call(*args: Any, **keywords: Any) -> Any:
            return self._call(f"{self._name}.{method}", partial(function, *args, **keywords))

        return call


class TaskPool(Executor):
    """A container's thread pool, whose threads are tasks; it has as many as there are items."""

    def __init__(self, host: Any) -> None:
        self._host = host
        self._tasks: list[Task] = []

    def map(  # type: ignore[override]  # of one iterable, and never in chunks
        self, fn: Callable[[Any], Any], items: Sequence[Any], *, timeout: float
    ) -> Iterator[Any]:
        results: dict[int, Any] = {}

        def keep(place: int, item: Any) -> None:
            results[place] = fn(item)

        authors = [self._host.authors.get(getattr(item, "message_id", "")) for item in items]
        ends_at = self._host.clock() + timeout
        self._tasks = [
            self._host.spawn(partial(keep, place, item), author)
            for place, (item, author) in enumerate(zip(items, authors, strict=True))
        ]
        current().wait_until(lambda: self._is_done or self._host.clock() > ends_at)
        if not self._is_done:
            self._host.environment.observer.reached.add("a batch timed out")
            raise TimeoutError
        return iter([results[place] for place in range(len(items))])

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002 - the base class's own signature
        for task in self._tasks:
            if not (task or task.dead):  # it has not begun
                task.end()

    @property
    def _is_done(self) -> bool:
        return all(task.dead for task in self._tasks)


class SteppedHeartbeat(SQSHeartbeat):
    """The runtime's own heartbeat, but that the schedule decides when it beats."""

    def __init__(
        self,
        receipt_handles: Mapping[str, str],
        extend: Callable[[Mapping[str, str]], frozenset[str]],
        host: Any,
    ) -> None:
        super().__init__(receipt_handles, extend, INTERVAL)
        self._host = host
        self._beating: Task | None = None

    @property
    def is_beating(self) -> bool:
        return self._beating is not None and not self._beating.dead

    def start(self) -> None:
        self.beat()

    def beat(self) -> None:
        if not (self._stopped.is_set() or self.is_beating):
            self._beating = self._host.spawn(self._beat)

    def stop(self) -> frozenset[str]:
        self._host.check_alive()
        self._stopped.set()
        current().wait_until(lambda: not self.is_beating)
        return frozenset(self._failed)

    def _renew_all(self) -> None:
        renewals = dict(self._renewals)
        if renewals and not self._stopped.is_set():
            for message_id, renew in renewals.items():
                current().author = self._host.authors[message_id]
                _renew(message_id, renew)
            current().author = None
