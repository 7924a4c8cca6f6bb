"""The environment of one cell, all new: tables, queues, vendors, time, and the worker processes.

Between a worker and its services is a proxy, which names, records and may hold its calls.
"""

import json
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from multiprocessing import get_context
from pathlib import Path
from queue import Empty, Queue
from threading import Condition
from threading import Event as ThreadEvent
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from lambda_src.core.models import RecordKey
from lambda_src.services.dynamodb.marshalling import serialize
from lambda_src.services.dynamodb.suppression import suppression_key
from local.fakes import Fault as VendorFault
from local.fakes import TwilioSettings
from local.fakes.aws import ACCOUNT as AWS_ACCOUNT
from local.fakes.aws import CREDENTIALS, QUEUE, REGION, TABLE
from local.fakes.server import InterruptibleWait, LoopbackServer, buffered_request
from tests.faults.process_faults._clock import EPOCH, POLL_SECONDS, SLOTS
from tests.faults.process_faults._services import HAND_OFFS, MotoQueue, Services
from tests.faults.process_faults.calls import (
    FIRST_HEARTBEAT,
    GENERATIONS,
    HEARTBEAT,
    Attempt,
    CallCounter,
    CallName,
    Event,
    Happening,
    RecordState,
)
from tests.faults.process_faults.cells import Scenario
from tests.faults.process_faults.worker import Task, run
from tests.support.aws_account import clients, create_secrets, create_table
from tests.support.channel import (
    ACCOUNT,
    CONVERSATION,
    PREFIXES,
    RECIPIENT,
    TOKEN,
    TWILIO_SECRET,
    context,
    openai_config,
    recipient_data,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

GUARD_SECONDS = 60.0
"""Real time after which something that should have happened counts as a defect of this driver."""
TICK = 0.001
"""Seconds after which a message is received whose visibility ends now."""
FUNCTION_SECONDS = 180
"""The function's timeout, as deployed."""
IDEMPOTENCY_TABLE = "idempotency"
INVENTED = "£99.50"
KEY = RecordKey(RECIPIENT, CONVERSATION)
"""The key of the only conversation."""
CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.faults.process_faults.preload"])
_ITEM_KEY = {"primary_channel": {"S": RECIPIENT}, "conversation_id": {"S": CONVERSATION}}
_VARIABLES = {
    **CREDENTIALS,
    "AWS_REGION": REGION,
    "CHANNEL": "whatsapp",
    "QUEUE_URL": f"http://127.0.0.1/{AWS_ACCOUNT}/{QUEUE}",
    "CONVERSATIONS_TABLE": TABLE,
    "HANDOFF_QUEUE_URL": f"http://127.0.0.1/{AWS_ACCOUNT}/{HAND_OFFS}",
    "IDEMPOTENCY_TABLE": IDEMPOTENCY_TABLE,
    "SECRET_PREFIXES": ",".join(PREFIXES),
    # Real time, hence short: what hangs is waited for. Everything else is as deployed.
    "OPENAI_TIMEOUT_SECONDS": "5",
    "TWILIO_TIMEOUT_SECONDS": "2",
}


class DriverError(Exception):
    """The driver itself did not work, which says nothing of the handler."""


class NoAnswer(Enum):
    RESET = auto()
    HANG = auto()


@dataclass(frozen=True)
class HeldCall:
    """A call that has arrived, and is neither forwarded nor answered until the driver decides.

    `forward` lets the service answer: the call takes effect.
    """

    attempt: Attempt
    forward: Callable[[], Response]
    _answer: "Future[Response | NoAnswer]" = field(default_factory=Future)
    _written: ThreadEvent = field(default_factory=ThreadEvent)

    @property
    def is_retry(self) -> bool:
        return self.attempt.number > 1

    def answer(self, response: Response) -> None:
        """Answer, and return once the answer is on its way."""
        response.call_on_close(self._written.set)
        self._answer.set_result(response)
        self._written.wait(GUARD_SECONDS)

    def pass_through(self) -> None:
        """Let the call take effect, and answer as the service does."""
        self.answer(self.forward())

    def leave(self, without: NoAnswer) -> None:
        """Reset the connection, or keep it open until the worker gives up."""
        self._answer.set_result(without)

    def wait(self) -> Response | NoAnswer:
        return self._answer.result(GUARD_SECONDS)


Handler = Callable[[HeldCall, "WorkerProcess"], None]
Holding = Callable[[CallName], Handler | None]
"""Returns what is done with a call that is held; None for a call that is not."""


def hold_nothing(_: CallName) -> None:
    """Let every call through."""


class Proxy:
    """One worker's loopback port to all services.

    While one call is held, the worker's other calls wait: the whole worker is at that boundary.
    """

    def __init__(self, worker: "WorkerProcess", environment: "Environment") -> None:
        self._worker = worker
        self._environment = environment
        self._calls = CallCounter(worker.number)
        self._turn = Condition()
        self._busy: HeldCall | None = None
        self._has_begun = self._first_heartbeat_decided = False
        self._is_cut = False
        self._wait = InterruptibleWait()
        name = f"proxy-{worker.number}"
        self._server = LoopbackServer(self._application, name=name, wait=self._wait)
        self.held: Queue[HeldCall] = Queue()

    def start(self) -> str:
        self._server.start()
        return self._server.origin

    def cut(self) -> None:
        """Let nothing through any more: the worker is dead."""
        with self._turn:
            self._is_cut = True
            self._turn.notify_all()

    def stop(self) -> None:
        self.cut()
        self._server.stop()

    def _application(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        request = buffered_request(environ)
        attempt = self._calls.name(request)
        self._await_first_heartbeat(attempt.call)
        self._environment.note(attempt, Happening.ARRIVED)
        held = self._take_turn(attempt, request)
        answer = self._answer(held) if held else self._forward(attempt, request)
        if isinstance(answer, NoAnswer):
            self._environment.note(attempt, Happening.LOST)
            if answer is NoAnswer.HANG:
                self._wait.until_disconnect(environ["werkzeug.socket"])
            raise ConnectionResetError("injected")
        self._environment.note(attempt, Happening.ANSWERED, answer.status_code)
        return answer(environ, start_response)

    def _take_turn(self, attempt: Attempt, request: Request) -> HeldCall | None:
        with self._turn:
            is_free = self._turn.wait_for(lambda: self._is_cut or not self._busy, GUARD_SECONDS)
            if not is_free or self._is_cut:
                raise ConnectionResetError("the worker is dead")
            if not self._worker.holding(attempt.call):
                self._turn.notify_all()
                return None
            self._busy = HeldCall(attempt, lambda: self._environment.serve(attempt, request))
            self.held.put(self._busy)
            return self._busy

    def _await_first_heartbeat(self, call: CallName) -> None:
        # The first heartbeat and the work begin at once: here always in this order, so that each
        # call has the same number every time.
        while not (self._has_begun or self._is_cut or call.kind.startswith(HEARTBEAT)):
            if self._worker.holding(FIRST_HEARTBEAT):  # it may hang while the work goes on
                self._has_begun = self._first_heartbeat_decided
            else:
                self._has_begun = not self._worker.is_beating
            time.sleep(POLL_SECONDS)

    def _answer(self, held: HeldCall) -> Response | NoAnswer:
        try:
            return held.wait()
        finally:
            with self._turn:
                self._first_heartbeat_decided |= held.attempt.call == FIRST_HEARTBEAT
                self._busy = None
                self._turn.notify_all()

    def _forward(self, attempt: Attempt, request: Request) -> Response | NoAnswer:
        if attempt.call.kind in GENERATIONS:
            self._environment.advance(self._environment.scenario.ai_seconds)
        return NoAnswer.RESET if self._is_cut else self._environment.serve(attempt, request)


class WorkerProcess:
    """One worker process; its number is from 1, `holding` is what is done at which of its calls."""

    def __init__(
        self, number: int, task: Task, environment: "Environment", holding: Holding
    ) -> None:
        self.number = number
        self.holding = holding
        self.message_id: str = task.event["Records"][0]["messageId"]
        self._ends_at = task.ends_at
        self._is_frozen = False
        self._log = Path(task.log)
        self._clock = clock = environment.services.clock
        self._proxy = Proxy(self, environment)
        url = self._proxy.start()
        addresses = {
            **dict.fromkeys(("AWS_ENDPOINT_URL", "TWILIO_BASE_URL"), url),
            **dict.fromkeys(("OPENAI_BASE_URL", "ASSISTANTS_BASE_URL"), f"{url}/v1"),
        }
        self._result, theirs = CONTEXT.Pipe(duplex=False)
        task = replace(task, environment={**task.environment, **addresses})
        self._process = CONTEXT.Process(target=run, args=(task, clock, number - 1, theirs))
        self._process.start()
        theirs.close()

    @property
    def is_running(self) -> bool:
        return not self._is_frozen and self._is_alive()

    @property
    def next_heartbeat(self) -> float:
        due: float = self._clock.heartbeats[self.number - 1]
        return due

    @property
    def is_beating(self) -> bool:
        """Whether a heartbeat is due and not yet over."""
        return self.next_heartbeat <= self._clock.now

    def skip_sleep(self) -> None:
        """Advance the time to the end of its sleep, if it sleeps."""
        self._clock.advance(self._clock.sleeps[self.number - 1])

    def next_held(self) -> HeldCall | None:
        """Wait for the next held call; None once the worker has ended.

        Its sleeps are skipped, and it is killed when Lambda's time is over.

        Raises:
            DriverError: Nothing of that happens.
        """
        give_up = time.monotonic() + GUARD_SECONDS
        while time.monotonic() < give_up:
            try:
                return self._proxy.held.get(timeout=POLL_SECONDS)
            except Empty:
                if not self._is_alive():
                    return None
                self.skip_sleep()
                if self._clock.now >= self._ends_at:
                    self.kill()
        raise DriverError(f"worker {self.number} neither ends nor comes to a boundary")

    def kill(self) -> None:
        """End it at once, as SIGKILL does, or Lambda when its time is over."""
        self._process.kill()
        self._process.join()
        self._proxy.cut()

    def freeze(self) -> None:
        self._is_frozen = True
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on, if it is frozen and still has time."""
        if not self._is_frozen:
            return
        if self._clock.now >= self._ends_at:
            self.kill()
        else:
            self._signal(signal.SIGCONT)
        self._is_frozen = False

    def finish(self) -> list[str] | None:
        """Wait for its end, and return the ids of the failed messages; None without a result."""
        self._process.join(GUARD_SECONDS)
        self._proxy.stop()
        result: dict[str, Any] | None = None
        with suppress(EOFError):
            result = self._result.recv() if self._result.poll() else None
        if result is None:
            return None
        return [failure["itemIdentifier"] for failure in result["batchItemFailures"]]

    def close(self) -> None:
        if self._is_alive():
            self.kill()
        self._proxy.stop()
        self._result.close()

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines of its log; one that is no JSON is its `message`."""
        text = self._log.read_text("utf-8") if self._log.exists() else ""
        return [_line(line) for line in text.splitlines() if line.strip()]

    def _is_alive(self) -> bool:
        # Asked all the time, hence not by `Process.is_alive`, which takes much longer.
        end = select.poll()
        end.register(self._process.sentinel)
        return not end.poll(0)

    def _signal(self, number: signal.Signals) -> None:
        if self._process.pid is None:
            raise DriverError(f"worker {self.number} was not started")
        with suppress(ProcessLookupError):  # it may end at any time
            os.kill(self._process.pid, number)


class Environment:
    """Everything around the conversation of one cell; AWS and the vendors are reset for it.

    Threads append to `events`; `workers` are in the order of their numbers.
    """

    def __init__(self, services: Services, scenario: Scenario, handler: str, scratch: Path) -> None:
        self.services = services
        self.scenario = scenario
        self.events: list[Event] = []
        self.workers: list[WorkerProcess] = []
        self.record = RecordState()
        self._handler = handler
        self._logs = Path(tempfile.mkdtemp(dir=scratch))
        services.reset()
        services.twilio.settings = TwilioSettings(list_lag_requests=scenario.list_lag_requests)
        flawed = VendorFault.wrong_output(json.dumps({"1": "Amara", "2": f"You get {INVENTED}."}))
        for _ in range(scenario.flawed_drafts):
            services.openai.fail_next(flawed)
        self.queue = MotoQueue(services, scenario.max_receive_count)
        _create_tables(is_opted_out=scenario.is_opted_out)
        create_secrets()
        if not scenario.is_template:
            without_template = {"twilio_account_sid": ACCOUNT, "twilio_auth_token": TOKEN}
            clients().secretsmanager.put_secret_value(
                SecretId=TWILIO_SECRET, SecretString=json.dumps(without_template)
            )

    @property
    def now(self) -> float:
        return self.services.clock.now

    def close(self) -> None:
        for worker in self.workers:
            worker.close()
        shutil.rmtree(self._logs)

    def enqueue(self) -> str:
        def configure(document: dict[str, Any]) -> None:
            assistant = "first_contact" if self.scenario.is_template else "free_text"
            openai_config(document).update(
                assistant_id_template_sender=assistant, engine=self.scenario.engine
            )
            recipient_data(document)["comms_consent"] = self.scenario.has_consent

        return self.queue.send(context(configure))

    def deliver_next(self, holding: Holding = hold_nothing) -> WorkerProcess | None:
        """Deliver the next message, once it is visible; None if there is none on the queue.

        Raises:
            DriverError: There is no end of deliveries.
        """
        while (visible_at := self.queue.next_visible()) is not None:
            self.advance(max(visible_at - self.now, 0.0) + TICK)
            if worker := self._deliver(holding):
                return worker
        return None

    def deliver_visible(self) -> None:
        for _ in range(self.queue.count_visible()):
            self._deliver(hold_nothing)

    def _deliver(self, holding: Holding) -> WorkerProcess | None:
        """Invoke a worker as the event source mapping does; delete what it does not report."""
        record = self.queue.receive()
        if record is None:  # it went to the dead-letter queue
            return None
        if len(self.workers) == SLOTS:
            raise DriverError("there is no end of deliveries")
        number = len(self.workers) + 1
        task = Task(
            handler=self._handler,
            environment={**_VARIABLES, **self.scenario.environment},
            event={"Records": [record]},
            ends_at=self.now + FUNCTION_SECONDS,
            log=str(self._logs / f"worker-{number}.log"),
        )
        worker = WorkerProcess(number, task, self, holding)
        self.workers.append(worker)
        while held := worker.next_held():
            if handle := holding(held.attempt.call):
                handle(held, worker)
        failed = worker.finish()
        if failed is not None and record["messageId"] not in failed:
            self.queue.delete(record["receiptHandle"])
        return worker

    def advance(self, seconds: float) -> None:
        """Advance the time in steps; workers make every heartbeat that is due meanwhile.

        Raises:
            DriverError: A heartbeat does not end.
        """
        until = self.now + seconds
        self._finish_heartbeats()
        while self.now < until:
            due = [worker.next_heartbeat for worker in self.workers if worker.is_running]
            self.services.clock.advance(min([until, *(at for at in due if at > self.now)]))
            self._finish_heartbeats()

    def _finish_heartbeats(self) -> None:
        give_up = time.monotonic() + GUARD_SECONDS
        while beating := [w for w in self.workers if w.is_running and w.is_beating]:
            for worker in beating:
                worker.skip_sleep()
            time.sleep(POLL_SECONDS)
            if time.monotonic() > give_up:
                raise DriverError(f"the heartbeat of worker {beating[0].number} does not end")

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
        self.note(attempt, Happening.APPLIED, response.status_code, before)
        return response

    def note(
        self,
        attempt: Attempt,
        what: Happening,
        status: int = 0,
        before: RecordState | None = None,
    ) -> None:
        at, after = self.now - EPOCH, self.record
        self.events.append(Event(at, attempt, what, before or after, after, status))

    def read_record(self) -> None:
        self.record = RecordState.of(self.services.item(TABLE, _ITEM_KEY))

    def log(self) -> tuple[str, ...]:
        """Return what the workers logged, without metrics."""
        lines = ((worker.number, line) for worker in self.workers for line in worker.lines())
        return tuple(f"worker {number}  {line}" for number, line in lines if "_aws" not in line)


def _create_tables(*, is_opted_out: bool) -> None:
    create_table()
    clients().dynamodb.create_table(
        TableName=IDEMPOTENCY_TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    if is_opted_out:
        at = "2026-01-01T00:00:00.000+00:00"
        item = serialize({**suppression_key("whatsapp", RECIPIENT), "suppressed_at": at})
        clients().dynamodb.put_item(TableName=TABLE, Item=item)


def _line(text: str) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except ValueError:
        return {"message": text}
    return line if isinstance(line, dict) else {"message": text}
