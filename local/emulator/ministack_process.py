"""The embedded AWS's process: MiniStack, with what differs from AWS changed.

* MiniStack 1.5.33 waits 50 ms for the log lines of an invocation that has ended. On a busy machine
  its own thread reads some of them later; they are then attributed to a later invocation, or lost.
  Here every line that a function logs is kept.
* An alarm there ignores its dimensions, `DatapointsToAlarm` and `TreatMissingData`, and evaluates
  its periods as one: a dead letter of one queue sets off every queue's alarm, and an alarm over log
  lines never ends. Here alarms are evaluated as CloudWatch documents it (docs/local-cloud.md).
* A function that cannot start logs nothing there. At AWS its log has the error.
* An HTTP API without CORS answers OPTIONS with 403 there, and as any unknown route with 404 at AWS.
* What has changed there can only be found out with many requests. Here `CHANGES_PATH` has it in
  one, and `LOG_PATH` the lines of a log group after a position (see `local.emulator.feed`).
* The first process of each function lives as long as MiniStack there, with its memory and its
  unpacked package. Here one that was idle for `IDLE_SECONDS` is ended, as AWS does, only later.
* A table's item takes 30 KB there, and a transaction's request as much for ten minutes. Here items
  are compressed, and a request is kept as its digest.
* The tasks of a closed connection live for 75 seconds there, until Hypercorn's timeout. Here they
  end with it.
* Each value of a metric is kept there, and read at each evaluation of an alarm. Here equal values
  of a minute are one with a count, and a metric keeps the latest `KEPT_VALUES`.
* Log lines are kept without a limit there. Here a log group keeps the latest `KEPT_LINES`,
  compressed; CloudWatch Logs' own API has the latest `KEPT_EVENTS` of them.

Run as a script by the interpreter of .venv-cloud, which has MiniStack but not this project.
"""

# ruff: noqa: SLF001 - the replaced methods are private

import array
import ctypes
import fcntl
import hashlib
import json
import operator
import os
import select
import termios
import threading
import time
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from functools import lru_cache
from typing import Any, ClassVar
from urllib.parse import parse_qsl

CHANGES_PATH = "/_local-cloud/changes"
LOG_PATH = "/_local-cloud/log"
KEPT_LINES = 100_000
"""Of each log group: those of some ten thousand messages, in about 10 MB."""
KEPT_EVENTS = 2_000
KEPT_VALUES = 20_000
"""Of each metric."""
CHUNK_LINES = 500
MAX_LINES = 5_000
"""In one response."""

KEPT_SCAN_SECONDS = 10
EXPIRY_SECONDS = 900
IDLE_SECONDS = 60
REAP_SECONDS = 5

CHUNK_BYTES = 65_536
END_SECONDS = 1
"""How long the rest of the log of a function's ended process is waited for."""
POLL_SECONDS = 0.001
FAILED_START = "Runtime.InitError"
"""The type of the error of a function that cannot start."""

EXTRA_PERIODS = 2
"""If data points are missing, CloudWatch looks back further than the evaluation periods. How far is
not documented; this is the distance of the documentation's examples."""
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}

_reading = threading.Lock()


class State(StrEnum):
    """An alarm's state."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


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


Line = tuple[int, str, str]
"""Time in milliseconds, stream and text of a log line."""


class LineHistory:
    """The latest log lines of a log group, in the order in which they were stored.

    A line's position is the number of lines before it, dropped ones included.

    Attributes:
        end: the position of the next line.
    """

    def __init__(self) -> None:
        self.end = 0
        self._lock = threading.Lock()
        self._open: list[Line] = []
        self._chunks: deque[bytes] = deque(maxlen=KEPT_LINES // CHUNK_LINES)

    def append(self, lines: Sequence[Line]) -> None:
        """Add lines."""
        with self._lock:
            self._open += lines
            self.end += len(lines)
            while len(self._open) >= CHUNK_LINES:
                full, self._open = self._open[:CHUNK_LINES], self._open[CHUNK_LINES:]
                self._chunks.append(zlib.compress(json.dumps(full).encode()))

    def read(self, after: int) -> tuple[int, list[Line]]:
        """Return lines from a position on, not more than `MAX_LINES`.

        Returns:
            The position of the first line, which is later than `after` if lines before it were
            dropped, and the lines.
        """
        with self._lock:
            first_open = self.end - len(self._open)
            oldest = first_open - CHUNK_LINES * len(self._chunks)
            first = max(oldest, min(after, self.end))
            skipped, offset = divmod(first - oldest, CHUNK_LINES)
            needed = -(-(offset + MAX_LINES) // CHUNK_LINES)
            chunks = [*self._chunks][skipped : skipped + needed]
            rest = self._open if skipped + needed > len(self._chunks) else []
            if skipped >= len(self._chunks):
                offset = first - first_open
        lines = [line for chunk in chunks for line in json.loads(zlib.decompress(chunk))]
        return first, [*lines, *rest][offset : offset + MAX_LINES]


class LogGroups:
    """The histories of all log groups, filled by what passes lines on to subscription filters.

    Args:
        cloudwatch_logs: MiniStack's service.
    """

    def __init__(self, cloudwatch_logs: Any) -> None:
        self._service = cloudwatch_logs
        self._pass_on = cloudwatch_logs._fanout_to_subscription_filters
        self._histories: dict[str, LineHistory] = {}

    def record(self, group: str, stream: str, events: Sequence[Mapping[str, Any]]) -> None:
        """Keep the new lines of a log group, after MiniStack has stored them itself."""
        lines = [(event["timestamp"], stream, event["message"]) for event in events]
        self._histories.setdefault(group, LineHistory()).append(lines)
        self._pass_on(group, stream, events)
        self._forget_old_events(group)

    def _forget_old_events(self, group: str) -> None:
        """Remove the oldest streams: each invocation has its own."""
        with self._service._log_events_lock:
            streams = self._service._log_groups[group]["streams"]
            kept = 0
            for name in reversed([*streams]):
                events = streams[name]["events"]
                if kept >= KEPT_EVENTS:
                    del streams[name]
                elif kept + len(events) > KEPT_EVENTS:
                    streams[name]["events"] = events[kept - KEPT_EVENTS :]
                kept += len(events)

    def ends(self) -> dict[str, int]:
        """Return the position of the next line of each log group."""
        return {name: history.end for name, history in [*self._histories.items()]}

    def read(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Return the lines of a log group after a position."""
        name = query["group"]
        if name not in {key[-1] for key in [*self._service._log_groups.to_dict()]}:
            raise LookupError(f"there is no log group {name}")
        first, lines = self._histories.get(name, LineHistory()).read(int(query["after"]))
        return {"first": first, "lines": lines}


Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]
"""An ASGI application."""


def serve_documents(
    application: Application, documents: Mapping[str, Callable[[Mapping[str, str]], object]]
) -> Application:
    """Return an application that serves JSON documents at some paths, besides what it serves.

    Args:
        application: what serves all other paths.
        documents: returns a path's document for the parameters of the query; a LookupError is a
            response with the status 404.
    """

    async def serve(scope: dict[str, Any], receive: Any, send: Any) -> None:
        document = documents.get(scope.get("path", ""))
        if document is None:
            await application(scope, receive, send)
            return
        status = 200
        try:
            content = document(dict(parse_qsl(scope["query_string"].decode())))
        except LookupError as error:
            status, content = 404, {"error": error.args[0]}
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(content).encode()})

    return serve


class Counter:
    """Counts the calls of a function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.count = 0
        self._function = function

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function."""
        self.count += 1
        return self._function(*arguments, **named)


def decompress(item: bytes) -> Any:
    """Return a compressed item."""
    return json.loads(zlib.decompress(item))


class Items(dict[str, Any]):
    """The items of a table's partition by their sort keys, compressed: to a fifteenth."""

    decompress: ClassVar[Callable[[bytes], Any]] = decompress

    def __setitem__(self, key: str, item: Any) -> None:
        super().__setitem__(key, zlib.compress(json.dumps(item).encode(), 1))

    def __getitem__(self, key: str) -> Any:
        return Items.decompress(super().__getitem__(key))

    def __deepcopy__(self, memo: object) -> "Items":
        copied = Items()
        dict.update(copied, dict(super().items()))
        return copied

    def get(self, key: str, default: Any = None) -> Any:
        """Return an item."""
        item = super().get(key)
        return default if item is None else Items.decompress(item)

    def pop(self, key: str, default: Any = None) -> Any:
        """Remove and return an item."""
        item = self.get(key, default)
        super().pop(key, None)
        return item

    def values(self) -> Any:
        """Return the items."""
        return [self[key] for key in self]

    def items(self) -> Any:
        """Return the sort keys with their items."""
        return [(key, self[key]) for key in self]


def seldom_expired(settings: Any) -> Any:
    """Return the tables' settings of items' expiry, with which items are seldom looked at.

    MiniStack does it each minute; AWS takes days to delete an expired item.
    """
    next_at = time.monotonic() + EXPIRY_SECONDS

    def all_items(self: Any) -> list[Any]:
        nonlocal next_at
        if time.monotonic() < next_at:
            return []
        next_at = time.monotonic() + EXPIRY_SECONDS
        return [*self.to_dict().items()]

    seldom = type("SeldomExpired", (type(settings),), {"all_items": all_items})()
    seldom.update(settings)
    return seldom


def scan_decompressed(scan: Callable[..., Any]) -> Callable[..., Any]:
    """Return what scans a table; each of many pages reads all items, which are kept for a while."""
    keep = lru_cache(maxsize=None)(decompress)
    repeat(keep.cache_clear, KEPT_SCAN_SECONDS)

    def run(*arguments: Any) -> Any:
        Items.decompress = keep
        try:
            return scan(*arguments)
        finally:
            Items.decompress = decompress

    return run


def compress_items(set_item: Callable[..., Any]) -> Callable[..., Any]:
    """Return what stores an item of a table, for partitions that are compressed."""

    def set_compressed(table: dict[str, Any], partition: str, *key_and_item: Any) -> Any:
        table["items"].setdefault(partition, Items())
        return set_item(table, partition, *key_and_item)

    return set_compressed


class Payload:
    """The digest of a transaction's request, instead of the request: is equal to an equal one."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._digest = self._hash(request)

    def __eq__(self, request: object) -> bool:
        return self._digest == self._hash(request)

    __hash__ = None  # type: ignore[assignment]  # compared only

    @staticmethod
    def _hash(request: object) -> bytes:
        return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).digest()


def store_digests(store_token: Callable[..., Any]) -> Callable[..., Any]:
    """Return what keeps a transaction's token, for ten minutes, without the request."""
    return lambda token, entry: store_token(
        token, entry | {"signature": Payload(entry["signature"])}
    )


def close_connections(tcp_server: Any) -> Callable[[Any], Awaitable[None]]:
    """Return what reads a connection of the server, and ends its tasks with it."""
    read = tcp_server._read_data

    async def read_data(connection: Any) -> None:
        await read(connection)
        await connection.idle_task.stop()

    return read_data


class Values(list[dict[str, Any]]):
    """The latest values of a metric; equal ones of a minute are one with a count.

    That changes no statistic, nor a percentile: CloudWatch keeps one value a minute, too.
    """

    def __init__(self) -> None:
        super().__init__()
        self._minute = 0
        self._of_minute: dict[tuple[str, float], dict[str, Any]] = {}

    def append(self, point: dict[str, Any]) -> None:
        """Add a value."""
        minute = int(point["Timestamp"] // 60)
        if minute != self._minute:
            self._minute, self._of_minute = minute, {}
        if "_stat" not in point:
            same = self._of_minute.setdefault((point["Unit"], point["Value"]), point)
            if same is not point:
                same["Count"] = same.get("Count", 1.0) + point.get("Count", 1.0)
                return
        if self:
            point["Dimensions"] = self[0]["Dimensions"]  # equal, and kept once
        super().append(point)
        if len(self) > KEPT_VALUES:
            del self[: KEPT_VALUES // 10]


def bounded_values(metrics: Any) -> Callable[[tuple[str, str, str]], Values]:
    """Return what finds the values of a metric, or creates their list."""
    return lambda key: metrics.get(key) or metrics.setdefault(key, Values())


def end_idle_processes(lambda_runtime: Any) -> None:
    """End the functions' processes that were idle for `IDLE_SECONDS`.

    One whose last log lines belong to no invocation yet is kept.
    """
    idle: list[Any] = []
    since = time.time() - IDLE_SECONDS
    with lambda_runtime._lock:
        for key, workers in [*lambda_runtime._workers.items()]:
            idle += (ended := [each for each in workers if _is_idle(each, since)])
            lambda_runtime._workers[key] = [each for each in workers if each not in ended]
    lambda_runtime.kill_workers(idle)


def _is_idle(worker: Any, since: float) -> bool:
    is_logged = not worker._stderr_queue.qsize()
    return is_logged and not worker.in_use and worker.last_used < since


def return_memory() -> None:
    """Return free memory to the system, where the C library can do so."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def repeat(action: Callable[[], object], seconds: float) -> None:
    """Repeat an action in a thread until the process ends."""

    def run() -> None:
        while True:
            time.sleep(seconds)
            action()

    threading.Thread(target=run, daemon=True).start()


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


def evaluate_alarms(cloudwatch: Any) -> Callable[[dict[str, Any]], None]:
    """Return what evaluates an alarm on a metric as CloudWatch documents it."""

    def values(alarm: dict[str, Any]) -> list[float | None]:
        dimensions = cloudwatch._dims_key(cloudwatch._dims_from_list(alarm.get("Dimensions") or []))
        key = alarm["Namespace"], alarm["MetricName"], dimensions
        now, periods = time.time(), alarm["EvaluationPeriods"] + EXTRA_PERIODS
        series: list[list[Any]] = [[] for _ in range(periods)]
        for point in cloudwatch._metrics.get(key) or []:
            # The window slides: the latest period ends now.
            age = int((now - point["Timestamp"]) // alarm["Period"])
            if age < periods:
                series[periods - 1 - max(0, age)].append(point)
        statistic = alarm.get("ExtendedStatistic") or alarm["Statistic"]
        stats = [(cloudwatch._calc_stats(points), points) for points in series]
        return [cloudwatch._stat_value(s, statistic, p) if s else None for s, p in stats]

    def evaluate(alarm: dict[str, Any]) -> None:
        if not alarm.get("MetricName"):  # a composite alarm, or one over metric math
            return
        before, periods = State(alarm["StateValue"]), alarm["EvaluationPeriods"]
        breaches, threshold = COMPARISONS[alarm["ComparisonOperator"]], alarm["Threshold"]
        found = values(alarm)
        points = [None if value is None else breaches(value, threshold) for value in found]
        needed = alarm.get("DatapointsToAlarm") or periods
        state = decide(points, periods, needed, alarm["TreatMissingData"], before)
        if state == before:
            return
        known = [value for value in found[-periods:] if value is not None]
        reason = f"Threshold Crossed: {known or 'no'} datapoints, {alarm['ComparisonOperator']}"
        reason += f" {threshold}, missing data are {alarm['TreatMissingData']}"
        now = int(time.time())
        alarm.update(StateValue=state.value, StateReason=reason, StateUpdatedTimestamp=now)
        cloudwatch._record_history(alarm["AlarmName"], before.value, state.value, reason)
        cloudwatch._dispatch_alarm_actions(alarm, before.value, state.value, reason)
        cloudwatch._evaluate_parent_alarms(alarm)

    return evaluate


def decide(
    points: Sequence[bool | None], periods: int, needed: int, missing: str, before: State
) -> State:
    """Return an alarm's state for a series of data points.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html

    Args:
        points: Whether each breaches, oldest first; None if it is missing.
        periods: Number of evaluation periods.
        needed: Number of breaching data points to alarm.
        missing: Treatment of missing data points.
        before: The previous state.
    """
    existing = [point for point in points if point is not None]
    lacking = periods - len(existing)
    if lacking <= 0 or missing not in {"missing", "ignore"}:
        filled = [missing == "breaching"] * lacking + existing
        return State.ALARM if sum(filled[-periods:]) >= needed else State.OK
    if sum(existing) >= needed:
        return State.ALARM
    if not all(existing):
        return State.OK
    if missing == "ignore":
        return before
    # Documented by example: a breach as the oldest data point, followed by none, is an alarm.
    return State.ALARM if existing and points[0] else State.INSUFFICIENT_DATA


if __name__ == "__main__":
    from hypercorn.asyncio import tcp_server  # type: ignore[import-not-found]
    from ministack import app  # type: ignore[import-not-found]
    from ministack.core import lambda_runtime  # type: ignore[import-not-found]
    from ministack.services import (  # type: ignore[import-not-found]
        apigateway,
        cloudwatch,
        cloudwatch_logs,
        dynamodb,
        lambda_svc,
        sqs,
    )

    lambda_runtime.Worker._read_stderr = read_log
    lambda_runtime.Worker._drain_stderr_bounded = log_of_invocation
    repeat(lambda: end_idle_processes(lambda_runtime), REAP_SECONDS)
    repeat(return_memory, IDLE_SECONDS)
    apigateway._cors_preflight_response = answer_preflight(apigateway)
    cloudwatch._evaluate_alarm = evaluate_alarms(cloudwatch)
    lambda_svc._execute_function_warm = log_failed_starts(lambda_svc._execute_function_warm)
    log_groups = LogGroups(cloudwatch_logs)
    cloudwatch_logs._fanout_to_subscription_filters = log_groups.record
    cloudwatch._metric_bucket = data_points = Counter(bounded_values(cloudwatch._metrics))
    tcp_server.TCPServer._read_data = close_connections(tcp_server.TCPServer)
    dynamodb._ttl_settings = seldom_expired(dynamodb._ttl_settings)
    dynamodb._scan = scan_decompressed(dynamodb._scan)
    dynamodb._txn_token_store = store_digests(dynamodb._txn_token_store)
    cloudwatch._evict_old_metrics = lambda: None  # it copies all values at each request
    cloudwatch._record_history = alarms = Counter(cloudwatch._record_history)
    dynamodb._set_item = puts = Counter(compress_items(dynamodb._set_item))
    dynamodb._remove_item = deletions = Counter(dynamodb._remove_item)

    changes: dict[str, Callable[[], object]] = {
        "logs": log_groups.ends,
        "queues": lambda: {
            queue["name"]: len(queue["messages"]) for queue in [*sqs._queues.to_dict().values()]
        },
        "data_points": lambda: data_points.count,
        "alarms": lambda: alarms.count,
        "records": lambda: puts.count + deletions.count,
    }
    documents = {
        CHANGES_PATH: lambda _: {name: value() for name, value in changes.items()},
        LOG_PATH: log_groups.read,
    }
    app.app = serve_documents(app.app, documents)
    app.main()
