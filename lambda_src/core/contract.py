"""Names that the infrastructure and the runtime share.

Standard library only: `stacks` imports this module at synth, where the runtime's dependencies are
not installed.
"""

from collections.abc import Mapping
from enum import StrEnum

HANDLER = "lambda_src.index.lambda_handler"
"""What Lambda calls."""

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
"""Values of `level` in the log, the least first."""


class Variable(StrEnum):
    """Environment variables of the processor function."""

    CHANNEL = "CHANNEL"
    QUEUE_URL = "QUEUE_URL"
    CONVERSATIONS_TABLE = "CONVERSATIONS_TABLE"
    SECRET_PREFIXES = "SECRET_PREFIXES"  # noqa: S105 - a name, not a secret
    LOG_LEVEL = "LOG_LEVEL"
    VERSION = "VERSION"
    HEARTBEAT_INTERVAL_SECONDS = "HEARTBEAT_INTERVAL_SECONDS"
    HEARTBEAT_VISIBILITY_SECONDS = "HEARTBEAT_VISIBILITY_SECONDS"
    LEASE_SECONDS = "LEASE_SECONDS"
    OPENAI_TIMEOUT_SECONDS = "OPENAI_TIMEOUT_SECONDS"
    TWILIO_TIMEOUT_SECONDS = "TWILIO_TIMEOUT_SECONDS"
    SETTLE_DELAYS_SECONDS = "SETTLE_DELAYS_SECONDS"
    BACKOFF_BASE_SECONDS = "BACKOFF_BASE_SECONDS"
    MAX_CONCURRENCY = "MAX_CONCURRENCY"
    ASSISTANTS_BASE_URL = "ASSISTANTS_BASE_URL"
    CONVERSATION_RETENTION_DAYS = "CONVERSATION_RETENTION_DAYS"


REQUIRED_VARIABLES = frozenset(
    {
        Variable.CHANNEL,
        Variable.QUEUE_URL,
        Variable.CONVERSATIONS_TABLE,
        Variable.SECRET_PREFIXES,
    }
)
"""Variables without a default: the function refuses to start when one is missing or empty."""

UNSET_VARIABLES = frozenset({Variable.ASSISTANTS_BASE_URL, Variable.CONVERSATION_RETENTION_DAYS})
"""Variables that a template sets only for an environment that has a use for them."""

DEFAULTS = {
    Variable.LOG_LEVEL: "INFO",
    Variable.VERSION: "unversioned",
    Variable.HEARTBEAT_INTERVAL_SECONDS: "25",
    Variable.HEARTBEAT_VISIBILITY_SECONDS: "90",
    Variable.LEASE_SECONDS: "80",
    Variable.OPENAI_TIMEOUT_SECONDS: "60",
    Variable.TWILIO_TIMEOUT_SECONDS: "10",
    Variable.SETTLE_DELAYS_SECONDS: "15,60,300",
    Variable.BACKOFF_BASE_SECONDS: "10",
    Variable.MAX_CONCURRENCY: "10",
    Variable.ASSISTANTS_BASE_URL: "",
    Variable.CONVERSATION_RETENTION_DAYS: "",
}
"""What an optional variable means when it is absent; times are in whole seconds.

A lease ends before the message is visible again, so that the delivery after a crash finds it over.
"""

EXPIRES_AT = "expires_at"
"""The record's attribute that DynamoDB deletes it by, in epoch seconds."""

LEAST_RETENTION_DAYS = 30
"""More than twice as long as a message can wait in its queues, 14 days: while one may be delivered
again, its record tells that it was sent."""

TWILIO_BASE_URL = "TWILIO_BASE_URL"
"""Where Twilio answers, for local servers only: never set by a template."""

METRICS_NAMESPACE = "POWERTOOLS_METRICS_NAMESPACE"
"""Powertools' own variable for where metrics go: the template names the channel's namespace."""


class Status(StrEnum):
    """Values of `conversation_status`, the ledger's state."""

    PROCESSING = "processing"
    RETRY = "retry"
    SENDING = "sending"
    SENT = "initial_message_sent"
    SEND_UNKNOWN = "send_unknown"
    FAILED = "failed"


class LogEvent(StrEnum):
    """Values of `event` in the log: stable, so that filters, alarms and people can rely on them."""

    BATCH_RECEIVED = "batch_received"
    BATCH_FINISHED = "batch_finished"
    MESSAGE_SENT = "message_sent"
    ALREADY_PROCESSED = "already_processed"
    ALREADY_ENDED = "already_ended"
    BUSY_ELSEWHERE = "busy_elsewhere"
    LEASE_LOST = "lease_lost"
    HEARTBEAT_FAILED = "heartbeat_failed"
    LEASE_RENEWAL_FAILED = "lease_renewal_failed"
    VISIBILITY_CHANGE_FAILED = "visibility_change_failed"
    STATUS_WRITE_FAILED = "status_write_failed"
    METRICS_FAILED = "metrics_failed"
    UNEXPECTED_ERROR = "unexpected_error"
    OUT_OF_TIME = "out_of_time"
    CUT_OFF = "cut_off"

    FINAL_DB_UPDATE_FAILED = "final_db_update_failed"
    SEND_OUTCOME_UNKNOWN = "send_outcome_unknown"
    SEND_OUTCOME_PENDING = "send_outcome_pending"
    SEND_SETTLED = "send_settled"
    VENDOR_ACCOUNT_REFUSED = "vendor_account_refused"


LOGGED_AT: Mapping[LogEvent, tuple[str, ...]] = {
    LogEvent.BATCH_RECEIVED: ("INFO",),
    LogEvent.BATCH_FINISHED: ("INFO",),
    LogEvent.MESSAGE_SENT: ("INFO",),
    LogEvent.ALREADY_PROCESSED: ("WARNING",),
    LogEvent.ALREADY_ENDED: ("WARNING",),
    LogEvent.BUSY_ELSEWHERE: ("INFO",),
    LogEvent.LEASE_LOST: ("WARNING",),
    LogEvent.HEARTBEAT_FAILED: ("ERROR",),
    LogEvent.LEASE_RENEWAL_FAILED: ("WARNING",),
    LogEvent.VISIBILITY_CHANGE_FAILED: ("WARNING",),
    LogEvent.STATUS_WRITE_FAILED: ("ERROR",),
    LogEvent.METRICS_FAILED: ("ERROR",),
    LogEvent.UNEXPECTED_ERROR: ("ERROR",),
    LogEvent.OUT_OF_TIME: ("WARNING",),
    LogEvent.CUT_OFF: ("ERROR",),
    LogEvent.FINAL_DB_UPDATE_FAILED: ("CRITICAL",),
    LogEvent.SEND_OUTCOME_UNKNOWN: ("CRITICAL",),
    LogEvent.SEND_OUTCOME_PENDING: ("WARNING", "ERROR"),
    LogEvent.SEND_SETTLED: ("INFO",),
    LogEvent.VENDOR_ACCOUNT_REFUSED: ("CRITICAL",),
}
"""The levels at which the runtime logs each event: a filter for another one matches no line."""


RELEASE = "1.0.0"
"""The product's version: the template's `VERSION`, and `processor_version` in every record."""
