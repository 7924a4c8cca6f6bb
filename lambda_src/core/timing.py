"""How long each part of the work may take; seconds throughout."""

from dataclasses import dataclass

AWS_CONNECT_SECONDS = 1.0
AWS_READ_SECONDS = 3.0
AWS_ATTEMPTS = 2
AWS_CALL_SECONDS = AWS_ATTEMPTS * (AWS_CONNECT_SECONDS + AWS_READ_SECONDS) + 1.0
"""The longest that one call to AWS takes: every attempt in full, and the pause between them."""

STALL_SECONDS = 3.0
"""Allowed between the intent and the send; a worker held up for longer does not send."""
SKEW_SECONDS = 2.0
"""What the clocks of two workers may differ by."""
RETURN_SECONDS = 2 * AWS_CALL_SECONDS
"""Kept back for the end: a beat that is under way, and the visibility of failed messages."""
LEAST_AI_SECONDS = 5.0
"""An answer is not asked for when less time than this is left for it."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The configured times."""

    openai_timeout: float
    twilio_timeout: float
    settle_delays: tuple[float, ...]

    @property
    def send_reserve(self) -> float:
        """Time that must be left when a send is announced: for it, its record, and the end."""
        return STALL_SECONDS + self.twilio_timeout + AWS_CALL_SECONDS + RETURN_SECONDS

    @property
    def send_span(self) -> float:
        """After an intent, how long its sender may still be at it."""
        return STALL_SECONDS + self.twilio_timeout + SKEW_SECONDS

    def ai_timeout(self, time_left: float) -> float:
        """Time for the AI's answer, given the function's time left."""
        return min(self.openai_timeout, time_left - self.send_reserve)
