"""How long each part of the work may take."""

from dataclasses import dataclass

STALL_SECONDS = 3.0
"""Allowed between the intent and the send; a worker held up for longer does not send."""
SKEW_SECONDS = 2.0
"""What the clocks of two workers may differ by."""
WRITE_SECONDS = 10.0
"""Kept back of the function's time for the write after the send."""
LEAST_AI_SECONDS = 5.0
"""An answer is not asked for when less time than this is left for it."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The configured times, in seconds."""

    openai_timeout: float
    twilio_timeout: float
    settle_delays: tuple[float, ...]

    @property
    def send_reserve(self) -> float:
        """Time that must be left when a send is announced: for it, and for the write after it."""
        return STALL_SECONDS + self.twilio_timeout + WRITE_SECONDS

    @property
    def send_span(self) -> float:
        """After an intent, how long its sender may still be at it."""
        return STALL_SECONDS + self.twilio_timeout + SKEW_SECONDS

    def ai_timeout(self, time_left: float) -> float:
        """Time for the AI's answer, given the function's time left."""
        return min(self.openai_timeout, time_left - self.send_reserve)
