"""The boundary: every outside call of one worker goes through here, and may be held."""

import time
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from threading import Condition
from typing import TYPE_CHECKING, Protocol

from werkzeug.wrappers import Request, Response

from local.stand_ins.faulty_application import rereadable
from local.stand_ins.loopback_server import HOST, LoopbackServer
from local.stand_ins.waiting import Waiting
from tests.faults.grid.calls import BEAT, FIRST_BEAT, Attempt, CallName, Numbering
from tests.faults.grid.held import GUARD_SECONDS, Held, NoAnswer
from tests.faults.grid.journal import Happening
from tests.faults.grid.virtual_time import POLL_SECONDS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Beyond(Protocol):
    """What lies beyond the boundary."""

    def serve(self, attempt: Attempt, request: Request) -> Response:
        """Let the service answer."""

    def note(self, attempt: Attempt, what: Happening, status: int = 0) -> None:
        """Write down what happened."""

    def take_time(self, call: CallName) -> None:
        """Let the time pass that the service takes."""


class Proxy:
    """One worker's way to the world: a loopback port, which names, notes and may hold its calls.

    While one call is held, the worker's other ones wait: the worker as a whole is at that boundary.

    Args:
        worker: Whose it is.
        beyond: Where calls go.
        holds: Tells of a call whether it is to be held.
        is_beating: Tells whether the worker is at a beat.
    """

    def __init__(
        self,
        worker: int,
        beyond: Beyond,
        holds: Callable[[CallName], bool],
        is_beating: Callable[[], bool],
    ) -> None:
        self._beyond = beyond
        self._holds = holds
        self._is_beating = is_beating
        self._numbering = Numbering(worker)
        self._turn = Condition()
        self._busy: Held | None = None
        self._has_begun = self._first_beat_decided = False
        self._is_cut = False
        self._waiting = Waiting()
        self._server = LoopbackServer(self._application, name=f"proxy-{worker}")
        self.held: SimpleQueue[Held] = SimpleQueue()

    @property
    def url(self) -> str:
        """Where the worker finds the world."""
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
        self._waiting.end()
        self._server.stop()

    def _application(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        request = rereadable(environ)
        attempt = self._numbering.name(request)
        self._await_first_beat(attempt.call)
        self._beyond.note(attempt, Happening.ARRIVED)
        held = self._take_turn(attempt, request)
        decision = self._decision(held) if held else self._forward(attempt, request)
        if isinstance(decision, NoAnswer):
            self._beyond.note(attempt, Happening.LOST)
            if decision is NoAnswer.HANG:
                self._waiting.until_client_gives_up(environ["werkzeug.socket"])
            raise ConnectionResetError("by order")
        self._beyond.note(attempt, Happening.ANSWERED, decision.status_code)
        return decision(environ, start_response)

    def _take_turn(self, attempt: Attempt, request: Request) -> Held | None:
        with self._turn:
            if not self._turn.wait_for(self._may_go, GUARD_SECONDS) or self._is_cut:
                raise ConnectionResetError("the worker is dead")
            if not self._holds(attempt.call):
                self._turn.notify_all()
                return None
            self._busy = Held(attempt, lambda: self._beyond.serve(attempt, request))
            self.held.put(self._busy)
            return self._busy

    def _may_go(self) -> bool:
        return self._is_cut or self._busy is None

    def _await_first_beat(self, call: CallName) -> None:
        # The first beat and the work begin at once: here always in this order, so that each call
        # has the same number every time.
        while not (self._has_begun or self._is_cut or call.kind.startswith(BEAT)):
            self._has_begun = self._is_first_beat_over()
            time.sleep(POLL_SECONDS)

    def _is_first_beat_over(self) -> bool:
        # As the boundary it is not waited for any longer: it may hang while the work goes on.
        is_boundary = self._holds(CallName.parse(FIRST_BEAT))
        return self._first_beat_decided if is_boundary else not self._is_beating()

    def _decision(self, held: Held) -> Response | NoAnswer:
        try:
            return held.decided()
        finally:
            with self._turn:
                self._first_beat_decided |= str(held.call) == FIRST_BEAT
                self._busy = None
                self._turn.notify_all()

    def _forward(self, attempt: Attempt, request: Request) -> Response | NoAnswer:
        self._beyond.take_time(attempt.call)
        return NoAnswer.RESET if self._is_cut else self._beyond.serve(attempt, request)
