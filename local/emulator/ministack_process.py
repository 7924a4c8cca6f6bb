"""The embedded AWS's process: MiniStack, with what differs from AWS changed.

* MiniStack 1.5.33 waits 50 ms for the log lines of an invocation that has ended. On a busy machine
  its own thread reads some of them later; they are then attributed to a later invocation, or lost.
  Here every line that a function logs is kept.
* An alarm there ignores its dimensions: a dead letter of one queue sets off every queue's alarm.
* A function that cannot start logs nothing there. At AWS its log has the error.
* An HTTP API without CORS answers OPTIONS with 403 there, and as any unknown route with 404 at AWS.

Run as a script by the interpreter of .venv-cloud, which has MiniStack but not this project.
"""

# ruff: noqa: SLF001 - the replaced methods are private

import array
import fcntl
import json
import os
import select
import termios
import threading
import time
from collections.abc import Callable
from types import FunctionType
from typing import Any

CHUNK_BYTES = 65_536
END_SECONDS = 1
"""How long the rest of the log of a function's ended process is waited for."""
POLL_SECONDS = 0.001
FAILED_START = "Runtime.InitError"
"""The type of the error of a function that cannot start."""

_reading = threading.Lock()


def read_log(worker: Any) -> None:
    """Queue a process's log lines until it ends; no line is in neither the pipe nor the queue."""
    pipe, lines = worker._proc.stderr, worker._stderr_queue
    poll, unfinished = select.poll(), b""
    poll.register(pipe)
    while True:
        poll.poll()
        with _reading:
            chunk = os.read(pipe.fileno(), CHUNK_BYTES)
            *complete, unfinished = (unfinished + chunk).split(b"\n")
            if not chunk and unfinished:
                complete = [unfinished]
            for line in complete:
                lines.put(line.decode(errors="replace"))
        if not chunk:
            return


def log_of_invocation(worker: Any) -> str:
    """Return all that a process has logged before its response was read."""
    if worker._proc is None:
        worker._stderr_thread.join(END_SECONDS)
        return str(worker._drain_stderr())
    while True:
        with _reading:
            if not _unread_bytes(worker._proc.stderr.fileno()):
                return str(worker._drain_stderr())
        time.sleep(POLL_SECONDS)


def _unread_bytes(descriptor: int) -> int:
    count = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, count)
    return count[0]


def log_failed_starts(execute: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Return what invokes a function, with the error of a failed start as the invocation's log."""

    def execute_function(*arguments: Any) -> dict[str, Any]:
        result = execute(*arguments)
        body = result["body"]
        if result.get("error") and body.get("errorType") == RuntimeError.__name__:
            line = {"log_level": "ERROR", **body, "errorType": FAILED_START}
            return result | {"log": json.dumps(line)}
        return result

    return execute_function


def answer_preflight(apigateway: Any) -> Callable[[dict[str, Any], str], object]:
    """Return what answers an OPTIONS request to an HTTP API, by its CORS and the origin."""
    with_cors = apigateway._cors_preflight_response
    return lambda cors, origin: (
        with_cors(cors, origin) if cors else apigateway._http_api_not_found()
    )


def evaluate_by_dimensions(cloudwatch: Any) -> Callable[[dict[str, Any]], object]:
    """Return what evaluates an alarm on the metric with exactly its dimensions."""
    evaluate = cloudwatch._evaluate_alarm

    def evaluate_alarm(alarm: dict[str, Any]) -> object:
        key = cloudwatch._dims_key(cloudwatch._dims_from_list(alarm.get("Dimensions") or []))
        own = {each: points for each, points in cloudwatch._metrics.items() if each[2] == key}
        # The same function, to which these are all the metrics that there are.
        return FunctionType(evaluate.__code__, {**vars(cloudwatch), "_metrics": own})(alarm)

    return evaluate_alarm


if __name__ == "__main__":
    from ministack import app  # type: ignore[import-not-found]
    from ministack.core.lambda_runtime import Worker  # type: ignore[import-not-found]
    from ministack.services import (  # type: ignore[import-not-found]
        apigateway,
        cloudwatch,
        lambda_svc,
    )

    Worker._read_stderr = read_log
    Worker._drain_stderr_bounded = log_of_invocation
    apigateway._cors_preflight_response = answer_preflight(apigateway)
    cloudwatch._evaluate_alarm = evaluate_by_dimensions(cloudwatch)
    lambda_svc._execute_function_warm = log_failed_starts(lambda_svc._execute_function_warm)
    app.main()
