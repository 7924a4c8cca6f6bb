"""Errors, named by what must happen next with the message and its record."""

import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from logging import CRITICAL, ERROR, INFO, WARNING
from typing import ClassVar

from lambda_src.core.contract import Kind, LogEvent, Status, Step
from lambda_src.core.models import Answer, RecordKey


class Redelivery(StrEnum):
    """When the queue should deliver a failed message again."""

    AT_ONCE = "at_once"
    BACKOFF = "backoff"
    LONG_BACKOFF = "long_backoff"
    ACCOUNT_BACKOFF = "account_backoff"


class ProcessingError(Exception):
    """A message that was not, or not certainly, sent: always a reported batch item failure.

    The text consists of codes and field names only, so that it may be logged. Each class fixes the
    recorded status, the metric's `kind`, the redelivery and the log level.

    Args:
        code: Stable snake_case reason, e.g. `secret_missing`.
        step: Where it happened.
        detail: What an operator needs beyond the code; never a value of a message or a secret.
        retry_after: Least seconds until the next attempt, as a vendor asked for.
        retry_in: Seconds until the next attempt, instead of a backoff.
        alarm: Whether an operator must act, although the class does not imply it.
        fields: Further fields of the log line; ids and counts only.

    Attributes:
        logged: Whether the log line was written already.
        openai_ids: Conversations, responses and threads that OpenAI may store, although the AI's
            answer is not used.
    """

    recorded_status: ClassVar[Status | None] = None
    kind: ClassVar[Kind] = Kind.TRANSIENT
    summary: ClassVar[str] = "not sent"
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
        retry_in: float | None = None,
        alarm: bool = False,
        fields: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(f"{code} at {step}" + (f": {detail}" if detail else ""))
        self.code = code
        self.step = step
        self.detail = detail
        self.retry_after = retry_after
        self.retry_in = retry_in
        self.alarm = alarm
        self.fields = dict(fields or {})
        self.logged = False
        self.openai_ids: tuple[str, ...] = ()

    @property
    def event(self) -> str:
        """The log line's `event`: the code, or the event shared by all errors of a class."""
        return LogEvent.VENDOR_ACCOUNT_REFUSED if self.alarm else self.shared_event or self.code

    @property
    def log_level(self) -> int:
        """The log line's level: CRITICAL if an operator must act."""
        return CRITICAL if self.alarm else self.level


class PermanentFailure(ProcessingError):
    """Fails on every attempt: recorded as `failed`, moved to the dead-letter queue."""

    kind = Kind.PERMANENT
    recorded_status = Status.FAILED
    redelivery = Redelivery.AT_ONCE
    level = ERROR


class InvalidAnswer(PermanentFailure):
    """The AI's answer cannot be sent: the AI is asked once more, then the draft is held.

    Attributes:
        problems: What the AI and the operator are shown; they may quote the answer, which
            the detail does not.
        answer: The answer; its text may be empty.
    """

    problems: tuple[str, ...] = ()
    answer: Answer | None = None


class RecipientOptedOut(PermanentFailure):
    """The vendor reports an opt-out or a blocked sender: `failed`, and the recipient suppressed."""


class RecipientErased(ProcessingError):
    """The recipient was erased after the request: nothing is sent and nothing recorded."""

    kind = Kind.PERMANENT
    redelivery = Redelivery.AT_ONCE
    level = ERROR


class TransientFailure(ProcessingError):
    """Not sent, and may succeed later: recorded as `retry`, attempted again with backoff."""

    recorded_status = Status.RETRY


class UnexpectedError(TransientFailure):
    """An exception that no code expected, in any step but the send itself: recorded as `retry`."""

    shared_event = LogEvent.UNEXPECTED_ERROR
    level = ERROR


class AttemptsExhausted(TransientFailure):
    """The queue's final delivery of a message, which only reconciles and never sends."""

    kind = Kind.USED_UP
    redelivery = Redelivery.AT_ONCE
    level = ERROR


class RateLimited(TransientFailure):
    """A vendor's rate limit: attempted again after a long delay."""

    kind = Kind.RATE_LIMITED
    redelivery = Redelivery.LONG_BACKOFF


class AccountRefused(TransientFailure):
    """A vendor refuses our account or its funds: attempted again for days, with an alarm."""

    kind = Kind.ACCOUNT_REFUSED
    redelivery = Redelivery.ACCOUNT_BACKOFF

    def __init__(self, code: str, step: Step, detail: str = "") -> None:
        super().__init__(code, step, detail, alarm=True)


class CredentialsRefused(AccountRefused):
    """A vendor refuses the credentials: worth one attempt with a freshly read secret."""


class ConfigurationRefused(AccountRefused):
    """A secret, definition, template or sender is missing or refused, which other messages need."""


class LedgerUnavailable(TransientFailure):
    """The conversations table did not answer or throttled: the write may have been applied."""


class LedgerRefused(TransientFailure):
    """The conversations table refused the request itself; an immediate retry cannot succeed."""


class UnrecognizedRecord(ProcessingError):
    """The record is not in a state of this ledger: it stays unchanged and nothing is sent."""

    kind = Kind.PERMANENT
    redelivery = Redelivery.AT_ONCE
    level = ERROR


class LeaseLost(ProcessingError):
    """Another worker holds the lease by now: write nothing, send nothing."""

    kind = Kind.ELSEWHERE
    shared_event = LogEvent.LEASE_LOST


class LeaseHeld(ProcessingError):
    """Another worker holds a valid lease, which expires in `retry_in` seconds."""

    kind = Kind.ELSEWHERE
    summary = "left to another worker"
    shared_event = LogEvent.BUSY_ELSEWHERE
    level = INFO


class TerminalState(ProcessingError):
    """An earlier delivery ended as `failed` or `send_unknown`: moved to the dead-letter queue."""

    kind = Kind.ENDED
    shared_event = LogEvent.ALREADY_ENDED
    redelivery = Redelivery.AT_ONCE


class SendOutcomeUnknown(ProcessingError):
    """The request was written and no answer arrived: stays `sending`, to be reconciled."""

    kind = Kind.PENDING
    summary = "not known whether sent"
    shared_event = LogEvent.SEND_OUTCOME_PENDING
    level = ERROR


class SendOutcomePending(ProcessingError):
    """A send that is not reconciled yet: looked up again after `retry_in` seconds."""

    kind = Kind.PENDING
    summary = "not known whether sent"
    shared_event = LogEvent.SEND_OUTCOME_PENDING


class SendDeclaredUnknown(ProcessingError):
    """A send that reconciliation did not find: `send_unknown`, an operator decides."""

    kind = Kind.UNKNOWN
    summary = "not known whether sent, no further lookup"
    shared_event = LogEvent.SEND_OUTCOME_UNKNOWN
    redelivery = Redelivery.AT_ONCE
    level = CRITICAL


class FinalUpdateFailed(ProcessingError):
    """The message was sent, but not recorded: reconciled by the next delivery."""

    kind = Kind.UNRECORDED
    summary = "sent, but not recorded"
    shared_event = LogEvent.FINAL_DB_UPDATE_FAILED
    level = CRITICAL


JSON_TYPES: dict[type, str] = {
    str: "a string",
    int: "a number",
    float: "a number",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


def json_type(value: object) -> str:
    """Return the kind of a JSON value in words, for an error that must not contain the value.

    A boolean is no personal data, and is named itself.
    """
    if isinstance(value, bool):
        return str(value).lower()
    return "an empty string" if value == "" else JSON_TYPES.get(type(value), "another value")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint at the known name that a misspelled one resembles; empty if none does."""
    import difflib  # noqa: PLC0415 - not at each cold start

    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


@dataclass(frozen=True, slots=True)
class Problem:
    """One invalid field of a context object: its path, what was expected, what kind was found."""

    code: str
    field: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.field}: expected {self.expected}, found {self.found}"


MAX_LISTED_PROBLEMS = 20
"""Bounds an error's text, so that a bad body does not enlarge the log and the record."""


class RejectedContext(PermanentFailure):
    """A body that is not a valid context object of this channel, with all of its problems.

    Args:
        code: The code that all problems share, or `context_invalid`.
        problems: Every problem found; the text lists the first `MAX_LISTED_PROBLEMS`.
        key: The record's key, if the body contains it.
        request_id: The router's request id, if the body contains it.
        is_rebuilt: Whether the body was rebuilt from that record.
    """

    def __init__(
        self,
        code: str,
        problems: Sequence[Problem],
        *,
        key: RecordKey | None = None,
        request_id: str | None = None,
        is_rebuilt: bool = False,
    ) -> None:
        super().__init__(code, Step.PARSE, _listed(problems))
        self.problems = tuple(problems)
        self.key = key
        self.request_id = request_id
        self.is_rebuilt = is_rebuilt


def unexpected_error(error: Exception, step: Step) -> ProcessingError:
    """Return an error as a `ProcessingError`: unchanged if it is one, else as unexpected there."""
    if isinstance(error, ProcessingError):
        return error
    detail, fields = type(error).__name__, safe_traceback(error)
    return UnexpectedError(LogEvent.UNEXPECTED_ERROR, step, detail, fields=fields)


def safe_traceback(error: Exception) -> dict[str, object]:
    """Return an error's type and its code lines as log fields.

    The error's text is left out, since it may contain a message, a number or a key.
    """
    frames = [f"{f.name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]
    return {"error_type": type(error).__name__, "frames": frames}


def _listed(problems: Sequence[Problem]) -> str:
    rest = len(problems) - MAX_LISTED_PROBLEMS
    more = [f"and {rest} more"] if rest > 0 else []
    return "; ".join([*map(str, problems[:MAX_LISTED_PROBLEMS]), *more])
