"""Time that passes only when told to."""

START = 1_800_000_000.0
"""Epoch seconds at which every test begins."""


class FakeClock:
    """Implements the port `Clock`; `sleep` passes the time without waiting."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        """The present, in epoch seconds."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    sleep = advance
