"""How long each part of the work may take; seconds throughout.

Standard library only: synth holds a template's times against this arithmetic.
"""

import math
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
MARGIN_SECONDS = 0.5
"""Left for Lambda to take the handler's answer."""
OVERRUN_SECONDS = 0.5
"""Granted to work that ends at the last moment, to say how it ended."""
CUT_OFF_SECONDS = 2 * AWS_CALL_SECONDS + MARGIN_SECONDS
"""Kept back for the end: a beat that is under way, and the visibility of failed messages."""
RETURN_SECONDS = CUT_OFF_SECONDS + OVERRUN_SECONDS
"""What work leaves for the end; who still is at it when the end's own time begins is cut off."""
BEGIN_SECONDS = AWS_CALL_SECONDS + RETURN_SECONDS
"""No message is begun with less: it is for a record that says why the message was refused."""
AI_GRACE_SECONDS = 3.0
"""What an answer may outlast its timeout by, before it is given up whatever keeps it."""
LEAST_AI_SECONDS = 5.0
"""An answer is not asked for when less time than this is left for it."""

PREPARATION_CALLS = 5
"""Calls to AWS before the AI is asked: two for the claim, one to the queue, two for secrets."""

LONGEST_BACKOFF = 900.0
"""No backoff of ours exceeds it."""
LONGEST_REQUESTED = 21_600.0
"""Granted to a vendor at most: half of the 12 hours SQS allows, counted from receipt."""

LOST_BEATS = 2
"""Beats in a row that may fail without harm."""


def longest_gap(interval: float) -> float:
    """Return how long a message or a lease may go without renewal though its worker is alive.

    That is either until the beat after the lost ones, or until one whose calls (the queue's, then
    the leases') take as long as they may.

    Args:
        interval: Between the beats.
    """
    return max((LOST_BEATS + 1) * interval, interval + 2 * AWS_CALL_SECONDS)


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
    def claim_reserve(self) -> float:
        """Time that must be left for a claim, two writes where it takes over, and then a send."""
        return 2 * AWS_CALL_SECONDS + self.send_reserve

    @property
    def look_reserve(self) -> float:
        """Time that must be left for a look at the vendor: a secret, the list, two of our calls."""
        return 3 * AWS_CALL_SECONDS + 2 * self.twilio_timeout + RETURN_SECONDS

    @property
    def send_span(self) -> float:
        """After an intent, how long its sender may still be at it."""
        return STALL_SECONDS + self.twilio_timeout + SKEW_SECONDS

    def ai_timeout(self, time_left: float) -> float:
        """Time for the AI's answer, given the function's time left."""
        return min(self.openai_timeout, time_left - self.send_reserve)

    @property
    def message_span(self) -> float:
        """How long one message takes when every part of its way takes as long as it may."""
        preparation = PREPARATION_CALLS * AWS_CALL_SECONDS
        return preparation + self.openai_timeout + AI_GRACE_SECONDS + self.send_reserve

    @property
    def settling_receives(self) -> int:
        """Receives from a send with an unknown outcome to its last look, both included."""
        waits = (math.ceil(delay / LONGEST_REQUESTED) for delay in self.settle_delays)
        return 2 + sum(max(1, wait) for wait in waits)
