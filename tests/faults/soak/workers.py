"""The processes that run the deployed function, and what may befall them."""

import contextlib
import time
from collections import Counter

import psutil

from tests.faults.soak.plan import Blow

PROGRAM = "_worker.py"
"""What the embedded AWS runs a Python function with."""


class Workers:
    """Finds the function's processes below the embedded AWS, kills them and lets them freeze.

    A process is known by its id and its time of birth: one that has ended is never mistaken for
    another that got its id.

    Args:
        pid: of the embedded AWS.
        port: of the server to which every process that has begun to work keeps a connection.

    Attributes:
        blows: how many have struck a process.
    """

    def __init__(self, pid: int, port: int) -> None:
        self._above = psutil.Process(pid)
        self._port = port
        self._frozen: dict[psutil.Process, float] = {}
        self.blows: Counter[Blow] = Counter()

    def strike(self, blow: Blow, pick: float) -> psutil.Process | None:
        """Let a blow fall on one of the processes, if there are any.

        Args:
            blow: what befalls it.
            pick: from 0 to below 1, chooses among them by age.

        Returns:
            Which one was struck.
        """
        living = self.at_work()
        if not living:
            return None
        struck = living[int(pick * len(living))]
        try:
            self._let_fall(blow, struck)
        except psutil.NoSuchProcess:
            return None
        self.blows[blow] += 1
        return struck

    def at_work(self) -> list[psutil.Process]:
        """The processes that have begun to work and do not stand still, the oldest first."""
        found = [process for process in self.living() if self._is_at_work(process)]
        return sorted(found, key=lambda process: (process.create_time(), process.pid))

    def living(self) -> list[psutil.Process]:
        """All of the function's processes, also those that only start."""
        below = self._above.children(recursive=True)
        return [process for process in below if _is_of_function(process)]

    def thaw(self, *, frozen_for: float = 0) -> None:
        """Let go on what has been frozen for so many seconds."""
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

    def _let_fall(self, blow: Blow, process: psutil.Process) -> None:
        if blow is Blow.KILL:
            process.kill()
        else:
            process.suspend()
            self._frozen[process] = time.monotonic()


def _is_of_function(process: psutil.Process) -> bool:
    try:
        return any(part.endswith(PROGRAM) for part in process.cmdline())
    except psutil.Error:
        return False
