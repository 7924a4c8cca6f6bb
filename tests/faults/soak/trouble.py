"""The time in which everything fails: blows on workers, faults of vendors, lists that lag."""

import threading
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from local.composite import Composite
from tests.faults.soak.pace import LEASE_SECONDS
from tests.faults.soak.plan import Plan, Strike
from tests.faults.soak.workers import Workers

if TYPE_CHECKING:
    from local.dynamodb_gateway import DynamoDBGateway
    from local.vendors import StandIns
    from tests.faults.soak.mischief import Mischief

FREEZE_SECONDS = LEASE_SECONDS + 4.0
"""Until another worker has the conversation."""
LOOK_SECONDS = 0.02


class Trouble(Composite):
    """Makes trouble as planned, from the beginning to the end of a `with` block.

    Args:
        plan: the strikes.
        workers: whom they strike.
        mischief: what goes wrong besides.
        vendors: whose list lags.
        gateway: in front of the table, whose calls tell how much work has been done.
    """

    def __init__(
        self,
        plan: Plan,
        workers: Workers,
        mischief: "Mischief",
        vendors: "StandIns",
        gateway: "DynamoDBGateway",
    ) -> None:
        super().__init__()
        self._strikes = plan.strikes
        self._workers = workers
        self._mischief = mischief
        self._vendors = vendors
        self._gateway = gateway
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trouble", daemon=True)

    def _start_parts(self, starting: ExitStack) -> None:
        starting.callback(self._mischief.end)
        starting.callback(self._lag, 0)
        starting.callback(self._workers.thaw)
        self._mischief.begin()
        self._thread.start()
        starting.callback(self._thread.join)
        starting.callback(self._ended.set)

    @property
    def is_over(self) -> bool:
        """Whether every strike has fallen."""
        return not self._thread.is_alive()

    def _run(self) -> None:
        for strike in self._strikes:
            if not self._is_due(strike) or self._ended.wait(strike.pause):
                return
            self._lag(strike.lag)
            while not self._workers.strike(strike.blow, strike.pick):
                if self._ended.wait(LOOK_SECONDS):  # nobody is at work, for a moment
                    return

    def _is_due(self, strike: Strike) -> bool:
        """Wait until it is; False when the trouble ends before."""
        due = len(self._gateway.requests) + strike.calls
        while len(self._gateway.requests) < due:
            self._workers.thaw(frozen_for=FREEZE_SECONDS)
            if self._ended.wait(LOOK_SECONDS):
                return False
        return True

    def _lag(self, seconds: float) -> None:
        self._vendors.twilio.settings = replace(
            self._vendors.twilio.settings, list_lag_seconds=seconds
        )
