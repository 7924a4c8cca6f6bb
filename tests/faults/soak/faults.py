"""What goes wrong in a soak: processes killed and frozen, vendors and table failing at random."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from random import Random
from typing import Any

import psutil

from local.dynamodb_proxy import DynamoDBError, DynamoDBProxy
from local.fakes import Fault, Match, Rule
from local.vendors import FakeVendors
from tests.faults.soak.evidence import conversation_sent
from tests.faults.soak.plan import LEASE_SECONDS, Expected, Plan

PROGRAM = "_worker.py"
"""The program with which the embedded AWS runs a Python function."""
FREEZE_SECONDS = LEASE_SECONDS + 4.0
"""Until another worker has the conversation."""
POLL_SECONDS = 0.02
TOO_LATE = 6.0
"""Seconds after which no sender waits any longer."""


MESSAGES_PER_INJECTION = 5
FREEZE_SHARE = 0.15
CALLS_PER_INJECTION = 35
"""Average calls to the table from one injection to the next: the same work is done between them on
a slow machine as on a fast one."""
MAX_PAUSE = 1.0
"""Seconds from that call to the injection at most, so that it happens anywhere in processing."""
INJECTIONS_PER_LAG = 8
LAGS = (0.0, 3.0, 12.0, 90.0)
"""Seconds by which the vendor's list may lag for a while; the last outlasts every lookup."""


class ProcessFault(StrEnum):
    """What happens to a process of the function."""

    KILL = "kill"
    FREEZE = "freeze"


class FunctionProcesses:
    """The function's processes below the embedded AWS, to be killed and frozen.

    `pid` is the embedded AWS's; each process keeps a connection to `port` once it works. `injected`
    counts the processes that each fault has happened to.
    """

    def __init__(self, pid: int, port: int) -> None:
        self._aws = psutil.Process(pid)
        self._port = port
        self._frozen: dict[psutil.Process, float] = {}
        self.injected: Counter[ProcessFault] = Counter()

    def inject(self, fault: ProcessFault, pick: float) -> psutil.Process | None:
        """Kill or freeze one of the working processes, and return it; None if there is none.

        `pick` chooses among them by age, from 0 to below 1.
        """
        working = self.at_work()
        if not working:
            return None
        process = working[int(pick * len(working))]
        try:
            if fault is ProcessFault.KILL:
                process.kill()
            else:
                process.suspend()
                self._frozen[process] = time.monotonic()
        except psutil.NoSuchProcess:
            return None
        self.injected[fault] += 1
        return process

    def at_work(self) -> list[psutil.Process]:
        """Return the processes that have begun to work and are not frozen, the oldest first."""
        found = filter(self._is_at_work, self.living())
        return sorted(found, key=lambda process: (process.create_time(), process.pid))

    def living(self) -> list[psutil.Process]:
        """Return all of the function's processes, also those that are starting."""
        return [p for p in self._aws.children(recursive=True) if _is_of_function(p)]

    def thaw(self, *, frozen_for: float = 0) -> None:
        """Let the processes go on that have been frozen for so many seconds."""
        for process, since in list(self._frozen.items()):
            if time.monotonic() - since >= frozen_for:
                del self._frozen[process]
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()

    def _is_at_work(self, process: psutil.Process) -> bool:
        try:
            connections = process.net_connections(kind="tcp4")
        except psutil.Error:
            return False
        is_connected = any(c.raddr and c.raddr.port == self._port for c in connections)
        return is_connected and process not in self._frozen


def _is_of_function(process: psutil.Process) -> bool:
    try:
        return any(part.endswith(PROGRAM) for part in process.cmdline())
    except psutil.Error:
        return False


Probabilities = Mapping[Fault, float]
"""How likely each fault is for a request."""

_NETWORK: dict[Fault, float] = {
    **{Fault.slow(1.2, effect_applied=is_applied): 0.06 for is_applied in (False, True)},
    **{Fault.slow(TOO_LATE, effect_applied=is_applied): 0.02 for is_applied in (False, True)},
    **{Fault.hang(effect_applied=is_applied): 0.02 for is_applied in (False, True)},
    **{Fault.reset(effect_applied=is_applied): 0.02 for is_applied in (False, True)},
    **{Fault.not_json(effect_applied=is_applied): 0.01 for is_applied in (False, True)},
    Fault.empty(): 0.02,
}
SENDS: Probabilities = _NETWORK | {
    Fault.error(429, 20429, retry_after=1): 0.03,
    Fault.error(500, 20500): 0.03,
    Fault.error(500, 20500, effect_applied=True): 0.03,
    Fault.error(503, 20503): 0.02,
    Fault.error(400, 63010): 0.01,
    Fault.error(401, 20003): 0.01,
    Fault.undelivered(): 0.01,
}
LISTS: Probabilities = {
    Fault.error(429, 20429, retry_after=1): 0.02,
    Fault.error(500, 20500): 0.03,
    Fault.error(401, 20003): 0.01,
    Fault.slow(1.0): 0.05,
    Fault.hang(): 0.02,
    Fault.reset(): 0.02,
}
GENERATING: Probabilities = {
    Fault.error(429, "rate_limit_exceeded", retry_after=1): 0.01,
    Fault.error(429, "insufficient_quota"): 0.003,
    Fault.error(401, "invalid_api_key"): 0.01,
    Fault.error(404, "model_not_found"): 0.003,
    Fault.error(500, "server_error"): 0.03,
    Fault.slow(1.5): 0.1,
    Fault.slow(TOO_LATE): 0.01,
    Fault.hang(): 0.01,
    Fault.reset(): 0.02,
    Fault.empty(): 0.02,
    Fault.failed(): 0.01,
    Fault.thinking(2.0): 0.1,
}
TABLE: Probabilities = {
    DynamoDBError.THROTTLED.fault(): 0.05,
    DynamoDBError.SERVER_ERROR.fault(): 0.03,
    DynamoDBError.SERVER_ERROR.fault(effect_applied=True): 0.03,
    DynamoDBError.ACCESS_DENIED.fault(): 0.01,
    Fault.slow(0.5, effect_applied=True): 0.1,
    Fault.slow(TOO_LATE, effect_applied=True): 0.005,
    Fault.hang(): 0.005,
    Fault.reset(): 0.02,
    Fault.reset(effect_applied=True): 0.03,
}

_MESSAGES = "/2010-04-01/Accounts/*/Messages.json"
_SENDS = Match(method="POST", paths=(_MESSAGES,))
_LISTS = Match(method="GET", paths=(_MESSAGES,))


class FaultInjection:
    """Injects the plan's faults, and lets the vendors and the table fail at random.

    The number of requests to the table measures the work that has been done.
    """

    def __init__(
        self,
        plan: Plan,
        processes: FunctionProcesses,
        vendors: FakeVendors,
        dynamodb_proxy: DynamoDBProxy,
    ) -> None:
        self._plan = plan
        self._processes = processes
        self._twilio, self._openai = vendors.twilio, vendors.openai
        self._dynamodb_proxy = dynamodb_proxy
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fault-injection", daemon=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Inject faults inside the context; what is refused for good stays refused afterwards."""
        self._refuse()
        self._fail_at_random()
        self._thread.start()
        try:
            yield
        finally:
            self._ended.set()
            self._thread.join()
            self._processes.thaw()
            self._lag(0)
            self._twilio.clear_faults()
            self._openai.clear_faults()
            self._dynamodb_proxy.clear_faults()
            self._refuse()

    @property
    def is_over(self) -> bool:
        """Whether every injection has happened."""
        return not self._thread.is_alive()

    def count_failed(self) -> int:
        """Return how many requests to vendors and table failed."""
        parts: tuple[Any, ...] = (self._openai, self._twilio, self._dynamodb_proxy)
        return sum(bool(request.fault) for part in parts for request in part.requests)

    def _fail_at_random(self) -> None:
        kinds: tuple[tuple[Any, Probabilities, Match | None], ...] = (
            (self._twilio, SENDS, _SENDS),
            (self._twilio, LISTS, _LISTS),
            (self._openai, GENERATING, None),
            (self._dynamodb_proxy, TABLE, Match()),
        )
        for kind, (part, probabilities, match) in enumerate(kinds):
            for number, (fault, probability) in enumerate(probabilities.items()):
                rule = Rule(
                    fault=fault,
                    match=match or self._openai.default_match(fault),
                    times=None,
                    probability=probability,
                    seed=1000 * self._plan.seed + 100 * kind + number,
                )
                part.add_rule(rule)

    def _refuse(self) -> None:
        conversations = self._plan.conversations
        refused = {c.conversation_id for c in conversations if c.expected is Expected.UNREACHABLE}
        sends = replace(_SENDS, paths=(), predicate=lambda r: conversation_sent(r) in refused)
        self._twilio.add_rule(Rule(fault=Fault.error(400, 21211), match=sends, times=None))
        # Without callbacks, every send with a lost response needs reconciliation or an operator.
        self._twilio.add_rule(Rule(fault=Fault.callback_lost(), times=None))

    def _run(self) -> None:
        random = Random(self._plan.seed)  # noqa: S311 - repeatable, no cryptography
        for _ in range(len(self._plan.conversations) // MESSAGES_PER_INJECTION):
            pause = random.uniform(0, MAX_PAUSE)
            calls = random.randint(1, 2 * CALLS_PER_INJECTION)
            if not self._await_calls(calls) or self._ended.wait(pause):
                return
            if random.random() < 1 / INJECTIONS_PER_LAG:
                self._lag(random.choice(LAGS))
            is_freeze, pick = random.random() < FREEZE_SHARE, random.random()
            fault = ProcessFault.FREEZE if is_freeze else ProcessFault.KILL
            while not self._processes.inject(fault, pick):
                if self._ended.wait(POLL_SECONDS):  # no process is at work for a moment
                    return

    def _await_calls(self, calls: int) -> bool:
        """Wait until so many calls were made; False if the context ends before."""
        due = len(self._dynamodb_proxy.requests) + calls
        while len(self._dynamodb_proxy.requests) < due:
            self._processes.thaw(frozen_for=FREEZE_SECONDS)
            if self._ended.wait(POLL_SECONDS):
                return False
        return True

    def _lag(self, seconds: float) -> None:
        self._twilio.settings = replace(self._twilio.settings, list_lag_seconds=seconds)
