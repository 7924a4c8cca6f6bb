"""Runs cells: deliveries, the fault, the operator, the judgement; several drivers at once."""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from local.fakes.aws import TABLE
from tests.faults.operator_decisions import (
    OperatorAtDynamoDB,
    approve_held_draft,
    should_redrive,
)
from tests.faults.process_faults._clock import SharedTime
from tests.faults.process_faults._environment import (
    CONTEXT,
    INVENTED,
    KEY,
    Environment,
    Handler,
    HeldCall,
    Holding,
    NoAnswer,
    WorkerProcess,
)
from tests.faults.process_faults._services import Services, services
from tests.faults.process_faults.calls import (
    ERRORS,
    HEARTBEAT,
    KILLS,
    CallName,
    Fault,
    Happening,
    Redelivery,
    history_of,
)
from tests.faults.process_faults.cells import (
    SCENARIOS,
    Boundary,
    Cell,
    CellResult,
    Scenario,
    cells_to_run,
)
from tests.faults.process_faults.worker import OURS
from tests.faults.rules import (
    Evidence,
    Result,
    Rule,
    Violation,
    broken_rules,
    is_unresolved,
)
from tests.support.aws_account import clients

FROZEN_SECONDS = 100.0
"""Longer than a lease, a visibility that is not renewed, and any sender's deadline."""
ROUNDS = 4
"""How often the operator acts at most."""
RUNS_PER_TASK = 5
DRIVERS = 2 * (os.cpu_count() or 1)
"""Drivers at once: what they do most is wait."""


def inject(
    fault: Fault,
    held: HeldCall,
    worker: WorkerProcess,
    environment: Environment,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Let a fault happen at a held call, and the worker go on if it still can.

    The SDK's retries of the call are held as well. The worker may be frozen already; where the
    fault freezes it, `meanwhile` is called.
    """
    if fault in ERRORS:
        if fault is Fault.ERROR_YET_DONE:
            held.forward()
        held.answer(environment.services.error(held.attempt.call, fault))
    elif fault in KILLS:
        if fault is Fault.KILLED_AFTER:
            held.forward()
        worker.kill()
        held.leave(NoAnswer.RESET)
    elif fault is Fault.TIMEOUT:
        worker.thaw()
        held.leave(NoAnswer.HANG)
    elif fault is Fault.ANSWER_LOST or (fault is Fault.ANSWER_LOST_ONCE and not held.is_retry):
        held.forward()
        held.leave(NoAnswer.RESET)
    elif fault is Fault.ANSWER_LOST_ONCE or held.is_retry:
        held.pass_through()
    else:
        early = held.forward() if fault is Fault.FROZEN_AFTER else None
        worker.freeze()
        meanwhile()
        held.answer(early or held.forward())
    worker.thaw()


def scripted(environment: Environment, delivery: int) -> Holding:
    """Return how the scenario's own fault is injected in a delivery."""

    def holding(call: CallName) -> Handler | None:
        if fault := environment.scenario.scripted(delivery, call):
            return lambda held, worker: inject(fault, held, worker, environment)
        return None

    return holding


class CellRun:
    """One cell, to be run once in an environment of its own."""

    def __init__(self, cell: Cell, environment: Environment) -> None:
        self._cell = cell
        self._environment = environment
        self._operator = OperatorAtDynamoDB(clients().dynamodb, TABLE)
        self._messages = [environment.enqueue()]
        self._broken: set[Rule] = set()
        self._operator_actions = 0
        self._redelivered_after: float | None = None
        self._is_reached = self._is_unresolved = self._is_approved = False

    def results(self) -> Iterator[CellResult]:
        """Run it, and yield the result of each cell that it covers."""
        for delivery in range(1, self._cell.setup.examined + 1):
            self._environment.deliver_next(self._holding(delivery))
            evidence = self._judge(is_final=False)
        for cell in self._cell.covered:
            if cell.redelivery is Redelivery.LATE:
                self._messages.append(self._environment.enqueue())
            if cell.redelivery is not Redelivery.ALONE:
                evidence = self._run_to_the_end()
            yield CellResult(
                cell=cell,
                broken=tuple(rule for rule in Rule if rule in self._broken),
                is_unresolved=self._is_unresolved,
                operator_actions=self._operator_actions,
                evidence=evidence,
                is_reached=self._is_reached,
                trace=tuple(map(str, self._environment.events)),
                log=self._environment.log(),
            )

    def _holding(self, delivery: int) -> Holding:
        script = scripted(self._environment, delivery)
        if delivery != self._cell.setup.examined:
            return script
        return lambda call: self._inject if call == self._cell.call else script(call)

    def _inject(self, held: HeldCall, worker: WorkerProcess) -> None:
        self._is_reached = True
        environment, fault = self._environment, self._cell.fault
        if self._cell.redelivery is Redelivery.CONCURRENT and not held.is_retry:
            worker.freeze()  # so that no timeout of a socket ends meanwhile
            self._messages.append(environment.enqueue())
            environment.deliver_visible()
        inject(fault, held, worker, environment, self._while_frozen)
        if fault in KILLS and self._has_beaten(worker):
            self._redelivered_after = environment.queue.visible_in(worker.message_id)

    def _while_frozen(self) -> None:
        self._environment.advance(FROZEN_SECONDS)
        if self._cell.redelivery is not Redelivery.ALONE:
            self._environment.deliver_visible()

    def _has_beaten(self, worker: WorkerProcess) -> bool:
        return any(
            event.worker == worker.number
            and event.call.kind.startswith(HEARTBEAT)
            and event.what is Happening.APPLIED
            for event in self._environment.events
        )

    def _run_to_the_end(self) -> Evidence:
        for _ in range(ROUNDS):
            while self._environment.deliver_next():
                self._judge(is_final=False)
            self._is_unresolved |= is_unresolved(self._evidence(is_final=True))
            if not self._let_operator_act():
                break
        return self._judge(is_final=True)

    def _let_operator_act(self) -> bool:
        """Let the operator decide, then redrive; return whether a message is on the queue again."""
        environment = self._environment
        if body := approve_held_draft(clients().dynamodb, TABLE, KEY, environment.now):
            self._is_approved = True
            self._messages.append(environment.queue.send(body))
            self._operator_actions += 1
            return True
        sid = next(iter(environment.services.sids()), "")
        decision = self._operator.decide(KEY, sid, environment.now)
        environment.read_record()
        is_redriven = should_redrive(self._evidence(is_final=True))
        if is_redriven:
            environment.queue.redrive()
        self._operator_actions += decision is not None or is_redriven
        return is_redriven

    def _judge(self, *, is_final: bool) -> Evidence:
        evidence = self._evidence(is_final=is_final)
        self._broken |= set(broken_rules(evidence))
        return evidence

    def _evidence(self, *, is_final: bool) -> Evidence:
        environment = self._environment
        record, history = environment.record, history_of(environment.events)
        history.hand_offs = environment.queue.count_hand_offs()
        history.sent_unapproved = (
            0 if self._is_approved else environment.services.count_sent(INVENTED)
        )
        lines = [line for worker in environment.workers for line in worker.lines()]
        return Evidence(
            sids=environment.services.sids(),
            locations=tuple(environment.queue.location(message) for message in self._messages),
            status=record.status,
            history=history,
            recorded_sid=record.sid,
            failure_code=record.failure,
            alarms=frozenset(str(ln.get("event")) for ln in lines if ln.get("level") == "CRITICAL"),
            releases=self._operator.releases[KEY],
            is_final=is_final,
            is_approved=self._is_approved,
            is_refused=self._cell.is_refused,
            redelivered_after=self._redelivered_after,
        )


@dataclass(frozen=True)
class Driver:
    """Runs cells one after the other in this process, each in a new environment."""

    services: Services
    scratch: Path

    @contextmanager
    def environment(self, scenario: Scenario, handler: str = OURS) -> Iterator[Environment]:
        """Yield a new environment."""
        environment = Environment(self.services, scenario, handler, self.scratch)
        try:
            yield environment
        finally:
            environment.close()

    def boundaries(self, name: str, handler: str = OURS) -> tuple[Boundary, ...]:
        """Return the calls that a scenario examines, in their order, as that handler makes them."""
        scenario = SCENARIOS[name]
        with self.environment(scenario, handler) as environment:
            environment.enqueue()
            worker: WorkerProcess | None = None
            for delivery in range(1, scenario.examined + 1):
                worker = environment.deliver_next(scripted(environment, delivery))
            number = worker.number if worker else 0
            made = [event.call for event in environment.events if event.worker == number]
        return tuple((name, call) for call in dict.fromkeys(made) if scenario.is_examined(call))

    def run(self, cell: Cell, handler: str = OURS) -> CellResult:
        return self.run_covered(cell, handler)[-1]

    def run_covered(self, cell: Cell, handler: str = OURS) -> tuple[CellResult, ...]:
        """Run one cell, and return the result of each that it covers, its own last."""
        with self.environment(cell.setup, handler) as environment:
            try:
                return tuple(CellRun(cell, environment).results())
            except Exception as error:  # noqa: BLE001 - one cell must not end the others
                lines, log = tuple(map(str, environment.events)), environment.log()
                what = f"{type(error).__name__}: {error}"
                return tuple(CellResult(c, error=what, trace=lines, log=log) for c in cell.covered)


@contextmanager
def driver() -> Iterator[Driver]:
    """Yield a driver; meanwhile this process's SQS uses the cells' time."""
    with (
        services(SharedTime(CONTEXT)) as made,
        tempfile.TemporaryDirectory(prefix="cells-") as scratch,
    ):
        yield Driver(made, Path(scratch))


def all_cells(pool: Executor, handler: str = OURS) -> tuple[Cell, ...]:
    """Return the cells that together cover every cell, for the calls that this handler makes."""
    boundaries = pool.map(_boundaries, SCENARIOS, [handler] * len(SCENARIOS))
    return tuple(cells_to_run(boundary for part in boundaries for boundary in part))


def run_cells(
    pool: Executor, cells: Sequence[Cell], handler: str, on_progress: Callable[[int, int], None]
) -> Result:
    """Run cells with the handler of that name; progress is covered cells done, of how many."""
    results: list[CellResult] = []
    total = sum(len(cell.covered) for cell in cells)
    parts = [cells[start : start + RUNS_PER_TASK] for start in range(0, len(cells), RUNS_PER_TASK)]
    for task in as_completed([pool.submit(_run, part, handler) for part in parts]):
        results += task.result()
        on_progress(len(results), total)
    return Result(
        violations=tuple(_violation(result) for result in results if not result.is_kept),
        size=f"{len(results):,} cells",
        operator_needed=sum(result.operator_actions > 0 for result in results),
    )


def _violation(result: CellResult) -> Violation:
    return Violation(
        subject=str(result.cell),
        rules=result.broken,
        what=result.outcome,
        is_unresolved=result.is_unresolved,
        replay=f'python -m tests.faults cell "{result.cell}"',
    )


def _boundaries(scenario: str, handler: str) -> tuple[Boundary, ...]:
    with driver() as one:
        return one.boundaries(scenario, handler)


def _run(cells: Iterable[Cell], handler: str) -> list[CellResult]:
    with driver() as one:
        return [
            replace(result, trace=(), log=()) if result.is_kept else result
            for cell in cells
            for result in one.run_covered(cell, handler)
        ]
