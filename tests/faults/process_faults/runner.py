"""Worker processes as the driver sees them: started, held at a call, killed, frozen, thawed."""

import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from multiprocessing import get_context
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Condition, Event
from typing import TYPE_CHECKING, Any, Protocol

from werkzeug.wrappers import Request, Response

from local.fakes.server import HOST, InterruptibleWait, LoopbackServer, buffered_request
from tests.faults.process_faults.calls import (
    FIRST_HEARTBEAT,
    HEARTBEAT,
    Attempt,
    CallCounter,
    CallName,
)
from tests.faults.process_faults.clock import POLL_SECONDS, SharedTime
from tests.faults.process_faults.journal import Happening
from tests.faults.process_faults.worker import Task, run

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

GUARD_SECONDS = 60.0
"""Real time after which something that should have happened counts as a defect of this driver."""
CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.faults.process_faults.preload"])


class DriverError(Exception):
    """The driver itself did not work, which says nothing of the handler."""


class NoAnswer(Enum):
    """The ways in which a call gets no answer."""

    RESET = auto()
    HANG = auto()


@dataclass(frozen=True)
class HeldCall:
    """A call that has arrived, and is neither forwarded nor answered until the driver decides.

    Attributes:
        attempt: The request.
        forward: Lets the service answer: the call takes effect.
    """

    attempt: Attempt
    forward: Callable[[], Response]
    _answer: "Future[Response | NoAnswer]" = field(default_factory=Future)
    _written: Event = field(default_factory=Event)

    @property
    def call(self) -> CallName:
        """The call's name."""
        return self.attempt.call

    @property
    def is_retry(self) -> bool:
        """Whether the SDK makes the call again."""
        return self.attempt.number > 1

    def answer(self, response: Response) -> None:
        """Answer, and return once the answer is on its way."""
        response.call_on_close(self._written.set)
        self._answer.set_result(response)
        self._written.wait(GUARD_SECONDS)

    def pass_through(self) -> None:
        """Let the call take effect, and answer as the service does."""
        self.answer(self.forward())

    def reset(self) -> None:
        """Reset the connection instead of answering."""
        self._answer.set_result(NoAnswer.RESET)

    def hang(self) -> None:
        """Never answer: the connection stays open until the worker gives up."""
        self._answer.set_result(NoAnswer.HANG)

    def wait(self) -> Response | NoAnswer:
        """Wait for the answer."""
        return self._answer.result(GUARD_SECONDS)


class Gateway(Protocol):
    """What is behind the proxies."""

    def serve(self, attempt: Attempt, request: Request) -> Response:
        """Let the service answer."""

    def note(self, attempt: Attempt, what: Happening, status: int = 0) -> None:
        """Record what happened to a request."""

    def spend_time(self, call: CallName) -> None:
        """Advance the time by as much as the service takes."""


class Proxy:
    """One worker's loopback port to all services, which names, records and may hold its calls.

    While one call is held, the worker's other calls wait: the whole worker is at that boundary.

    Args:
        worker: The worker's number.
        gateway: Where calls go.
        holds: Returns whether a call is to be held.
        is_beating: Returns whether the worker is making a heartbeat.
    """

    def __init__(
        self,
        worker: int,
        gateway: Gateway,
        holds: Callable[[CallName], bool],
        is_beating: Callable[[], bool],
    ) -> None:
        self._gateway = gateway
        self._holds = holds
        self._is_beating = is_beating
        self._calls = CallCounter(worker)
        self._turn = Condition()
        self._busy: HeldCall | None = None
        self._has_begun = self._first_heartbeat_decided = False
        self._is_cut = False
        self._wait = InterruptibleWait()
        self._server = LoopbackServer(self._application, name=f"proxy-{worker}", wait=self._wait)
        self.held: SimpleQueue[HeldCall] = SimpleQueue()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{HOST}:{self._server.port}"

    def start(self) -> None:
        """Listen and serve."""
        self._server.start()

    def cut(self) -> None:
        """Let nothing through any more: the worker is dead."""
        with self._turn:
            self._is_cut = True
            self._turn.notify_all()

    def stop(self) -> None:
        """Stop serving, once every thread has ended."""
        self.cut()
        self._server.stop()

    def _application(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        request = buffered_request(environ)
        attempt = self._calls.name(request)
        self._await_first_heartbeat(attempt.call)
        self._gateway.note(attempt, Happening.ARRIVED)
        held = self._take_turn(attempt, request)
        answer = self._answer(held) if held else self._forward(attempt, request)
        if isinstance(answer, NoAnswer):
            self._gateway.note(attempt, Happening.LOST)
            if answer is NoAnswer.HANG:
                self._wait.until_disconnect(environ["werkzeug.socket"])
            raise ConnectionResetError("injected")
        self._gateway.note(attempt, Happening.ANSWERED, answer.status_code)
        return answer(environ, start_response)

    def _take_turn(self, attempt: Attempt, request: Request) -> HeldCall | None:
        with self._turn:
            is_free = self._turn.wait_for(lambda: self._is_cut or not self._busy, GUARD_SECONDS)
            if not is_free or self._is_cut:
                raise ConnectionResetError("the worker is dead")
            if not self._holds(attempt.call):
                self._turn.notify_all()
                return None
            self._busy = HeldCall(attempt, lambda: self._gateway.serve(attempt, request))
            self.held.put(self._busy)
            return self._busy

    def _await_first_heartbeat(self, call: CallName) -> None:
        # The first heartbeat and the work begin at once: here always in this order, so that each
        # call has the same number every time.
        while not (self._has_begun or self._is_cut or call.kind.startswith(HEARTBEAT)):
            if self._holds(CallName.parse(FIRST_HEARTBEAT)):  # it may hang while the work goes on
                self._has_begun = self._first_heartbeat_decided
            else:
                self._has_begun = not self._is_beating()
            time.sleep(POLL_SECONDS)

    def _answer(self, held: HeldCall) -> Response | NoAnswer:
        try:
            return held.wait()
        finally:
            with self._turn:
                self._first_heartbeat_decided |= str(held.call) == FIRST_HEARTBEAT
                self._busy = None
                self._turn.notify_all()

    def _forward(self, attempt: Attempt, request: Request) -> Response | NoAnswer:
        self._gateway.spend_time(attempt.call)
        return NoAnswer.RESET if self._is_cut else self._gateway.serve(attempt, request)


class WorkerProcess:
    """One worker process.

    Args:
        number: Its number, from 1.
        task: What it does; the proxy's address is added to its environment.
        clock: The shared time.
        gateway: Where its calls go.
        holds: Returns whether a call is to be held.
    """

    def __init__(
        self,
        number: int,
        task: Task,
        clock: SharedTime,
        gateway: Gateway,
        holds: Callable[[CallName], bool],
    ) -> None:
        self.number = number
        self.ends_at = task.ends_at
        self.message_id: str = task.event["Records"][0]["messageId"]
        self.is_frozen = False
        self.was_killed = False
        self._log = Path(task.log)
        self._clock = clock
        self._proxy = Proxy(number, gateway, holds, lambda: self.is_beating)
        self._proxy.start()
        self._result, theirs = CONTEXT.Pipe(duplex=False)
        task = replace(task, environment={**task.environment, **_addresses(self._proxy.url)})
        self._process = CONTEXT.Process(target=run, args=(task, clock, number - 1, theirs))
        self._process.start()
        theirs.close()

    @property
    def is_running(self) -> bool:
        """Whether it is alive and not frozen."""
        return not self.is_frozen and self._is_alive()

    @property
    def next_heartbeat(self) -> float:
        """When its next heartbeat is due."""
        return self._clock.heartbeat_of(self.number - 1)

    @property
    def is_beating(self) -> bool:
        """Whether a heartbeat is due and not yet over."""
        return self.next_heartbeat <= self._clock.now

    @property
    def sleeps_until(self) -> float | None:
        """Until when it sleeps, if it does."""
        until = self._clock.sleep_of(self.number - 1)
        return until if until > self._clock.now else None

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
                if self.sleeps_until:
                    self._clock.advance(self.sleeps_until)
                if self._clock.now >= self.ends_at:
                    self.kill()
        raise DriverError(f"worker {self.number} neither ends nor comes to a boundary")

    def kill(self) -> None:
        """End it at once, as SIGKILL does, or Lambda when its time is over."""
        self.was_killed = True
        self._process.kill()
        self._process.join()
        self._proxy.cut()

    def freeze(self) -> None:
        """Suspend the whole process."""
        self.is_frozen = True
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on, if it is frozen and still has time."""
        if not self.is_frozen:
            return
        if self._clock.now >= self.ends_at:
            self.kill()
        else:
            self._signal(signal.SIGCONT)
        self.is_frozen = False

    def finish(self) -> list[str] | None:
        """Wait for its end, and return the ids of the failed messages; None without a result."""
        self._process.join(GUARD_SECONDS)
        self._proxy.stop()
        try:
            result: dict[str, Any] | None = self._result.recv() if self._result.poll() else None
        except EOFError:
            result = None
        if result is None:
            return None
        return [failure["itemIdentifier"] for failure in result["batchItemFailures"]]

    def close(self) -> None:
        """Leave nothing running."""
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


def advance_time(clock: SharedTime, seconds: float, workers: Sequence[WorkerProcess]) -> None:
    """Advance the time in steps, so that workers make every heartbeat that is due meanwhile.

    Raises:
        DriverError: A heartbeat does not end.
    """
    until = clock.now + seconds
    _finish_heartbeats(clock, workers)
    while clock.now < until:
        due = [worker.next_heartbeat for worker in workers if worker.is_running]
        clock.advance(min([until, *(at for at in due if at > clock.now)]))
        _finish_heartbeats(clock, workers)


def _finish_heartbeats(clock: SharedTime, workers: Sequence[WorkerProcess]) -> None:
    give_up = time.monotonic() + GUARD_SECONDS
    while beating := [w for w in workers if w.is_running and w.is_beating]:
        for until in filter(None, (worker.sleeps_until for worker in beating)):
            clock.advance(until)
        time.sleep(POLL_SECONDS)
        if time.monotonic() > give_up:
            raise DriverError(f"the heartbeat of worker {beating[0].number} does not end")


def _addresses(url: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": url,
        "OPENAI_BASE_URL": f"{url}/v1",
        "ASSISTANTS_BASE_URL": f"{url}/v1",
        "TWILIO_BASE_URL": url,
    }


def _line(text: str) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except ValueError:
        return {"message": text}
    return line if isinstance(line, dict) else {"message": text}
