"""A worker as the driver sees it: started, watched, killed, frozen."""

import json
import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from queue import Empty
from typing import Any

from tests.faults.grid.calls import CallName
from tests.faults.grid.held import GUARD_SECONDS, Held
from tests.faults.grid.proxy import Beyond, Proxy
from tests.faults.grid.virtual_time import POLL_SECONDS, SharedTime
from tests.faults.grid.worker import Task, run

CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.faults.grid.preload"])


class GridError(Exception):
    """The grid itself did not work, which says nothing of the handler."""


class Runner:
    """One worker process, from its start to its end.

    Args:
        number: Its number in its world, from 1.
        task: What it is to do; the proxy's address is added to its environment.
        time: The world's time.
        beyond: Where its calls go.
        holds: Tells of a call whether it is to be held.
    """

    def __init__(
        self,
        number: int,
        task: Task,
        time: SharedTime,
        beyond: Beyond,
        holds: Callable[[CallName], bool],
    ) -> None:
        self.number = number
        self.ends_at = task.ends_at
        self.message_id: str = task.event["Records"][0]["messageId"]
        self.is_frozen = False
        self.was_killed = False
        self._log = Path(task.log)
        self._time = time
        self._proxy = Proxy(number, beyond, holds, lambda: self.is_beating)
        self._proxy.start()
        self._result, theirs = CONTEXT.Pipe(duplex=False)
        task = replace(task, environment={**task.environment, **_addresses(self._proxy.url)})
        self._process = CONTEXT.Process(target=run, args=(task, time, number - 1, theirs))
        self._process.start()
        theirs.close()

    @property
    def is_running(self) -> bool:
        """Whether it is alive and not frozen."""
        return not self.is_frozen and self._is_alive()

    @property
    def is_beating(self) -> bool:
        """Whether a beat is due and not yet over."""
        return self._time.beat_of(self.number - 1) <= self._time.now

    @property
    def sleeps_until(self) -> float | None:
        """Until when it sleeps, if it does."""
        until = self._time.sleep_of(self.number - 1)
        return until if until > self._time.now else None

    @property
    def next_beat(self) -> float:
        """When its next beat is due."""
        return self._time.beat_of(self.number - 1)

    def next_held(self) -> Held | None:
        """Wait for the next call that is held; None once the worker has ended.

        Its sleep is made short, and it is ended with Lambda's time.

        Raises:
            GridError: Neither happens.
        """
        give_up = time.monotonic() + GUARD_SECONDS
        while time.monotonic() < give_up:
            try:
                return self._proxy.held.get(timeout=POLL_SECONDS)
            except Empty:
                if not self._is_alive():
                    return None
                self._help_on()
        raise GridError(f"worker {self.number} neither ends nor comes to a boundary")

    def _help_on(self) -> None:
        if self.sleeps_until:
            self._time.advance(self.sleeps_until)
        if self._time.now >= self.ends_at:
            self.kill()

    def kill(self) -> None:
        """End it at once, as SIGKILL does, or Lambda when its time is over."""
        self.was_killed = True
        self._process.kill()
        self._process.join()
        self._proxy.cut()

    def freeze(self) -> None:
        """Stop the whole process where it is."""
        self.is_frozen = True
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on, if it is frozen and still has time."""
        if not self.is_frozen:
            return
        if self._time.now >= self.ends_at:
            self.kill()
        else:
            self._signal(signal.SIGCONT)
        self.is_frozen = False

    def finish(self) -> list[str] | None:
        """Its result, once it has ended: the ids of the messages that failed; None without one."""
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

    def _is_alive(self) -> bool:
        # Asked all the time, hence not by `Process.is_alive`, which takes much longer.
        end = select.poll()
        end.register(self._process.sentinel)
        return not end.poll(0)

    def lines(self) -> list[dict[str, Any]]:
        """The lines of its log; what is no JSON stands as `message`."""
        text = self._log.read_text("utf-8") if self._log.exists() else ""
        return [_line(line) for line in text.splitlines() if line.strip()]

    def _signal(self, number: signal.Signals) -> None:
        if self._process.pid is None:
            raise GridError(f"worker {self.number} was not started")
        with suppress(ProcessLookupError):  # it may end at any time
            os.kill(self._process.pid, number)


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
