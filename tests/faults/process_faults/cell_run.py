"""One cell from its beginning to its end: deliveries, the fault, the operator, the judgement."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.faults.operator_decisions import (
    Decision,
    DynamoDBOperatorTable,
    Operator,
    should_redrive,
)
from tests.faults.process_faults.calls import ERRORS, HEARTBEAT, KILLS, CallName, Fault, Redelivery
from tests.faults.process_faults.cells import Boundary, Cell, CellResult
from tests.faults.process_faults.clock import SLOTS
from tests.faults.process_faults.environment import KEY, TABLE, Environment
from tests.faults.process_faults.journal import Happening
from tests.faults.process_faults.runner import DriverError, HeldCall, WorkerProcess
from tests.faults.rules import Evidence, Rule, broken_rules, is_unresolved

FROZEN_SECONDS = 100.0
"""Longer than a lease, a visibility that is not renewed, and any sender's deadline."""
ROUNDS = 4
"""How often the operator acts at most."""
TICK = 0.001
"""Seconds after which a message is received whose visibility ends now."""


def inject(
    fault: Fault,
    held: HeldCall,
    worker: WorkerProcess,
    environment: Environment,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Let a fault happen at a held call, and the worker go on if it still can.

    Args:
        fault: What goes wrong.
        held: The call; the SDK's retries of it are held as well.
        worker: Its worker, which may be frozen already.
        environment: The services that would answer.
        meanwhile: Called while the worker is frozen, where the fault freezes it.
    """
    if fault in ERRORS:
        if fault is Fault.ERROR_YET_DONE:
            held.forward()
        held.answer(environment.services.error(held.call, fault))
    elif fault in KILLS:
        if fault is Fault.KILLED_AFTER:
            held.forward()
        worker.kill()
        held.reset()
    elif fault is Fault.TIMEOUT:
        worker.thaw()
        held.hang()
    elif fault is Fault.ANSWER_LOST or (fault is Fault.ANSWER_LOST_ONCE and not held.is_retry):
        held.forward()
        held.reset()
    elif fault is Fault.ANSWER_LOST_ONCE or held.is_retry:
        held.pass_through()
    else:
        early = held.forward() if fault is Fault.FROZEN_AFTER else None
        worker.freeze()
        meanwhile()
        held.answer(early or held.forward())
    worker.thaw()


@dataclass(frozen=True)
class Holding:
    """Which calls of a delivery are held, and what is done with them."""

    holds: Callable[[CallName], bool] = lambda _: False
    handle: Callable[[HeldCall, WorkerProcess], None] = lambda held, _: held.pass_through()


@dataclass(frozen=True)
class EventSourceMapping:
    """Receives messages, invokes workers one by one, and deletes what has not failed."""

    environment: Environment

    def deliver_next(self, holding: Holding | None = None) -> WorkerProcess | None:
        """Deliver the next message, once it is visible; None if there is none on the queue.

        Raises:
            DriverError: There is no end of deliveries.
        """
        queue = self.environment.queue
        while (visible_at := queue.next_visible()) is not None:
            self.environment.advance(max(visible_at - self.environment.now, 0.0) + TICK)
            if worker := self._deliver(holding or Holding()):
                return worker
        return None

    def deliver_visible(self) -> None:
        """Deliver each message once that is visible now."""
        for _ in range(self.environment.queue.count_visible()):
            self._deliver(Holding())

    def _deliver(self, holding: Holding) -> WorkerProcess | None:
        record = self.environment.queue.receive()
        if record is None:  # it went to the dead-letter queue
            return None
        if len(self.environment.workers) == SLOTS:
            raise DriverError("there is no end of deliveries")
        worker = self.environment.start(record, holding.holds)
        while held := worker.next_held():
            holding.handle(held, worker)
        failed = worker.finish()
        if failed is not None and record["messageId"] not in failed:
            self.environment.queue.delete(record["receiptHandle"])
        return worker


def scripted(environment: Environment, delivery: int) -> Holding:
    """Return how the scenario's own faults of a delivery are injected."""
    fault_at = environment.scenario.scripted

    def handle(held: HeldCall, worker: WorkerProcess) -> None:
        fault = fault_at(delivery, held.call)
        if fault is None:
            held.pass_through()
        else:
            inject(fault, held, worker, environment)

    return Holding(lambda call: fault_at(delivery, call) is not None, handle)


def boundaries_of(environment: Environment) -> tuple[Boundary, ...]:
    """Run a scenario without a further fault, and return its boundaries in their order."""
    environment.enqueue()
    mapping, scenario = EventSourceMapping(environment), environment.scenario
    worker: WorkerProcess | None = None
    for delivery in range(1, scenario.examined + 1):
        worker = mapping.deliver_next(scripted(environment, delivery))
    number = worker.number if worker else 0
    events = (event for event in environment.journal.events if event.worker == number)
    calls = dict.fromkeys(event.call for event in events if scenario.is_examined(event.call))
    return tuple(Boundary(scenario.name, call) for call in calls)


class CellRun:
    """One cell, to be run once in an environment of its own."""

    def __init__(self, cell: Cell, environment: Environment) -> None:
        self._cell = cell
        self._environment = environment
        self._mapping = EventSourceMapping(environment)
        self._operator = Operator(DynamoDBOperatorTable(environment.services.dynamodb, TABLE))
        self._messages = [environment.enqueue()]
        self._broken: set[Rule] = set()
        self._operator_actions = 0
        self._redelivered_after: float | None = None
        self._is_reached = self._is_unresolved = False

    def results(self) -> Iterator[CellResult]:
        """Run it, and yield the result of each cell that it covers."""
        for delivery in range(1, self._cell.setup.examined + 1):
            self._mapping.deliver_next(self._holding(delivery))
            evidence = self._judge(is_final=False)
        for cell in self._cell.covered:
            if cell.redelivery is Redelivery.LATE:
                self._messages.append(self._environment.enqueue())
            if cell.redelivery is not Redelivery.ALONE:
                evidence = self._run_to_the_end()
            yield self._result(cell, evidence)

    def _result(self, cell: Cell, evidence: Evidence) -> CellResult:
        return CellResult(
            cell=cell,
            broken=tuple(rule for rule in Rule if rule in self._broken),
            is_unresolved=self._is_unresolved,
            operator_actions=self._operator_actions,
            evidence=evidence,
            is_reached=self._is_reached,
            trace=self._environment.journal.trace(),
            log=self._environment.log(),
        )

    def _holding(self, delivery: int) -> Holding:
        script, call = scripted(self._environment, delivery), self._cell.call
        if delivery != self._cell.setup.examined:
            return script

        def handle(held: HeldCall, worker: WorkerProcess) -> None:
            (self._inject if held.call == call else script.handle)(held, worker)

        return Holding(lambda other: other == call or script.holds(other), handle)

    def _inject(self, held: HeldCall, worker: WorkerProcess) -> None:
        self._is_reached = True
        environment, fault = self._environment, self._cell.fault
        if self._cell.redelivery is Redelivery.CONCURRENT and not held.is_retry:
            worker.freeze()  # so that no timeout of a socket ends meanwhile
            self._messages.append(environment.enqueue())
            self._mapping.deliver_visible()
        inject(fault, held, worker, environment, self._while_frozen)
        if fault in KILLS and self._has_beaten(worker):
            self._redelivered_after = environment.queue.visible_in(worker.message_id)

    def _while_frozen(self) -> None:
        self._environment.advance(FROZEN_SECONDS)
        if self._cell.redelivery is not Redelivery.ALONE:
            self._mapping.deliver_visible()

    def _has_beaten(self, worker: WorkerProcess) -> bool:
        return any(
            event.worker == worker.number
            and event.call.kind.startswith(HEARTBEAT)
            and event.what is Happening.APPLIED
            for event in self._environment.journal.events
        )

    def _run_to_the_end(self) -> Evidence:
        for _ in range(ROUNDS):
            while self._mapping.deliver_next():
                self._judge(is_final=False)
            self._is_unresolved |= is_unresolved(self._evidence(is_final=True))
            if not self._let_operator_act():
                break
        return self._judge(is_final=True)

    def _let_operator_act(self) -> bool:
        """Let the operator decide, then redrive; return whether anything was redriven."""
        environment = self._environment
        sids = [message["sid"] for message in environment.services.twilio.messages()]
        decision = self._operator.decide(KEY, sids[0] if sids else "", environment.now)
        environment.read_record()
        is_redriven = should_redrive(self._evidence(is_final=True))
        if is_redriven:
            environment.queue.redrive()
        self._operator_actions += decision is not Decision.NOTHING or is_redriven
        return is_redriven

    def _judge(self, *, is_final: bool) -> Evidence:
        evidence = self._evidence(is_final=is_final)
        self._broken |= set(broken_rules(evidence))
        return evidence

    def _evidence(self, *, is_final: bool) -> Evidence:
        environment = self._environment
        record, history = environment.record, environment.journal.history()
        lines = [line for worker in environment.workers for line in worker.lines()]
        return Evidence(
            sids=tuple(message["sid"] for message in environment.services.twilio.messages()),
            locations=tuple(environment.queue.location(message) for message in self._messages),
            status=record.status,
            recorded_sid=record.sid,
            failure_code=record.failure,
            alarms=frozenset(str(ln.get("event")) for ln in lines if ln.get("level") == "CRITICAL"),
            releases=self._operator.releases[KEY],
            asked_again=history.asked_again,
            acts_without_lease=tuple(history.acts_without_lease),
            is_final=is_final,
            is_refused=self._cell.is_refused,
            redelivered_after=self._redelivered_after,
        )
