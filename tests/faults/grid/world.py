"""A fresh world for one cell: a table, queues, secrets, vendors, time, and the workers in it."""

import json
import time as real_time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Request, Response

from local.stand_ins import TwilioSettings
from tests.faults.grid.calls import GENERATIONS, CallName
from tests.faults.grid.held import GUARD_SECONDS
from tests.faults.grid.journal import Event, Happening, Journal, RecordState
from tests.faults.grid.queue_view import QueueView
from tests.faults.grid.runner import GridError, Runner
from tests.faults.grid.scenarios import Scenario
from tests.faults.grid.services import AWS_ACCOUNT, REGION, Services
from tests.faults.grid.virtual_time import EPOCH, POLL_SECONDS
from tests.faults.grid.worker import Task
from tests.services.channel import (
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

FUNCTION_SECONDS = 180
"""The function's timeout, as deployed."""
TABLE = "conversations"
IDEMPOTENCY_TABLE = "idempotency"
QUEUE = "queue"
KEY = {"primary_channel": {"S": RECIPIENT}, "conversation_id": {"S": CONVERSATION}}
"""The key of the one conversation there is."""
_SHOWN = ("level", "event", "failure_code", "message")
TIMEOUTS = {"OPENAI_TIMEOUT_SECONDS": "5", "TWILIO_TIMEOUT_SECONDS": "2"}
"""Real ones, hence short: what hangs is waited for. Everything else is as deployed."""


@dataclass
class World:
    """Everything that a conversation meets, made anew; `handler` is the name of what runs in it.

    `record` is what the conversation's record says.
    """

    services: Services
    scenario: Scenario
    handler: str
    scratch: Path
    journal: Journal = field(default_factory=Journal)
    runners: list[Runner] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.services.forget()
        self.services.time.reset()
        self.services.twilio.settings = TwilioSettings(list_lag_calls=self.scenario.list_lag_calls)
        self.queue = QueueView(self.services, QUEUE, self.scenario.max_receive_count)
        self.queue.create()
        self.record = RecordState()
        self._make_tables()
        self._make_secrets()

    @property
    def now(self) -> float:
        """The time, in epoch seconds."""
        return self.services.time.now

    def body(self) -> str:
        """The context object that the router put on the queue."""

        def configure(document: dict[str, Any]) -> None:
            assistant = "first_contact" if self.scenario.is_template else "free_text"
            openai_config(document).update(
                assistant_id_template_sender=assistant, engine=self.scenario.engine
            )
            recipient_data(document)["comms_consent"] = self.scenario.has_consent

        return context(configure)

    def start(self, record: dict[str, Any], holds: Callable[[CallName], bool]) -> Runner:
        """Start a worker on a message out of the queue."""
        number = len(self.runners) + 1
        task = Task(
            handler=self.handler,
            environment=self._environment(),
            event={"Records": [record]},
            ends_at=self.now + FUNCTION_SECONDS,
            log=str(self.scratch / f"worker-{number}.log"),
        )
        runner = Runner(number, task, self.services.time, self, holds)
        self.runners.append(runner)
        return runner

    def close(self) -> None:
        """Leave nothing running."""
        for runner in self.runners:
            runner.close()

    def let_pass(self, seconds: float) -> None:
        """Let time pass; every beat that falls into it is made."""
        until = self.now + seconds
        self._finish_beats()
        while self.now < until:
            beats = [runner.next_beat() for runner in self.runners if runner.is_running]
            self.services.time.advance(min([until, *(beat for beat in beats if beat > self.now)]))
            self._finish_beats()

    def _finish_beats(self) -> None:
        give_up = real_time.monotonic() + GUARD_SECONDS
        while beating := [r for r in self.runners if r.is_running and r.is_beating]:
            for sleeper in filter(None, (runner.sleeps_until for runner in beating)):
                self.services.time.advance(sleeper)
            real_time.sleep(POLL_SECONDS)
            if real_time.monotonic() > give_up:
                raise GridError(f"the beat of worker {beating[0].number} does not end")

    def serve(self, worker: int, call: CallName, attempt: int, request: Request) -> Response:
        """Let a service answer a worker's call, and note what that did to the record."""
        if call.service in self.services.vendors:
            before = after = self.record
            response = self.services.answer(call.service, request.environ)
        else:
            with self.services.aws_lock:
                before = self.record
                response = self.services.answer(call.service, request.environ)
                after = self.look()
        self._add(worker, call, attempt, Happening.APPLIED, before, after, response.status_code)
        return response

    def note(
        self, worker: int, call: CallName, attempt: int, what: Happening, status: int = 0
    ) -> None:
        """Write down what happened to a worker's call."""
        self._add(worker, call, attempt, what, self.record, self.record, status)

    def take_time(self, call: CallName) -> None:
        """The AI takes its time."""
        if call.kind in GENERATIONS:
            self.let_pass(self.scenario.ai_seconds)

    def log(self) -> tuple[str, ...]:
        """What the workers logged: worker, level, event and code of each line."""
        return tuple(
            f"worker {runner.number}  "
            + "  ".join(str(line[name]) for name in _SHOWN if line.get(name))
            for runner in self.runners
            for line in runner.lines()
            if "_aws" not in line  # metrics
        )

    def look(self) -> RecordState:
        """Look anew at what the record says, after it may have been written."""
        self.record = RecordState.of(self.services.item(TABLE, KEY))
        return self.record

    def _add(  # noqa: PLR0917 - an event's own parts, in their order
        self,
        worker: int,
        call: CallName,
        attempt: int,
        what: Happening,
        before: RecordState,
        after: RecordState,
        status: int,
    ) -> None:
        at = self.now - EPOCH
        self.journal.add(Event(at, worker, call, attempt, what, before, after, status))

    def _environment(self) -> dict[str, str]:
        return {
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "made-up",
            "AWS_SECRET_ACCESS_KEY": "made-up",
            "CHANNEL": "whatsapp",
            "QUEUE_URL": f"http://127.0.0.1/{AWS_ACCOUNT}/{QUEUE}",
            "CONVERSATIONS_TABLE": TABLE,
            "IDEMPOTENCY_TABLE": IDEMPOTENCY_TABLE,
            "SECRET_PREFIXES": ",".join(PREFIXES),
            **TIMEOUTS,
            **self.scenario.environment,
        }

    def _make_tables(self) -> None:
        self._make_table(TABLE, primary_channel="HASH", conversation_id="RANGE")
        self._make_table(IDEMPOTENCY_TABLE, id="HASH")

    def _make_table(self, name: str, **keys: str) -> None:
        self.services.aws(
            "DynamoDB_20120810.CreateTable",
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        )

    def _make_secrets(self) -> None:
        template = {"twilio_template_sid": TEMPLATE} if self.scenario.is_template else {}
        twilio = {"twilio_account_sid": ACCOUNT, "twilio_auth_token": TOKEN, **template}
        values = {OPENAI_SECRET: {"ai_api_key": API_KEY}, TWILIO_SECRET: twilio}
        for name, value in values.items():
            self.services.aws(
                "secretsmanager.CreateSecret",
                Name=name,
                SecretString=json.dumps(value),
                ClientRequestToken=name.ljust(32, "-")[:32],
            )
