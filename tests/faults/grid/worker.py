"""A worker: a process that runs the real handler on one SQS event, and may be killed."""

import os
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, cast

from tests.faults.grid import handlers
from tests.faults.grid.leash import end_with_parent
from tests.faults.grid.virtual_time import PROCESS_TIME, SharedTime, WorkerTime


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker is started for.

    Attributes:
        handler: Name of the handler to run, see `handlers`.
        environment: The function's environment variables.
        event: An SQS event.
        ends_at: When Lambda ends the function, in epoch seconds.
        log: Path of the file that gets its log.
    """

    handler: str
    environment: Mapping[str, str]
    event: Mapping[str, Any]
    ends_at: float
    log: str


@dataclass(frozen=True, slots=True)
class LambdaContext:
    """What Lambda tells the handler about itself and its time."""

    clock: WorkerTime
    ends_at: float
    function_name: str = "whatsapp-channel-processor-dev"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:processor"
    aws_request_id: str = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the function."""
        return round((self.ends_at - self.clock.time()) * 1000)


def run(task: Task, shared: SharedTime, slot: int, result: Connection) -> None:
    """Handle the event and send what the handler returns; None if it raises."""
    end_with_parent()
    clock = WorkerTime(shared, slot)
    PROCESS_TIME.bind(clock)
    handlers.go_by(task.handler, clock)
    os.environ.update(task.environment)
    with open(task.log, "w", buffering=1, encoding="utf-8") as sys.stdout:  # noqa: PTH123
        result.send(_handled(task, LambdaContext(clock, task.ends_at)))


def _handled(task: Task, context: LambdaContext) -> dict[str, Any] | None:
    try:
        return handlers.load(task.handler)(task.event, cast("Any", context))
    except Exception:  # noqa: BLE001 - as Lambda does: the invocation has failed
        traceback.print_exc()
        return None
