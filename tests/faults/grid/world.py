"""A fresh world for one cell: a table, queues, secrets, vendors, time, and the workers in it."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Request, Response

from local.stand_ins import TwilioSettings
from tests.faults.grid import stage
from tests.faults.grid.calls import GENERATIONS, Attempt, CallName
from tests.faults.grid.journal import Event, Happening, Journal, RecordState
from tests.faults.grid.passing import let_pass
from tests.faults.grid.queue_view import QueueView
from tests.faults.grid.runner import Runner
from tests.faults.grid.scenarios import Scenario
from tests.faults.grid.services import Services
from tests.faults.grid.virtual_time import EPOCH
from tests.faults.grid.worker import Task

_SHOWN = ("level", "event", "failure_code", "message")


class World:
    """Everything that a conversation meets, made anew.

    Args:
        services: AWS and the vendors; what was there before is forgotten.
        scenario: What is special in it.
        handler: The name of what runs in it.
        scratch: A folder for the workers' logs.

    Attributes:
        queue: The channel's queue.
        journal: What happens.
        runners: The workers, in the order of their numbers.
        record: What the conversation's record says.
    """

    def __init__(self, services: Services, scenario: Scenario, handler: str, scratch: Path) -> None:
        self.services = services
        self.scenario = scenario
        self.journal = Journal()
        self.runners: list[Runner] = []
        self.record = RecordState()
        self._handler = handler
        self._logs = Path(tempfile.mkdtemp(dir=scratch))
        services.forget()
        services.time.reset()
        services.twilio.settings = TwilioSettings(list_lag_calls=scenario.list_lag_calls)
        self.queue = QueueView(services, stage.QUEUE, scenario.max_receive_count)
        self.queue.create()
        stage.furnish(services, scenario)

    @property
    def now(self) -> float:
        """The time, in epoch seconds."""
        return self.services.time.now

    def enqueue(self) -> str:
        """Put the context object on the queue, and return its message's id."""
        return self.queue.send(stage.body(self.scenario))

    def start(self, record: dict[str, Any], holds: Callable[[CallName], bool]) -> Runner:
        """Start a worker on a message out of the queue."""
        number = len(self.runners) + 1
        task = Task(
            handler=self._handler,
            environment=stage.environment(self.scenario),
            event={"Records": [record]},
            ends_at=self.now + stage.FUNCTION_SECONDS,
            log=str(self._logs / f"worker-{number}.log"),
        )
        runner = Runner(number, task, self.services.time, self, holds)
        self.runners.append(runner)
        return runner

    def close(self) -> None:
        """Leave nothing running, and nothing behind."""
        for runner in self.runners:
            runner.close()
        shutil.rmtree(self._logs)

    def let_pass(self, seconds: float) -> None:
        """Let time pass; every beat that falls into it is made."""
        let_pass(self.services.time, seconds, self.runners)

    def serve(self, attempt: Attempt, request: Request) -> Response:
        """Let a service answer a worker's call, and note what that did to the record."""
        service = attempt.call.service
        if service in self.services.vendors:
            before = self.record
            response = self.services.answer(service, request.environ)
        else:
            with self.services.aws_lock:
                before = self.record
                response = self.services.answer(service, request.environ)
                self.look()
        self._add(attempt, Happening.APPLIED, before, response.status_code)
        return response

    def note(self, attempt: Attempt, what: Happening, status: int = 0) -> None:
        """Write down what happened to a worker's call."""
        self._add(attempt, what, self.record, status)

    def take_time(self, call: CallName) -> None:
        """The AI takes its time."""
        if call.kind in GENERATIONS:
            self.let_pass(self.scenario.ai_seconds)

    def look(self) -> None:
        """Look anew at what the record says, after it may have been written."""
        self.record = RecordState.of(self.services.item(stage.TABLE, stage.KEY))

    def log(self) -> tuple[str, ...]:
        """What the workers logged: worker, level, event and code of each line."""
        return tuple(
            f"worker {runner.number}  "
            + "  ".join(str(line[name]) for name in _SHOWN if line.get(name))
            for runner in self.runners
            for line in runner.lines()
            if "_aws" not in line  # metrics
        )

    def _add(self, attempt: Attempt, what: Happening, before: RecordState, status: int) -> None:
        at = self.now - EPOCH
        self.journal.add(Event(at, attempt, what, before, self.record, status))
