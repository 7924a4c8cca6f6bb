"""The environment of one cell: tables, queues, secrets, vendors, time and workers, all new."""

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moto.sqs.models import Message, Queue, SQSBackend, sqs_backends
from werkzeug.wrappers import Request, Response

from lambda_src.core.models import RecordKey
from lambda_src.services.dynamodb import serialize, suppression_key
from local.fakes import TwilioSettings
from tests.faults.process_faults.calls import GENERATIONS, Attempt, CallName
from tests.faults.process_faults.clock import EPOCH
from tests.faults.process_faults.journal import Event, Happening, Journal, RecordState
from tests.faults.process_faults.runner import WorkerProcess, advance_time
from tests.faults.process_faults.scenarios import Scenario
from tests.faults.process_faults.services import AWS_ACCOUNT, REGION, Services
from tests.faults.process_faults.worker import Task
from tests.faults.rules import Location
from tests.support.channel import (
    ACCOUNT,
    API_KEY,
    CONVERSATION,
    OPENAI_SECRET,
    PREFIXES,
    RECIPIENT,
    TEMPLATE,
    TOKEN,
    TWILIO_SECRET,
    context,
    openai_config,
    recipient_data,
)

VISIBILITY_SECONDS = 1080
"""As deployed: six times the function's timeout."""
FUNCTION_SECONDS = 180
"""The function's timeout, as deployed."""
QUEUE, TABLE, IDEMPOTENCY_TABLE = "queue", "conversations", "idempotency"
KEY = RecordKey(RECIPIENT, CONVERSATION)
"""The key of the only conversation."""
_ITEM_KEY = {"primary_channel": {"S": RECIPIENT}, "conversation_id": {"S": CONVERSATION}}
_SHOWN = ("level", "event", "failure_code", "message")
_VARIABLES = {
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_ACCESS_KEY_ID": "made-up",
    "AWS_SECRET_ACCESS_KEY": "made-up",
    "CHANNEL": "whatsapp",
    "QUEUE_URL": f"http://127.0.0.1/{AWS_ACCOUNT}/{QUEUE}",
    "CONVERSATIONS_TABLE": TABLE,
    "IDEMPOTENCY_TABLE": IDEMPOTENCY_TABLE,
    "SECRET_PREFIXES": ",".join(PREFIXES),
    # Real time, hence short: what hangs is waited for. Everything else is as deployed.
    "OPENAI_TIMEOUT_SECONDS": "5",
    "TWILIO_TIMEOUT_SECONDS": "2",
}


@dataclass(frozen=True)
class MotoQueue:
    """The channel's queue and its dead-letter queue in moto, inspected from within."""

    services: Services

    def create(self, max_receive_count: int) -> None:
        """Create both queues."""
        self.services.sqs.create_queue(QueueName=f"{QUEUE}-dead")
        arn = f"arn:aws:sqs:{REGION}:{AWS_ACCOUNT}:{QUEUE}-dead"
        policy = {"deadLetterTargetArn": arn, "maxReceiveCount": max_receive_count}
        self.services.sqs.create_queue(
            QueueName=QUEUE,
            Attributes={
                "VisibilityTimeout": str(VISIBILITY_SECONDS),
                "RedrivePolicy": json.dumps(policy),
            },
        )

    def send(self, body: str) -> str:
        """Send a message, and return its id."""
        with self.services.aws_lock:
            return self._backend.send_message(QUEUE, body).id

    def receive(self) -> dict[str, Any] | None:
        """Receive a visible message as a record of an SQS event."""
        with self.services.aws_lock:
            received = self._backend.receive_message(QUEUE, 1, 0, VISIBILITY_SECONDS)
        return _event_record(received[0]) if received else None

    def delete(self, receipt_handle: str) -> None:
        """Delete a message, as the event source mapping does with what did not fail."""
        with self.services.aws_lock:
            self._queue.delete_message(receipt_handle)

    def next_visible(self) -> float | None:
        """Return when the next message is or was visible; None if there is none on the queue."""
        times = [message.visible_at / 1000 for message in self._queue._messages]
        return min(times, default=None)

    def count_visible(self) -> int:
        """Return how many messages are visible now."""
        return sum(message.visible for message in self._queue._messages)

    def visible_in(self, message_id: str) -> float | None:
        """Return in how many seconds a message is visible; None if it is not on the queue."""
        times = {message.id: message.visible_at / 1000 for message in self._queue._messages}
        return times[message_id] - self.services.clock.now if message_id in times else None

    def location(self, message_id: str) -> Location:
        """Return where a message is."""
        found = {message.id: message for message in self._queue._messages}
        if message_id in found:
            return Location.ON_QUEUE if found[message_id].visible else Location.IN_FLIGHT
        is_dead = message_id in {message.id for message in self._dead._messages}
        return Location.DEAD if is_dead else Location.DELETED

    def redrive(self) -> None:
        """Move every dead-letter message back, as a message that was never received."""
        with self.services.aws_lock:
            messages, self._dead._messages = list(self._dead._messages), []
            for message in messages:
                message.approximate_receive_count = 0
                message.visible_at = 0.0
                self._queue.add_message(message)

    @property
    def _backend(self) -> SQSBackend:
        return sqs_backends[AWS_ACCOUNT][REGION]

    @property
    def _queue(self) -> Queue:
        return self._backend.get_queue(QUEUE)

    @property
    def _dead(self) -> Queue:
        return self._backend.get_queue(f"{QUEUE}-dead")


class Environment:
    """Everything around the conversation of one cell.

    Args:
        services: AWS and the vendors; they are reset.
        scenario: What is special.
        handler: The name of the handler that workers run.
        scratch: A folder for the workers' logs.

    Attributes:
        queue: The channel's queue.
        journal: What happened.
        workers: The workers, in the order of their numbers.
        record: The conversation's record.
    """

    def __init__(self, services: Services, scenario: Scenario, handler: str, scratch: Path) -> None:
        self.services = services
        self.scenario = scenario
        self.journal = Journal()
        self.workers: list[WorkerProcess] = []
        self.record = RecordState()
        self._handler = handler
        self._logs = Path(tempfile.mkdtemp(dir=scratch))
        services.reset()
        services.clock.reset()
        services.twilio.settings = TwilioSettings(list_lag_requests=scenario.list_lag_requests)
        self.queue = MotoQueue(services)
        self.queue.create(scenario.max_receive_count)
        self._create_tables()
        self._create_secrets()

    @property
    def now(self) -> float:
        """Epoch seconds."""
        return self.services.clock.now

    def enqueue(self) -> str:
        """Send the context object to the queue, and return its message's id."""

        def configure(document: dict[str, Any]) -> None:
            assistant = "first_contact" if self.scenario.is_template else "free_text"
            openai_config(document).update(
                assistant_id_template_sender=assistant, engine=self.scenario.engine
            )
            recipient_data(document)["comms_consent"] = self.scenario.has_consent

        return self.queue.send(context(configure))

    def start(self, record: dict[str, Any], holds: Callable[[CallName], bool]) -> WorkerProcess:
        """Start a worker on a message that was received."""
        number = len(self.workers) + 1
        task = Task(
            handler=self._handler,
            environment={**_VARIABLES, **self.scenario.environment},
            event={"Records": [record]},
            ends_at=self.now + FUNCTION_SECONDS,
            log=str(self._logs / f"worker-{number}.log"),
        )
        worker = WorkerProcess(number, task, self.services.clock, self, holds)
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        """Leave nothing running, and no file."""
        for worker in self.workers:
            worker.close()
        shutil.rmtree(self._logs)

    def advance(self, seconds: float) -> None:
        """Advance the time; workers make every heartbeat that is due meanwhile."""
        advance_time(self.services.clock, seconds, self.workers)

    def serve(self, attempt: Attempt, request: Request) -> Response:
        """Let a service answer a worker's call, and record what that did to the record."""
        service = attempt.call.service
        if service in self.services.vendors:
            before = self.record
            response = self.services.answer(service, request.environ)
        else:
            with self.services.aws_lock:
                before = self.record
                response = self.services.answer(service, request.environ)
                self.read_record()
        self._add(attempt, Happening.APPLIED, before, response.status_code)
        return response

    def note(self, attempt: Attempt, what: Happening, status: int = 0) -> None:
        """Record what happened to a worker's call."""
        self._add(attempt, what, self.record, status)

    def spend_time(self, call: CallName) -> None:
        """Advance the time by as much as the AI takes."""
        if call.kind in GENERATIONS:
            self.advance(self.scenario.ai_seconds)

    def read_record(self) -> None:
        """Read the record again, after it may have been written."""
        self.record = RecordState.of(self.services.item(TABLE, _ITEM_KEY))

    def log(self) -> tuple[str, ...]:
        """Return what the workers logged: worker, level, event and code of each line."""
        return tuple(
            f"worker {worker.number}  "
            + "  ".join(str(line[name]) for name in _SHOWN if line.get(name))
            for worker in self.workers
            for line in worker.lines()
            if "_aws" not in line  # metrics
        )

    def _add(self, attempt: Attempt, what: Happening, before: RecordState, status: int) -> None:
        at = self.now - EPOCH
        self.journal.add(Event(at, attempt, what, before, self.record, status))

    def _create_tables(self) -> None:
        self._create_table(TABLE, primary_channel="HASH", conversation_id="RANGE")
        self._create_table(IDEMPOTENCY_TABLE, id="HASH")
        if self.scenario.is_opted_out:
            at = "2026-01-01T00:00:00.000+00:00"
            item = serialize({**suppression_key("whatsapp", RECIPIENT), "suppressed_at": at})
            self.services.dynamodb.put_item(TableName=TABLE, Item=item)

    def _create_table(self, name: str, **keys: Any) -> None:
        self.services.dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        )

    def _create_secrets(self) -> None:
        template = {"twilio_template_sid": TEMPLATE} if self.scenario.is_template else {}
        twilio = {"twilio_account_sid": ACCOUNT, "twilio_auth_token": TOKEN, **template}
        for name, value in ((OPENAI_SECRET, {"ai_api_key": API_KEY}), (TWILIO_SECRET, twilio)):
            self.services.secretsmanager.create_secret(Name=name, SecretString=json.dumps(value))


def _event_record(message: Message) -> dict[str, Any]:
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": str(message.approximate_receive_count),
            "SentTimestamp": str(message.sent_timestamp),
            "SenderId": message.sender_id,
            "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
        },
        "messageAttributes": {},
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{AWS_ACCOUNT}:queue",
        "awsRegion": REGION,
    }
