"""The model: a queue, containers, vendors and an operator, moved by one decision at a time."""

import logging
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import ClassVar

from lambda_src.core.contract import Status
from lambda_src.core.models import RecordKey
from tests.faults.model._calls import CALL_FAULTS, Author, Moment, Stop, Task
from tests.faults.model._system import (
    Alter,
    Container,
    Environment,
    InMemoryMessage,
    NothingToDo,
    pick,
    unaltered,
)
from tests.faults.model.schedules import Schedule, Situation, Step
from tests.faults.operator_decisions import Decision, InMemoryOperatorTable, Operator
from tests.faults.rules import Evidence, Location, Rule, broken_rules
from tests.support import contexts
from tests.support.clock import START


class Problem(AssertionError):
    """The promise is broken; `rules` names the broken rules."""

    rules: tuple[Rule, ...] = ()


class RuleBroken(Problem):
    """One conversation's evidence breaks rules."""

    def __init__(self, rules: tuple[Rule, ...], evidence: Evidence) -> None:
        super().__init__(f"{', '.join(rules)}: {evidence}")
        self.rules = rules


class Unresolved(Problem):
    """A conversation ended without a record of its outcome and without an alarm."""

    rules = (Rule.RECORD_IS_TRUE,)


class NeverAtRest(Problem):
    """Every fault has passed, and still messages are delivered and not sent."""

    rules = (Rule.SENT_IN_THE_END,)


def _recorded_sid(key: RecordKey, environment: Environment) -> str:
    # Its own, if it was exchanged for another conversation's: both are of the same text.
    record, own = environment.store.records.get(key), environment.observer.of(key).sids
    if record is None or record.sid in own:
        return record.sid if record else ""
    is_exchanged = own and record.sid in _sids_of_same_text(key, environment)
    is_unique = _recorded(environment).count(record.sid) == 1
    return own[0] if is_exchanged and is_unique else record.sid


def _listed_sid(key: RecordKey, environment: Environment) -> str:
    own = environment.observer.of(key).sids
    listed = [*own, *_sids_of_same_text(key, environment)] if own else []
    return next((sid for sid in listed if sid not in _recorded(environment)), "")


def _sids_of_same_text(key: RecordKey, environment: Environment) -> list[str]:
    if environment.generator.is_original:
        return []
    return [
        sid
        for other, observation in environment.observer.observations.items()
        for sid in observation.sids
        if other != key and other.primary_channel == key.primary_channel
    ]


def _recorded(environment: Environment) -> list[str]:
    return [record.sid for record in environment.store.records.values()]


RECIPIENTS = (contexts.RECIPIENT, contexts.RECIPIENT, "+15550100124")
"""Of each conversation: two have the same one."""
KEYS = tuple(RecordKey(r, f"conversation-{number}") for number, r in enumerate(RECIPIENTS))
SKEWS = (0.0, 1.0, -1.0)
"""Seconds by which containers' clocks differ from the true time."""
_STOP_CALLS = (
    *("store.take_over", "generator.generate", "store.record_intent", "sender.send"),
    *("store.record_sent", "store.record_failure", "sender.find", "store.count_lookup"),
    *("store.mark_unknown", "mapping.delete"),
)
STOPS = tuple(Stop(moment, call) for call in _STOP_CALLS for moment in Moment)
"""Where a container can be moved at once."""
MAX_DELIVERIES = 200
"""Many more than any schedule's messages may need."""
MAX_OPERATOR_VISITS = 20
RUNTIME_LOG = logging.getLogger("lambda_src")


def _body(key: RecordKey) -> str:
    document = contexts.changed("conversation_data.conversation_id", key.conversation_id)
    path = "frontend_payload.recipient_data.recipient_tel"
    return contexts.body(contexts.changed(path, key.primary_channel, document))


BODIES = {key: _body(key) for key in KEYS}


class Model:
    """Does the steps of a schedule; all rules are checked after each piece of work.

    Each name in `ACTIONS`, here and in the environment, is an action of schedules. In their
    arguments, `worker` counts the busy containers and `turn` the tasks of one that can go on.
    """

    ACTIONS: ClassVar = (
        *("begin", "arrive", "deliver", "duplicate", "redeliver", "redrive", "operator"),
        *("advance", "run_to", "finish", "fail", "fail_at", "kill", "kill_at", "heartbeat", "hang"),
    )

    def __init__(self, alter: Alter = unaltered) -> None:
        self._random_state = random.getstate()
        random.seed(0)  # the pauses between two attempts at a write are drawn from it
        self.environment = Environment()
        self.observer, self.queue = self.environment.observer, self.environment.queue
        self.containers: list[Container] = []
        self.pieces: list[tuple[float, int, Author | None, Stop | None, str]] = []
        self._alter = alter
        self._operator = Operator(InMemoryOperatorTable(self.environment.store))
        self._log_state = RUNTIME_LOG.level, RUNTIME_LOG.propagate
        RUNTIME_LOG.addHandler(self.observer)
        RUNTIME_LOG.setLevel(logging.CRITICAL)
        RUNTIME_LOG.propagate = False

    def close(self) -> None:
        """End what is in progress, and restore what was changed."""
        for container in self.containers:
            container.kill()
        RUNTIME_LOG.removeHandler(self.observer)
        RUNTIME_LOG.setLevel(self._log_state[0])
        RUNTIME_LOG.propagate = self._log_state[1]
        random.setstate(self._random_state)

    def do(self, step: Step) -> None:
        """Do a step; it does nothing where there is nothing to act on."""
        actor = self if step.action in self.ACTIONS else self.environment
        if step.action not in actor.ACTIONS:
            raise ValueError(f"schedule: unknown action {step.action}")
        with suppress(NothingToDo):
            getattr(actor, step.action)(*step.arguments)
        self._judge_all()

    def begin(self, receives: int, is_original: int, is_ai_slow: int, is_late_last: int) -> None:
        """Set the schedule's settings."""
        self.queue.max_receives = receives
        self.environment.generator.is_original = bool(is_original)
        self.environment.is_ai_slow = bool(is_ai_slow)
        self.environment.is_late_last = bool(is_late_last)

    def arrive(self, conversation: int) -> None:
        """Enqueue a context object, perhaps not for the first time."""
        key = pick(KEYS, conversation)
        self.observer.of(key)
        self.queue.put(key, BODIES[key])

    def deliver(self, most: int) -> None:
        """Deliver the messages that waited longest, up to so many."""
        self._receive(self.queue.visible[:most])

    def duplicate(self, which: int) -> None:
        """Deliver a message that is in flight, or was deleted, once more."""
        received = [m for m in self.queue.messages if m.receives and not m.is_dead]
        self._receive([pick(received, which)])

    def redeliver(self, worker: int) -> None:
        """Deliver the message that a container is processing once more."""
        self._receive(pick(self.busy, worker).messages[:1])

    def redrive(self, which: int) -> None:
        """Move a dead-letter message back to the queue."""
        self.queue.redrive(pick(self.queue.dead, which))
        self.observer.reached.add(Situation.REDRIVEN)

    def operator(self, conversation: int) -> None:
        """Let the operator look at a conversation."""
        self.let_operator_decide(pick(KEYS, conversation))

    def advance(self, worker: int, turn: int, pieces: int) -> None:
        """Let one task of a container go on, up to so many times."""
        container = pick(self.busy, worker)
        task = pick(container.ready, turn)
        while pieces and task.is_ready:
            self._go_on(container, task)
            pieces -= 1

    def run_to(self, worker: int, stop: str) -> None:
        """Let a container go on until a task stops there, or its batch is over."""
        self._run_to(pick(self.busy, worker), Stop.read(stop))

    def finish(self, worker: int) -> None:
        """Let a container go on until its batch is over."""
        container = pick(self.busy, worker)
        while container.is_busy:
            self._go_on(container, container.ready[-1])

    def fail(self, worker: int, turn: int, which: int) -> None:
        """Let the call go wrong before which a task has stopped."""
        container = pick(self.busy, worker)
        task = pick(container.ready, turn)
        if task.at and task.at.moment is Moment.BEFORE and task.at.call in CALL_FAULTS:
            task.fault = pick(CALL_FAULTS[task.at.call], which)
            self._go_on(container, task)

    def fail_at(self, worker: int, call: str, fault: str) -> None:
        """Let a container go on until it makes that call, which then goes wrong."""
        container = pick(self.busy, worker)
        if task := self._run_to(container, Stop(Moment.BEFORE, call)):
            task.fault = next(one for one in CALL_FAULTS[call] if one.name == fault)
            self._go_on(container, task)

    def kill_at(self, worker: int, stop: str) -> None:
        """Let a container go on until a task stops there, and kill it there."""
        if self._run_to(pick(self.busy, worker), Stop.read(stop)):
            self.kill(worker)

    def kill(self, worker: int) -> None:
        """Kill a container's process, wherever it is."""
        container = pick(self.busy, worker)
        for task in container.tasks:
            if task.author and not task.dead:
                self._note_death(task, task.author)
        container.kill()

    def heartbeat(self, worker: int, pieces: int) -> None:
        """Let a container make a heartbeat, which goes on up to so many times."""
        if heartbeat := pick(self.busy, worker).heartbeat:
            heartbeat.beat()
            self.advance(worker, -1, pieces)

    def hang(self, worker: int) -> None:
        """Let a container's heartbeat hang, so that it is no longer waited for."""
        heartbeat = pick(self.busy, worker).heartbeat
        if heartbeat and heartbeat.is_beating:
            heartbeat.is_abandoned = True
            self.observer.reached.add(Situation.HEARTBEAT_HUNG)

    @property
    def busy(self) -> list[Container]:
        """The containers that process a batch."""
        return [container for container in self.containers if container.is_busy]

    def let_operator_decide(self, key: RecordKey) -> bool:
        """Let the operator decide an unknown send or release a failure whose cause is fixed.

        The operator comes when no request of a sender is in flight any more. A sender that is
        delayed elsewhere may go on at any time, and notices by itself.
        """
        record = self.environment.store.records.get(key)
        if record is None or record.status not in {Status.SEND_UNKNOWN, Status.FAILED}:
            return False
        self._wait_for_sender(key, record.intent.deadline if record.intent else 0.0)
        decision = self._decide(key)
        if decision is Decision.NOTHING:
            return False
        self.observer.of(key).alarms.clear()
        for message in [message for message in self.queue.dead if message.key == key]:
            self.queue.redrive(message)
            self.observer.reached.add(Situation.REDRIVEN)
        return True

    def _decide(self, key: RecordKey) -> Decision:
        observation, now = self.observer.of(key), self.environment.clock()
        decision = self._operator.decide(key, _listed_sid(key, self.environment), now)
        if decision is not Decision.NOTHING:
            is_recorded = decision is Decision.RECORDED
            situation = Situation.RECORDED_BY_OPERATOR if is_recorded else Situation.RELEASED
            self.observer.reached.add(situation)
        elif observation.is_fixable and not observation.is_refused:
            decision = self._operator.release_failed(key, now)
            observation.is_fixable = False
            self.observer.reached.add(Situation.FIXED)
        return decision

    def _wait_for_sender(self, key: RecordKey, deadline: float) -> None:
        clock = self.environment.clock
        clock.now = max(clock.now, deadline)
        sending = Stop(Moment.BEFORE, "sender.send")
        for container in self.containers:
            if any(task.is_of(key) and task.at == sending for task in container.tasks):
                clock.now = max(clock.now, container.ends_at)
                container.kill()
        for late in list(self.environment.late):
            if late.author and late.author.key == key:
                self.environment.apply(late)

    def come_to_rest(self) -> None:
        """Let every fault pass, deliver every message, and let the operator do what is left."""
        self.environment.end_faults()
        self._finish_all()
        self._empty_queue()
        self._judge_rest()
        self.environment.end_lateness()
        for _ in range(MAX_OPERATOR_VISITS):
            decided = [self.let_operator_decide(key) for key in self.observer.observations]
            if not any([*decided, self._redrive_unfinished()]):
                break
            self._empty_queue()
        else:
            raise NeverAtRest("an operator is needed again and again")
        self._judge_all(is_final=True)

    def _empty_queue(self) -> None:
        for _ in range(MAX_DELIVERIES):
            if not self.queue.on_queue:
                return
            self.environment.wait_for_queue()
            with suppress(NothingToDo):
                self.deliver(2)
            self._finish_all()
        raise NeverAtRest("messages are delivered again and again")

    def _redrive_unfinished(self) -> bool:
        records = self.environment.store.records
        unfinished = [
            message
            for message in self.queue.dead
            if message.key not in records or records[message.key].status is not Status.FAILED
        ]
        for message in unfinished:
            self.redrive(self.queue.dead.index(message))
        return bool(unfinished)

    def _receive(self, messages: Sequence[InMemoryMessage]) -> None:
        received = [message for message in messages if self.queue.receive(message)]
        if len(received) < len(messages):
            self.observer.reached.add(Situation.DEAD_LETTER)
        if len(received) > 1:
            self.observer.reached.add(Situation.SEVERAL_IN_A_BATCH)
        if not received:
            raise NothingToDo
        self._idle().begin(received)

    def _idle(self) -> Container:
        for container in self.containers:
            if not (container.is_busy or container.is_dead):
                return container
        skew = SKEWS[len(self.containers) % len(SKEWS)]
        self.containers.append(Container(self.environment, skew, self._alter))
        return self.containers[-1]

    def _finish_all(self) -> None:
        for container in self.containers:
            while container.ready:
                self._go_on(container, container.ready[-1])

    def _run_to(self, container: Container, stop: Stop) -> Task | None:
        while container.is_busy:
            for task in container.ready:
                if task.at == stop:
                    return task
            self._go_on(container, container.ready[-1])
        return None

    def _go_on(self, container: Container, task: Task) -> None:
        task.go_on()
        self._note_piece(container, task)
        if container.is_busy and container.has_no_time:
            self.observer.reached.add(Situation.RAN_TOO_LONG)
        if task.author:
            self._judge(task.author.key)
        else:
            self._judge_all()

    def _note_piece(self, container: Container, task: Task) -> None:
        record = self.environment.store.records.get(task.author.key) if task.author else None
        seconds, number = self.environment.clock() - START, self.containers.index(container)
        stop, status = None if task.dead else task.at, record.status if record else ""
        self.pieces.append((seconds, number, task.author, stop, status))

    def _note_death(self, task: Task, author: Author) -> None:
        reached, record = self.observer.reached, self.environment.store.records.get(author.key)
        if task.at and task.at.call == "store.mark_unknown":
            reached.add(Situation.KILLED_MARKING_UNKNOWN)
        if record and record.status is Status.SENDING and record.owner == author.owner:
            is_sent = bool(self.observer.of(author.key).sids)
            reached.add(Situation.KILLED_AFTER_SEND if is_sent else Situation.KILLED_BEFORE_SEND)

    def _judge_all(self, *, is_final: bool = False) -> None:
        for key in self.observer.observations:
            self._judge(key, is_final=is_final)

    def _judge(self, key: RecordKey, *, is_final: bool = False) -> None:
        evidence = self._evidence_of(key, is_final=is_final)
        if rules := broken_rules(evidence):
            raise RuleBroken(rules, evidence)

    def _judge_rest(self) -> None:
        for key in self.observer.observations:
            evidence = self._evidence_of(key)
            is_ended = evidence.status in {Status.SENT, Status.FAILED}
            if not (is_ended or evidence.is_alarmed or Location.DEAD in evidence.locations):
                raise Unresolved(f"{key.conversation_id} ended as {evidence.status}")

    def _evidence_of(self, key: RecordKey, *, is_final: bool = False) -> Evidence:
        # No release is counted: this operator releases only what was certainly not sent.
        observation, record = self.observer.of(key), self.environment.store.records.get(key)
        return Evidence(
            sids=tuple(observation.sids),
            locations=tuple(self.queue.location(m) for m in self.queue.messages if m.key == key),
            status=record.status if record else None,
            recorded_sid=_recorded_sid(key, self.environment),
            failure_code=record.failure.code if record and record.failure else "",
            alarms=frozenset(observation.alarms),
            asked_again=observation.history.asked_again,
            acts_without_lease=tuple(observation.history.acts_without_lease),
            acquired_after_opt_out=observation.acquired_after_opt_out,
            is_at_rest=not any(container.is_at(key) for container in self.containers),
            is_final=is_final,
            is_refused=observation.is_refused,
        )


class Played:
    """A schedule that was run."""

    def __init__(self, schedule: Schedule, alter: Alter = unaltered) -> None:
        self.problem: Problem | None = None
        self.trace: list[str] = []
        self.reached: set[Situation] = set()
        model = Model(alter)
        try:
            for step in schedule:
                with self._traced(model, f"> {step}"):
                    model.do(step)
            with self._traced(model, "> come to rest"):
                model.come_to_rest()
        except Problem as problem:
            self.problem = problem
        finally:
            model.close()
            self.reached = model.observer.reached

    @contextmanager
    def _traced(self, model: Model, heading: str) -> Iterator[None]:
        self.trace.append(heading)
        before = len(model.pieces)
        try:
            yield
        finally:
            for seconds, number, author, stop, status in model.pieces[before:]:
                whose = f"{author.owner} of {author.key.conversation_id}" if author else "-"
                where = f"{whose} {stop or 'done'} {status}"
                self.trace.append(f"{seconds:7.1f}s container {number} {where}")


CHOOSING = frozenset(
    {"arrive", "advance", "run_to", "finish", "fail", "fail_at", "kill", "kill_at", "heartbeat"}
    | {"hang", "duplicate", "redeliver", "redrive", "apply_late", "operator"}
)
"""Actions whose numbers choose one of several things, so that low numbers mean as much."""


def smallest(schedule: Schedule, shows: Callable[[Schedule], bool]) -> Schedule:
    """Return the schedule with as few steps and as low numbers as show the same."""
    size = len(schedule)
    while size:
        shorter = _without_parts(schedule, size, shows)
        size = size if size == 1 and shorter != schedule else size // 2
        schedule = shorter
    for place in range(len(schedule)):
        schedule = _with_low_numbers(schedule, place, shows)
    return schedule


def _without_parts(schedule: Schedule, size: int, shows: Callable[[Schedule], bool]) -> Schedule:
    start = 0
    while start < len(schedule):
        shorter = schedule[:start] + schedule[start + size :]
        if shows(shorter):
            schedule = shorter
        else:
            start += size
    return schedule


def _with_low_numbers(
    schedule: Schedule, place: int, shows: Callable[[Schedule], bool]
) -> Schedule:
    if schedule[place].action not in CHOOSING:
        return schedule
    for part, argument in enumerate(schedule[place].arguments):
        if isinstance(argument, int) and argument:
            arguments = list(schedule[place].arguments)
            arguments[part] = 0
            lower = schedule[place]._replace(arguments=tuple(arguments))
            changed = (*schedule[:place], lower, *schedule[place + 1 :])
            schedule = changed if shows(changed) else schedule
    return schedule
