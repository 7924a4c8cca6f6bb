"""The model: a queue, containers, vendors and an operator, moved by one decision at a time.

A schedule is the text of its decisions. It may begin with its settings: `begin`, the queue's
maximum receives, and (0 or 1) whether no two texts are the same, the AI takes longer than a lease,
and late effects come last; then, if they are not 0, whether callbacks arrive that no step posts,
and whether failed checks are only reported.
"""

import logging
import random
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from lambda_src.core.contract import REJECTED_BY_OPERATOR, SCHEDULE_SECONDS, Status
from lambda_src.core.models import RecordKey
from ops.dlq.policy import RedriveDecision
from tests.faults.model._calls import CALL_FAULTS, EVENT_FAULTS, Task
from tests.faults.model._environment import (
    DAY,
    LATE_END,
    MAX_EVENTS,
    EventsContainer,
    ModelEnvironment,
)
from tests.faults.model._system import (
    BODIES,
    KEYS,
    Alter,
    Container,
    InMemoryMessage,
    NothingToDo,
    Process,
    pick,
    unaltered,
)
from tests.faults.operator_decisions import OperatorInMemory
from tests.faults.rules import Evidence, Location, Rule, broken_rules
from tests.support.clock import START
from tests.support.fake_ledger import Record


class Step(NamedTuple):
    """One decision: an action of the model and its arguments."""

    action: str
    arguments: tuple[int | str, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.action, *map(str, self.arguments)))


Schedule = tuple[Step, ...]
_NUMBER = re.compile(r"-?\d+")


def written(steps: Iterable[Step]) -> str:
    return "; ".join(map(str, steps))


def read(text: str) -> Schedule:
    """Return the steps of a schedule; line breaks count as blanks."""
    parts = [step.split() for step in text.split(";") if step.strip()]
    return tuple(Step(action, tuple(map(_argument, rest))) for action, *rest in parts)


def _argument(text: str) -> int | str:
    return int(text) if _NUMBER.fullmatch(text) else text


class Problem(AssertionError):
    """Rules are broken, or a conversation ended without a record of its outcome and an alarm."""

    def __init__(self, rules: tuple[Rule, ...], what: object, *, unresolved: bool = False) -> None:
        super().__init__(f"{', '.join(rules)}: {what}")
        self.rules = rules
        self.is_unresolved = unresolved


_STOP_CALLS = (
    *("store.take_over", "generator.generate", "store.record_intent", "sender.send"),
    *("store.record_sent", "store.record_failure", "sender.find", "store.count_lookup"),
    *("store.mark_unknown", "mapping.delete"),
    *("store.reject_draft", "store.hold_draft", "hand_off.put"),
)
STOPS = tuple(f"{moment}:{call}" for call in _STOP_CALLS for moment in ("before", "after"))
"""Where a container can be moved at once."""
MAX_DELIVERIES = 200
"""Many more than any schedule's messages may need."""
MAX_OPERATOR_VISITS = 20
EVENTS = "events"
"""Stands for the last busy events worker."""
FIXED = "released, since its cause was fixed"
DEAD_LETTER = "a message went to the dead-letter queue"
RUNTIME_LOG = logging.getLogger("lambda_src")


class Model(ModelEnvironment):
    """Does the steps of a schedule; all rules are checked after each piece of work.

    Each method `do_…` is an action of schedules. In their arguments, `worker` counts the busy
    containers, or is the last events worker, and `turn` counts the tasks of one that can go on.
    """

    def __init__(self, alter: Alter = unaltered) -> None:
        super().__init__(alter)
        self._random_state = random.getstate()
        random.seed(0)  # the pauses between two attempts at a write are drawn from it
        self.containers: list[Container] = []
        self.trace: list[str] = []
        self._alter = alter
        self._operator = OperatorInMemory(self.store)
        self._log_state = RUNTIME_LOG.level, RUNTIME_LOG.propagate
        RUNTIME_LOG.addHandler(self.observer)
        RUNTIME_LOG.setLevel(logging.CRITICAL)
        RUNTIME_LOG.propagate = False

    def close(self) -> None:
        """End what is in progress, and restore what was changed."""
        for container in (*self.containers, *self.event_workers):
            container.kill()
        RUNTIME_LOG.removeHandler(self.observer)
        RUNTIME_LOG.setLevel(self._log_state[0])
        RUNTIME_LOG.propagate = self._log_state[1]
        random.setstate(self._random_state)

    def do(self, step: Step) -> None:
        """Do a step; it does nothing where there is nothing to act on."""
        self.trace.append(f"> {step}")
        act = getattr(self, f"do_{step.action}", None)
        if act is None:
            raise ValueError(f"schedule: unknown action {step.action}")
        with suppress(NothingToDo):
            act(*step.arguments)
            self.observer.reached.add(step.action)
        self._judge_all()

    def do_arrive(self, conversation: int) -> None:
        """Enqueue a context object, perhaps not for the first time."""
        key = pick(KEYS, conversation)
        self.observer.of(key)
        self.queue.put(key, BODIES[key])

    def do_deliver(self, most: int) -> None:
        """Deliver the messages that waited longest, up to so many."""
        self._receive(self.queue.visible[:most])

    def do_duplicate(self, which: int) -> None:
        """Deliver a message that is in flight, or was deleted, once more."""
        received = [m for m in self.queue.messages if m.receives and m.end is not Location.DEAD]
        self._receive([pick(received, which)])

    def do_redeliver(self, worker: int) -> None:
        """Deliver the message that a container is processing once more."""
        self._receive(pick(self.busy, worker).messages[:1])

    def do_redrive(self, which: int) -> None:
        """Move a dead-letter message back to the queue."""
        self._redrive([pick(self.queue.dead, which)])

    def do_operator(self, conversation: int) -> None:
        """Let the operator look at a conversation."""
        self.let_operator_decide(pick(KEYS, conversation))

    def do_advance(self, worker: int, turn: int, pieces: int) -> None:
        """Let one task of a container go on, up to so many times."""
        container = pick(self.busy, worker)
        task = pick(container.ready, turn)
        while pieces and task.is_ready:
            self._go_on(container, task)
            pieces -= 1

    def do_run_to(self, worker: int | str, stop: str) -> None:
        """Let a worker go on until a task stops there, or its batch is over."""
        self._run_to(self._process(worker), stop)

    def do_finish(self, worker: int | str) -> None:
        """Let a worker go on until its batch is over."""
        process = self._process(worker)
        while process.is_busy:
            self._go_on(process, process.ready[-1])

    def do_fail_at(self, worker: int | str, call: str, fault: str) -> None:
        """Let a worker go on until it makes that call, which then goes wrong."""
        process, faults = self._process(worker), EVENT_FAULTS if worker == EVENTS else CALL_FAULTS
        if task := self._run_to(process, f"before:{call}"):
            task.fault = next(one for one in faults[call] if one.name == fault)
            self._go_on(process, task)

    def do_kill_at(self, worker: int | str, stop: str) -> None:
        """Let a worker go on until a task stops there, and kill it there."""
        if self._run_to(self._process(worker), stop):
            self.do_kill(worker)

    def do_kill(self, worker: int | str) -> None:
        """Kill a worker's process, wherever it is."""
        self._process(worker).kill()

    def do_heartbeat(self, worker: int, pieces: int) -> None:
        """Let a container make a heartbeat, which goes on up to so many times."""
        if heartbeat := pick(self.busy, worker).heartbeat:
            heartbeat.beat()
            self.do_advance(worker, -1, pieces)

    def do_work(self, most: int) -> None:
        """Deliver the events that waited longest, up to so many, to an events worker."""
        visible = self.events_queue.visible[:most]
        received = [message for message in visible if self.events_queue.receive(message)]
        if not received:
            raise NothingToDo
        idle = [one for one in self.event_workers if not (one.is_busy or one.is_dead)]
        number = len(self.event_workers)
        worker = idle[0] if idle else EventsContainer(number, self, self._alter)
        if not idle:
            self.event_workers.append(worker)
        worker.begin(received)

    def _process(self, worker: int | str) -> Process:
        if worker == EVENTS:
            return pick([one for one in self.event_workers if one.is_busy], -1)
        return pick(self.busy, int(worker))

    @property
    def busy(self) -> list[Container]:
        return [container for container in self.containers if container.is_busy]

    def let_operator_decide(self, key: RecordKey) -> bool:
        """Let the operator decide an unknown send or release a failure whose cause is fixed.

        What remains of a draft in the dead-letter queue is redriven by the tool's policy.

        The operator comes when no request of a sender is in flight any more. A sender that is
        delayed elsewhere may go on at any time, and notices by itself.
        """
        record = self.store.records.get(key)
        is_rejected = record and record.failure and record.failure.code == REJECTED_BY_OPERATOR
        if record and (is_rejected or record.status is Status.AWAITING_APPROVAL):
            return self._redrive_draft(record)
        if record is None or record.status not in {Status.SEND_UNKNOWN, Status.FAILED}:
            return False
        self._wait_for_sender(key, record.intent.deadline if record.intent else 0.0)
        if not self._decide(key, record):
            return False
        self.observer.of(key).alarms.clear()
        self._redrive(message for message in self.queue.dead if message.key == key)
        return True

    def _decide(self, key: RecordKey, record: Record) -> bool:
        observation = self.observer.of(key)
        if decision := self._operator.decide(key, self._listed_sid(key), self.clock()):
            self.observer.reached.add(decision)
        elif not observation.is_fixable or observation.is_refused:
            return False
        else:
            observation.is_fixable = False
            self._release_failed(record)
            self.observer.reached.add(FIXED)
        return True

    def _release_failed(self, record: Record) -> None:
        if record.status is Status.FAILED:
            self._operator.release(record.ledger_record(), self.clock())

    def _redrive_draft(self, record: Record) -> bool:
        dead = [message for message in self.queue.dead if message.key == record.key]
        if not dead:
            return False
        decision = self.redrive_decision(record)
        self.observer.reached.add(f"dead letter of a draft: {decision}")
        if decision is RedriveDecision.HELD:
            self.queue.messages = [one for one in self.queue.messages if one not in dead]
        elif decision.acts:
            self._release_failed(record)
            self._redrive(dead)
        return decision.acts

    def _wait_for_sender(self, key: RecordKey, deadline: float) -> None:
        self.clock.now = max(self.clock.now, deadline)
        for container in self.containers:
            if any(task.is_of(key) and task.at == "before:sender.send" for task in container.tasks):
                self.clock.now = max(self.clock.now, container.ends_at)
                container.kill()
        for late in list(self.late):
            if late.author and late.author.key == key:
                self.apply(late)

    def come_to_rest(self) -> None:
        """Let every fault pass, deliver every message, and let the operator do what is left."""
        self.trace.append("> come to rest")
        self.end_faults()
        self._finish_all()
        self._handle_everything()
        self._judge_rest()
        self.end_lateness()
        for _ in range(MAX_OPERATOR_VISITS):
            decided = [self.let_operator_decide(key) for key in self.observer.observations]
            redriven = self._redrive_unfinished()
            if not any([*decided, redriven, self.approve_what_waits()]):
                break
            self._handle_everything()
        else:
            raise Problem((Rule.SENT_IN_THE_END,), "an operator is needed again and again")
        self._let_a_day_pass()
        self._judge_all(is_final=True)

    def _handle_everything(self) -> None:
        """Deliver every message, also those that the scheduled job queues."""
        self._empty_queue()
        for _ in range(MAX_OPERATOR_VISITS):
            if not self.queue_due_approvals():
                return
            self._empty_queue()
        raise Problem((Rule.APPROVAL_SUFFICES,), "an approved message is queued again and again")

    def _let_a_day_pass(self) -> None:
        """Let the scheduled job find what callbacks did not report."""
        self.trace.append("> a day passes")
        self.callbacks_arrive = False
        self.reports.clear()
        day_over = self.clock() + DAY + SCHEDULE_SECONDS  # the job's first run after a day
        while self.clock() < day_over:
            self.end_messages(LATE_END)
            moments = [r.lookup_at for r in self.store.records.values() if r.lookup_at]
            ends = (sent.at + LATE_END for sent in self.sender.sent)
            moments += [end for end in ends if end > self.clock()]
            at = min((max(self.clock(), one) for one in moments), default=day_over)
            self.clock.now = min(day_over, at) + SCHEDULE_SECONDS
            self.end_messages(LATE_END)
            self.schedule_lookups()
            self._empty_events_queue()

    def _empty_queue(self) -> None:
        for _ in range(MAX_DELIVERIES):
            self._empty_events_queue()
            if not self.queue.on_queue:
                return
            self.do_wait_for_queue()
            with suppress(NothingToDo):
                self.do_deliver(2)
            self._finish_all()
        raise Problem((Rule.SENT_IN_THE_END,), "messages are delivered again and again")

    def _empty_events_queue(self) -> None:
        if self.callbacks_arrive:
            self.let_reports_arrive()
        for _ in range(MAX_EVENTS):
            if not self.events_queue.on_queue:
                return
            self.clock.now = max(self.clock.now, self.events_queue.on_queue[0].visible_at)
            with suppress(NothingToDo):
                self.do_work(10)
            self._finish_all()
        raise Problem((Rule.CALLBACK_PROVES,), "callbacks are delivered again and again")

    def _redrive_unfinished(self) -> bool:
        kept = {Status.FAILED, Status.AWAITING_APPROVAL}
        staying = {r.key for r in self.store.records.values() if r.status in kept}
        return self._redrive(message for message in self.queue.dead if message.key not in staying)

    def _redrive(self, messages: Iterable[InMemoryMessage]) -> bool:
        redriven = list(messages)
        for message in redriven:
            self.queue.redrive(message)
        return bool(redriven)

    def _receive(self, messages: Sequence[InMemoryMessage]) -> None:
        received = [message for message in messages if self.queue.receive(message)]
        if len(received) < len(messages):
            self.observer.reached.add(DEAD_LETTER)
        if not received:
            raise NothingToDo
        self._idle().begin(received)

    def _idle(self) -> Container:
        for container in self.containers:
            if not (container.is_busy or container.is_dead):
                return container
        self.containers.append(Container(len(self.containers), self, self._alter))
        return self.containers[-1]

    def _finish_all(self) -> None:
        for container in (*self.containers, *self.event_workers):
            while container.ready:
                self._go_on(container, container.ready[-1])

    def _run_to(self, container: Process, stop: str) -> Task | None:
        while container.is_busy:
            for task in container.ready:
                if task.at == stop:
                    return task
            self._go_on(container, container.ready[-1])
        return None

    def _go_on(self, container: Process, task: Task) -> None:
        task.go_on()
        self._note_piece(container, task)
        if task.author:
            self._judge(task.author.key)
        else:
            self._judge_all()

    def _note_piece(self, container: Process, task: Task) -> None:
        author = task.author
        record = self.store.records.get(author.key) if author else None
        seconds, name = self.clock() - START, container.name
        whose = f"{author.owner} of {author.key.conversation_id}" if author else "-"
        stop, status = "done" if task.dead else task.at, record.status if record else ""
        self.trace.append(f"{seconds:7.1f}s {name} {whose} {stop} {status}")

    def _judge_all(self, *, is_final: bool = False) -> None:
        for key in self.observer.observations:
            self._judge(key, is_final=is_final)

    def _judge(self, key: RecordKey, *, is_final: bool = False) -> None:
        evidence = self._evidence_of(key, is_final=is_final)
        if rules := broken_rules(evidence):
            raise Problem(rules, evidence)

    def _judge_rest(self) -> None:
        for key in self.observer.observations:
            evidence = self._evidence_of(key)
            is_ended = evidence.status in {Status.SENT, Status.FAILED, Status.AWAITING_APPROVAL}
            if not (is_ended or evidence.is_alarmed or Location.DEAD in evidence.locations):
                what = f"{key.conversation_id} ended as {evidence.status}"
                is_approved = evidence.is_approved
                rule = Rule.APPROVAL_SUFFICES if is_approved else Rule.RECORD_IS_TRUE
                raise Problem((rule,), what, unresolved=True)

    def _recorded_sid(self, key: RecordKey) -> str:
        # Its own, if it was exchanged for another conversation's: both are of the same text.
        record, own = self.store.records.get(key), self.observer.of(key).sids
        if record is None or record.vendor_id in own:
            return record.vendor_id if record else ""
        is_exchanged = own and record.vendor_id in self._sids_of_same_text(key)
        is_unique = self._recorded.count(record.vendor_id) == 1
        return own[0] if is_exchanged and is_unique else record.vendor_id

    def _listed_sid(self, key: RecordKey) -> str:
        own = self.observer.of(key).sids
        listed = [*own, *self._sids_of_same_text(key)] if own else []
        return next((sid for sid in listed if sid not in self._recorded), "")

    def _sids_of_same_text(self, key: RecordKey) -> list[str]:
        return [
            sid
            for other, observation in self.observer.observations.items()
            for sid in observation.sids
            if other != key and other.primary_channel == key.primary_channel
            if not self.generator.is_original
        ]

    @property
    def _recorded(self) -> list[str]:
        return [record.vendor_id for record in self.store.records.values()]

    def _is_in_thread(self, record: Record | None) -> bool:
        answer = record.sent.answer if record and record.sent else None
        is_in_one = answer is not None and bool(answer.thread_id)
        return not (answer and is_in_one) or (
            self.generator.threads[answer.thread_id] == answer.variables
        )

    def _evidence_of(self, key: RecordKey, *, is_final: bool = False) -> Evidence:
        # No release is counted: this operator releases only what was certainly not sent.
        observation, record = self.observer.of(key), self.store.records.get(key)
        vendor_id = record.vendor_id if record else ""
        self.observer.note_status(key, record.status if record else "no record")
        status = (record.delivery.status if record else None) or ""
        if observation.delivery_statuses[-1:] != [status]:
            observation.delivery_statuses.append(status)
        observation.undecidable += self.is_undecidable(record)
        own = {*observation.sids, vendor_id}
        # No other status depends on whether a worker is at it.
        is_unknown = record is not None and record.status is Status.SEND_UNKNOWN
        return Evidence(
            sids=tuple(observation.sids),
            locations=tuple(self.queue.location(m) for m in self.queue.messages if m.key == key),
            status=record.status if record else None,
            history=observation,
            recorded_sid=self._recorded_sid(key),
            failure_code=record.failure.code if record and record.failure else "",
            alarms=frozenset(observation.alarms),
            is_at_rest=not (is_unknown and any(c.is_at(key) for c in self.containers)),
            is_final=is_final,
            is_refused=observation.is_refused,
            reported=frozenset(status for sid in own for status in self.statuses.get(sid, ())),
            is_approved=observation.approved is not None,
            is_in_thread=self._is_in_thread(record),
            due_status=self.due_status(vendor_id) if is_final and vendor_id else None,
        )


class Played:
    """A schedule that was run."""

    def __init__(self, schedule: Schedule, alter: Alter = unaltered) -> None:
        self.problem: Problem | None = None
        model = Model(alter)
        try:
            for step in schedule:
                model.do(step)
            model.come_to_rest()
        except Problem as problem:
            self.problem = problem
        finally:
            model.close()
        self.trace, self.reached = model.trace, model.observer.reached


def smallest(schedule: Schedule, shows: Callable[[Schedule], bool]) -> Schedule:
    """Return the schedule with as few steps as show the same."""
    size = len(schedule)
    while size:
        before, start = schedule, 0
        while start < len(schedule):
            shorter = schedule[:start] + schedule[start + size :]
            if shows(shorter):
                schedule = shorter
            else:
                start += size
        size = size if size == 1 and schedule != before else size // 2
    return schedule
