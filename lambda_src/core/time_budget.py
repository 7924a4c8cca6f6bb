"""The time that each step may take, in seconds, and whether enough of it is left.

Standard library only: synth checks a template's times with the same calculations.
"""

import math
from dataclasses import dataclass
from functools import cached_property

AWS_CONNECT_SECONDS = 1.0
AWS_READ_SECONDS = 3.0
AWS_ATTEMPTS = 2
AWS_CALL_SECONDS = AWS_ATTEMPTS * (AWS_CONNECT_SECONDS + AWS_READ_SECONDS) + 1.0
"""Maximum duration of one AWS call: every attempt in full, and the pause between them."""

MAX_SEND_DELAY_SECONDS = 3.0
"""Maximum time from the intent to the send; a worker delayed for longer does not send."""
CLOCK_SKEW_SECONDS = 2.0
"""Maximum difference between the clocks of two workers."""
MARGIN_SECONDS = 0.5
"""Reserved for Lambda to receive the handler's result."""
OVERRUN_SECONDS = 0.5
"""For work that ends at the last moment to log its result."""
HARD_STOP_SECONDS = 2 * AWS_CALL_SECONDS + MARGIN_SECONDS
"""Reserved at the end: a heartbeat in progress, and the visibility of failed messages."""
SHUTDOWN_RESERVE_SECONDS = HARD_STOP_SECONDS + OVERRUN_SECONDS
"""What each step leaves for the end; work in progress after that is abandoned."""
MIN_START_SECONDS = AWS_CALL_SECONDS + SHUTDOWN_RESERVE_SECONDS
"""Least time to start a message with: enough to record why it was refused."""
AI_GRACE_SECONDS = 3.0
"""How long an AI answer may exceed its timeout before its call is abandoned."""
MIN_AI_SECONDS = 5.0
"""The AI is not asked with less time than that."""

PREPARATION_CALLS = 5
"""AWS calls before the AI is asked: two for the lease, one to the queue, two for secrets."""

MAX_BACKOFF = 900.0
"""Maximum backoff."""
MAX_RETRY_AFTER = 21_600.0
"""Maximum delay at a vendor's request: half of the 12 hours that SQS allows from receipt."""
MIN_ACCOUNT_RETRY_SECONDS = 48 * 3_600
"""How long a message is retried, before it is a dead-letter message, while a vendor refuses the
account or its configuration: over a weekend."""

MISSED_BEATS = 2
"""Consecutive heartbeats that may fail without harm."""


@dataclass(frozen=True)
class Backoff:
    """Delays that double with each receive of a message.

    Attributes:
        factor: The first delay, as a multiple of the configured one.
        maximum: In seconds.
        min_share: Least share of a delay that is waited; the rest is random, so that messages that
            failed together are not retried together.
    """

    factor: float
    maximum: float
    min_share: float

    def seconds(self, receive_count: int, base: float) -> float:
        """Return the longest delay after a number of receives, at least 1."""
        return min(self.factor * base * 2.0 ** min(receive_count - 1, 20), self.maximum)


ACCOUNT_BACKOFF = Backoff(factor=90, maximum=MAX_RETRY_AFTER, min_share=0.75)
"""After a vendor has refused the account or its configuration."""


def account_retry_seconds(max_receive_count: int, base: float) -> float:
    """Return how long a message is retried at least while a vendor refuses the account.

    The final delivery does not send, so the one before it is the last attempt.

    Args:
        max_receive_count: The queue's `maxReceiveCount`.
        base: The configured first delay, in seconds.
    """
    delays = (ACCOUNT_BACKOFF.seconds(n, base) for n in range(1, max_receive_count - 1))
    return ACCOUNT_BACKOFF.min_share * sum(delays)


def max_renewal_gap(interval: float) -> float:
    """Return how long a message or a lease may go without renewal although its worker is alive.

    That is the time until the heartbeat after the missed ones, or until one whose calls (the
    queue's, then the leases') take as long as they may.

    Args:
        interval: Time between two heartbeats.
    """
    return max((MISSED_BEATS + 1) * interval, interval + 2 * AWS_CALL_SECONDS)


@dataclass(frozen=True)
class TimeBudget:
    """The configured timeouts, and the reserves that follow from them."""

    openai_timeout: float
    send_timeout: float
    lookup_delays: tuple[float, ...]

    @cached_property
    def send_reserve(self) -> float:
        """Time that must be left when the intent is recorded: send, final write, and the end."""
        return (
            MAX_SEND_DELAY_SECONDS + self.send_timeout + AWS_CALL_SECONDS + SHUTDOWN_RESERVE_SECONDS
        )

    @cached_property
    def acquire_reserve(self) -> float:
        """Time that must be left to acquire a lease (two writes if taken over) and to send."""
        return 2 * AWS_CALL_SECONDS + self.send_reserve

    @cached_property
    def lookup_reserve(self) -> float:
        """Time that must be left for a lookup at the vendor: a secret, the list, two writes."""
        return 3 * AWS_CALL_SECONDS + 2 * self.send_timeout + SHUTDOWN_RESERVE_SECONDS

    def has_time_to_acquire(self, time_left: float) -> bool:
        """Return whether a lease may be acquired with `time_left` seconds until the deadline."""
        return time_left >= self.acquire_reserve

    def ai_timeout(self, time_left: float) -> float | None:
        """Return the timeout of an AI request in seconds; None if too little time is left."""
        timeout = min(self.openai_timeout, time_left - self.send_reserve)
        return timeout if timeout >= MIN_AI_SECONDS else None

    def has_time_to_send(self, time_left: float) -> bool:
        """Return whether an intent may be recorded with `time_left` seconds until the deadline."""
        return time_left >= self.send_reserve

    def has_time_to_look_up(self, time_left: float) -> bool:
        """Return whether the vendor may be asked with `time_left` seconds until the deadline."""
        return time_left >= self.lookup_reserve

    @cached_property
    def max_send_duration(self) -> float:
        """Time after an intent until its sender has certainly given up."""
        return MAX_SEND_DELAY_SECONDS + self.send_timeout + CLOCK_SKEW_SECONDS

    @cached_property
    def max_message_duration(self) -> float:
        """Duration of a message if every step takes as long as it may."""
        preparation = PREPARATION_CALLS * AWS_CALL_SECONDS
        return preparation + self.openai_timeout + AI_GRACE_SECONDS + self.send_reserve

    @cached_property
    def reconciliation_attempts(self) -> int:
        """Receives from a send with an unknown outcome to its last lookup, both included."""
        waits = (math.ceil(delay / MAX_RETRY_AFTER) for delay in self.lookup_delays)
        return 2 + sum(max(1, wait) for wait in waits)
