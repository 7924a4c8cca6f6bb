"""A clock that moves only when it is told to."""

from local.fakes.clock import VirtualClock

START = 1_800_000_000.0
"""Epoch seconds at which every test begins: 2027-01-15T08:00:00Z."""


class FakeClock(VirtualClock):
    """Implements the port `Clock`; `sleep` moves the time without waiting."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    sleep = VirtualClock.advance
