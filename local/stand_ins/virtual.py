"""Time that passes only when told to, and a handler that goes by it."""

import time
from dataclasses import replace

from lambda_src.core.batch import BatchHandler


class VirtualClock:
    """Seconds since the epoch, from the present on."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        """The time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def going_by(clock: VirtualClock, handler: BatchHandler) -> BatchHandler:
    """The handler with another clock, on which it also waits."""
    flow, sleep = handler.flow, clock.advance
    claims = replace(flow.claims, clock=clock)
    final_record = replace(flow.final_record, sleep=sleep)
    return replace(
        handler,
        flow=replace(
            flow,
            clock=clock,
            claims=claims,
            final_record=final_record,
            sending=replace(flow.sending, clock=clock, claims=claims),
            putting_down=replace(flow.putting_down, clock=clock, sleep=sleep),
            settlement=replace(flow.settlement, clock=clock, final_record=final_record),
        ),
    )
