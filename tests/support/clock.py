"""A clock that moves only when it is told to."""

START = 1_800_000_000.0
"""Epoch seconds at which every test begins: 2027-01-15T08:00:00Z."""


class FakeClock:
    """Implements the port `Clock`; `sleep` moves the time without waiting."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time in epoch seconds."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move the time."""
        self.now += seconds

    sleep = advance
