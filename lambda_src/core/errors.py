"""Errors, named by what must happen next with the message and its record."""

from collections.abc import Mapping
from enum import StrEnum
from logging import CRITICAL, ERROR, INFO, WARNING
from typing import TYPE_CHECKING, ClassVar

from lambda_src.core.contract import LogEvent, Status
from lambda_src.core.metric_names import Kind

if TYPE_CHECKING:
    from lambda_src.core.ledger import Entry


class Step(StrEnum):
    """Where on a message's way a failure happened."""

    PARSE = "parse"
    CLAIM = "claim"
    SECRETS = "secrets"
    AI = "ai"
    COMPOSE = "compose"
    SEND = "send"
    SETTLE = "settle"
    RECORD = "record"


class Redelivery(StrEnum):
    """When the queue should show a failed message again."""

    AT_ONCE = "at_once"
    BACKOFF = "backoff"
    LONG_BACKOFF = "long_backoff"


class ProcessingError(Exception):
    """A message that was not, or not certainly, sent: always a reported batch item failure.

    Its text is made of codes and field names only, so that it may be logged.

    Args:
        code: Stable snake_case reason, e.g. `secret_missing`.
        step: Where it happened.
        detail: What a person needs beyond the code; never a value out of a message or secret.
        retry_after: Seconds that a vendor asks to be spared for: no retry comes sooner.
        again_in: Seconds after which to try again, instead of a backoff.
        alarm: Whether a person must look, although the class alone would not say so.
        fields: What the log line carries beside the code and the step; ids and counts only.

    Attributes:
        is_told: Whether its line stands in the log already.
    """

    recorded_status: ClassVar[Status | None] = None
    kind: ClassVar[Kind] = Kind.TRANSIENT
    headline: ClassVar[str] = "not sent"
    shared_event: ClassVar[LogEvent | None] = None
    redelivery: ClassVar[Redelivery] = Redelivery.BACKOFF
    level: ClassVar[int] = WARNING

    def __init__(
        self,
        code: str,
        step: Step,
        detail: str = "",
        *,
        retry_after: float | None = None,
        again_in: float | None = None,
        alarm: bool = False,
        fields: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(f"{code} at {step}" + (f": {detail}" if detail else ""))
        self.code = code
        self.step = step
        self.detail = detail
        self.retry_after = retry_after
        self.again_in = again_in
        self.alarm = alarm
        self.fields = dict(fields or {})
        self.is_told = False

    @property
    def event(self) -> str:
        """The log line's `event`: the code, or the event shared by all errors of a class."""
        return LogEvent.VENDOR_ACCOUNT_REFUSED if self.alarm else self.shared_event or self.code

    @property
    def log_level(self) -> int:
        """The log line's level: CRITICAL wherever a person must look."""
        return CRITICAL if self.alarm else self.level


class PermanentFailure(ProcessingError):
    """Will fail again however often it is tried: recorded as `failed`, on to the dead letters."""

    kind = Kind.PERMANENT
    recorded_status = Status.FAILED
    redelivery = Redelivery.AT_ONCE
    level = ERROR


class RecipientOptedOut(PermanentFailure):
    """The vendor refuses whoever opted out or blocked the sender: `failed`, and suppressed."""


class RecipientSuppressed(PermanentFailure):
    """The recipient opted out of this channel before: `failed` without asking the AI.

    Attributes:
        seen: The record that was to be taken over; None where there is none yet.
    """

    seen: "Entry | None" = None


class RecipientErased(ProcessingError):
    """The recipient was erased after this was asked for: nothing is sent, and nothing recorded."""

    kind = Kind.PERMANENT
    redelivery = Redelivery.AT_ONCE
    level = ERROR


class TransientFailure(ProcessingError):
    """May pass by itself and nothing was sent: recorded as `retry`, tried again with backoff."""

    recorded_status = Status.RETRY


class ReceivesUsedUp(TransientFailure):
    """The queue delivers the message for the last time: that delivery only settles, never sends."""

    kind = Kind.USED_UP
    redelivery = Redelivery.AT_ONCE
    level = ERROR


class RateLimited(TransientFailure):
    """A vendor asks for patience: tried again after a long delay."""

    kind = Kind.RATE_LIMITED
    redelivery = Redelivery.LONG_BACKOFF


class AccountRefused(TransientFailure):
    """A vendor refuses our account or our money: tried again late, and a person is called."""

    kind = Kind.ACCOUNT_REFUSED
    redelivery = Redelivery.LONG_BACKOFF

    def __init__(self, code: str, step: Step, detail: str = "") -> None:
        super().__init__(code, step, detail, alarm=True)


class CredentialsRefused(AccountRefused):
    """A vendor refuses the credentials: worth one try with a secret freshly read."""


class LedgerUnavailable(TransientFailure):
    """The conversations table did not answer, or throttled: the write may or may not stand."""


class LedgerRefused(TransientFailure):
    """The conversations table refused the call itself; repeating it at once is no use."""


class RecordForeign(ProcessingError):
    """The conversation's record is not one of the ledger's: left as it is, nothing is sent."""

    kind = Kind.PERMANENT
    redelivery = Redelivery.AT_ONCE
    level = ERROR


class LeaseLost(ProcessingError):
    """Another worker holds the conversation by now: write nothing, send nothing."""

    kind = Kind.ELSEWHERE
    shared_event = LogEvent.LEASE_LOST


class BusyElsewhere(ProcessingError):
    """Another worker holds a live lease, which ends in `again_in` seconds."""

    kind = Kind.ELSEWHERE
    headline = "left to another worker"
    shared_event = LogEvent.BUSY_ELSEWHERE
    level = INFO


class AlreadyEnded(ProcessingError):
    """An earlier delivery ended as `failed` or `send_unknown`: on to the dead letters."""

    kind = Kind.ENDED
    shared_event = LogEvent.ALREADY_ENDED
    redelivery = Redelivery.AT_ONCE
