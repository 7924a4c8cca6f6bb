"""Status callbacks: receiver and events worker relative to the processor, and their dollars."""

import base64
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import astuple, dataclass
from io import StringIO
from itertools import count
from math import ceil
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

import boto3
import botocore
from twilio.request_validator import RequestValidator

from benchmarks import bundles
from benchmarks.backend import BATCH_SIZE, CALLBACK_BASE_URL, Backend
from benchmarks.figures import Figure, Goal
from benchmarks.runtime import Function, FunctionError
from lambda_src import events, receiver
from lambda_src.core.models import callback_path
from lambda_src.services.dynamodb import deserialize, exceeds_size, serialize
from ops.prices import dollars
from planner.document import MEMORY_MB, standard_plan
from planner.plan import BYTES_PER_GB
from planner.plan import Function as PlannedFunction
from planner.usage import KB
from stacks.callback_endpoint import RECEIVER_MEMORY_MB
from tests.faults.report import OnProgress, Table
from tests.support.channel import ACCOUNT, RECIPIENT, TOKEN

STATUSES = ("sent", "delivered", "read")
"""The callbacks of a WhatsApp message that is read."""
ACCEPTED = {"statusCode": 204}
COUNTED_BATCHES = 5
CALL_SECONDS = 0.02
"""Assumed duration of an AWS call in a function, in the calculation of dollars."""
MESSAGES_PER_DAY = 100_000
READ_UNIT_BYTES = 4 * KB
CONTESTANTS = ("ours", "processor")
TITLE = "Status callbacks"

Event = dict[str, Any]


def cold_starts(backend: Backend, rounds: int, on_progress: OnProgress) -> list[Figure]:
    """Measure new execution environments of the receiver and of the processor, in turns."""
    inits: dict[str, list[float]] = defaultdict(list)
    firsts: dict[str, list[float]] = defaultdict(list)
    functions = {"ours": bundles.receiver(), "processor": bundles.ours()}
    for number in range(rounds + 1):
        event, conversations = _receive(backend)
        for name, bundle in reversed(functions.items()):
            with Function(bundle, backend.environment) as function:
                if name == "processor":
                    first = function.invoke(event)
                    (request,) = _requests(backend, conversations, "sent")
                else:
                    first = function.invoke(request, ACCEPTED)
                init = function.init_seconds
            if number:  # the first round warms the page cache
                inits[name].append(init)
                firsts[name].append(first)
        backend.finish(event)
        backend.finish(backend.receive_callbacks(1), "EVENTS_QUEUE_URL")
        on_progress(number, rounds)
    goals = (Goal(0.5, "processor"),)
    return [
        Figure("cold start until the first event", "s", inits, goals),
        Figure("cold start until the first response", "s", firsts, goals),
    ]


def throughput(backend: Backend, rounds: int, on_progress: OnProgress) -> Figure:
    """Measure callbacks through a receiver and then a worker, and messages through a processor.

    There is one warm environment of each. The receiver gets a request per callback, worker and
    processor batches of ten.
    """
    rates: dict[str, list[float]] = defaultdict(list)
    worker_variables = dict(backend.environment, QUEUE_URL=backend.environment["EVENTS_QUEUE_URL"])
    with (
        Function(bundles.ours(), backend.environment) as processor,
        Function(bundles.receiver(), backend.environment) as front,
        Function(bundles.worker(), worker_variables) as worker,
    ):
        for number in range(rounds + 1):
            conversations, seconds = _send(backend, processor, COUNTED_BATCHES)
            callback_seconds = sum(
                front.invoke(request, ACCEPTED)
                for request in _requests(backend, conversations, "delivered")
            )
            for _ in range(COUNTED_BATCHES):
                event = backend.receive_callbacks(BATCH_SIZE)
                callback_seconds += worker.invoke(event)
                backend.finish(event, "EVENTS_QUEUE_URL")
            _check_delivered(backend, conversations, worker)
            if number:  # the first round starts the environments
                rates["ours"].append(len(conversations) / callback_seconds)
                rates["processor"].append(len(conversations) / seconds)
            on_progress(number, rounds)
    return Figure(
        "callbacks, and messages, per second",
        "1/s",
        rates,
        (Goal(1, "processor", is_minimum=True),),
    )


@dataclass(frozen=True, kw_only=True)
class CallbackCost:
    """US dollars for the callbacks of 1,000 messages, by purpose."""

    api: float
    receiver: float
    queue: float
    worker: float
    table: float
    log: float

    @property
    def total(self) -> float:
        """The sum."""
        return float(sum(astuple(self)))


@dataclass(frozen=True, kw_only=True)
class CallbackUsage:
    """What the callbacks of a message take.

    Attributes:
        callbacks: Number of callbacks.
        calls: The functions' AWS calls, by service and operation.
        write_units: DynamoDB's; those of the index are part of the planner's cost of a message.
        read_units: DynamoDB's.
        log_bytes: Length of the functions' log.
    """

    callbacks: int
    calls: Mapping[str, float]
    write_units: float
    read_units: float
    log_bytes: float

    def cost(self) -> CallbackCost:
        """Return the cost of 1,000 messages, if each callback is a batch of its own."""
        in_receiver = self.calls["sqs:SendMessage"]
        in_worker = sum(self.calls.values()) - in_receiver
        sqs = sum(number for call, number in self.calls.items() if call.startswith("sqs:"))
        by_mapping = 2 * self.callbacks  # to receive a batch, and to delete it
        return CallbackCost(
            api=1_000 * self.callbacks * dollars("http_api_request"),
            receiver=1_000 * self._invocations(in_receiver, RECEIVER_MEMORY_MB),
            queue=1_000 * (sqs + by_mapping) * dollars("queue_request"),
            worker=1_000 * self._invocations(in_worker, MEMORY_MB),
            table=1_000
            * (self.write_units * dollars("write_unit") + self.read_units * dollars("read_unit")),
            log=1_000 * self.log_bytes / BYTES_PER_GB * dollars("logged_gb"),
        )

    def _invocations(self, calls: float, memory_mb: int) -> float:
        seconds = calls * CALL_SECONDS
        function = PlannedFunction(memory_mb=memory_mb)
        return self.callbacks * dollars("invocation") + seconds * function.dollars_per_second


def count_usage(backend: Backend) -> CallbackUsage:
    """Count what the callbacks of a batch's messages take, with the handlers in this process."""
    with Function(bundles.ours(), backend.environment) as processor:
        conversations, _ = _send(backend, processor, 1)
    calls: Counter[str] = Counter()
    write_units = read_units = 0
    records = _records(backend, conversations)
    with _handlers(backend, calls) as log:
        for status in STATUSES:
            for request in _requests(backend, conversations, status):
                receiver.lambda_handler(request, None)
            event = backend.receive_callbacks(BATCH_SIZE)
            context = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
            events.lambda_handler(event, context)
            backend.finish(event, "EVENTS_QUEUE_URL")
            before, records = records, _records(backend, conversations)
            read_units += sum(ceil(_size(each) / READ_UNIT_BYTES) for each in before)
            write_units += sum(
                ceil(max(map(_size, pair)) / KB)
                for pair in zip(before, records, strict=True)
                if pair[0] != pair[1]
            )
    messages = len(conversations)
    return CallbackUsage(
        callbacks=len(STATUSES),
        calls=defaultdict(float, {name: number / messages for name, number in calls.items()}),
        write_units=write_units / messages,
        read_units=read_units / messages,
        log_bytes=len(log.getvalue()) / messages,
    )


def cost_table(usage: CallbackUsage) -> Table:
    """Return the dollars for 1,000 messages with callbacks."""
    without, callbacks = standard_plan(MESSAGES_PER_DAY).cost, usage.cost()
    total = without.total + callbacks.total
    amounts = {
        f"without callbacks, at {MESSAGES_PER_DAY:,} messages per day": without.total,
        **{f"callbacks: {name}": amount for name, amount in vars(callbacks).items()},
        "with callbacks": total,
    }
    calls = ", ".join(f"{number:g} {name}" for name, number in sorted(usage.calls.items()))
    return Table(
        "Dollars for 1,000 messages with callbacks",
        ("for", "dollars", "relative"),
        tuple(
            (name, f"{amount:.4f}", f"{amount / without.total:.2f}")
            for name, amount in amounts.items()
        ),
        f"{usage.callbacks} callbacks each: {calls}; {usage.write_units:g} write and"
        f" {usage.read_units:g} read units.",
    )


def _receive(backend: Backend, size: int = 1) -> tuple[Event, list[str]]:
    """Return an SQS event with new messages, and their conversations."""
    event = backend.receive(size)
    bodies = (json.loads(record["body"]) for record in event["Records"])
    return event, [body["conversation_data"]["conversation_id"] for body in bodies]


def _send(backend: Backend, processor: Function, batches: int) -> tuple[list[str], float]:
    """Send batches of messages; return their conversations, and the processor's seconds."""
    sent, seconds = [], 0.0
    for _ in range(batches):
        event, conversations = _receive(backend, BATCH_SIZE)
        seconds += processor.invoke(event)
        backend.finish(event)
        sent += conversations
    return sent, seconds


def _records(backend: Backend, conversations: list[str]) -> list[dict[str, Any]]:
    dynamodb, table = boto3.client("dynamodb"), backend.environment["CONVERSATIONS_TABLE"]
    keys = ({"primary_channel": RECIPIENT, "conversation_id": each} for each in conversations)
    found = (dynamodb.get_item(TableName=table, Key=serialize(key))["Item"] for key in keys)
    return [deserialize(item) for item in found]


def _requests(backend: Backend, conversations: list[str], status: str) -> list[Event]:
    """Return Twilio's requests about sent messages, as API Gateway passes them on."""
    return [_request(record, status) for record in _records(backend, conversations)]


def _request(record: Mapping[str, Any], status: str) -> Event:
    path = callback_path("whatsapp", record["conversation_id"], record["intent_id"])
    form = {
        "AccountSid": ACCOUNT,
        "MessageSid": record["message_sid"],
        "MessageStatus": status,
        "To": f"whatsapp:{RECIPIENT}",
    }
    url = f"{CALLBACK_BASE_URL}{path}"
    signature = RequestValidator(TOKEN).compute_signature(url, form)  # type: ignore[no-untyped-call]
    return {
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"x-twilio-signature": signature},
        "body": base64.b64encode(urlencode(form).encode()).decode(),
        "isBase64Encoded": True,
    }


def _check_delivered(backend: Backend, conversations: list[str], worker: Function) -> None:
    """Raise an error if a callback was dropped: that is faster than recording it."""
    statuses = {each.get("delivery_status") for each in _records(backend, conversations)}
    if statuses != {"delivered"}:
        raise FunctionError(f"delivery statuses: {statuses}\n{worker.log()[-6000:]}")


@contextmanager
def _handlers(backend: Backend, calls: Counter[str]) -> Iterator[StringIO]:
    """Let this process's handlers use the backend; count their calls, and yield their log."""

    def count_call(model: Any, **_: object) -> None:
        calls[f"{model.service_model.service_name}:{model.name}"] += 1

    def count_calls_of(session: Any) -> None:
        session.register("before-call.*.*", count_call)

    variables = dict(backend.environment, QUEUE_URL=backend.environment["EVENTS_QUEUE_URL"])
    built = (receiver.receiver, events.events_handler)
    botocore.register_initializer(count_calls_of)
    try:
        with patch.dict(os.environ, variables), redirect_stdout(StringIO()) as log:
            for build in built:
                build.cache_clear()
            yield log
    finally:
        botocore.unregister_initializer(count_calls_of)
        for build in built:
            build.cache_clear()


def _size(record: Mapping[str, Any]) -> int:
    """Return the bytes of a record, rounded up to the next KB."""
    return next(kb * KB for kb in count(1) if not exceeds_size(kb * KB, record))
