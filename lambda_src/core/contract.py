"""Names that the infrastructure and the runtime share: variables, statuses, events, metrics.

Standard library only: `stacks` imports this module at synth, where the runtime's dependencies are
not installed.
"""

from collections.abc import Mapping
from enum import StrEnum

HANDLER = "lambda_src.index.lambda_handler"
"""The processor function's handler."""
RECEIVER_HANDLER = "lambda_src.receiver.lambda_handler"
"""The handler of the function that takes the vendor's status callbacks."""
EVENTS_HANDLER = "lambda_src.events.lambda_handler"
"""The handler of the function that records delivery events."""
SCHEDULER_HANDLER = "lambda_src.scheduler.lambda_handler"
"""The handler of the scheduled job."""

VENDOR_CHECK_HANDLER = "lambda_src.vendor_check.lambda_handler"
"""The handler of the check of what vendors retire."""

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
"""Values of `level` in the log, in increasing severity."""


class Variable(StrEnum):
    """Environment variables of the processor function and of the events worker."""

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
    OPENAI_BASE_URL = "OPENAI_BASE_URL"
    ASSISTANTS_BASE_URL = "ASSISTANTS_BASE_URL"
    CALLBACK_BASE_URL = "CALLBACK_BASE_URL"
    CONVERSATION_RETENTION_DAYS = "CONVERSATION_RETENTION_DAYS"
    DRAFT_CHECKS = "DRAFT_CHECKS"
    HANDOFF_QUEUE_URL = "HANDOFF_QUEUE_URL"


REQUIRED_VARIABLES = frozenset(
    {
        Variable.CHANNEL,
        Variable.QUEUE_URL,
        Variable.CONVERSATIONS_TABLE,
        Variable.SECRET_PREFIXES,
    }
)
"""Variables without a default: the function refuses to start when one is missing or empty."""

UNSET_VARIABLES = frozenset(
    {
        Variable.OPENAI_BASE_URL,
        Variable.ASSISTANTS_BASE_URL,
        Variable.CALLBACK_BASE_URL,
        Variable.CONVERSATION_RETENTION_DAYS,
        Variable.HANDOFF_QUEUE_URL,
    }
)
"""Variables that a template sets only where they are needed."""

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
    Variable.OPENAI_BASE_URL: "",
    Variable.ASSISTANTS_BASE_URL: "",
    Variable.CALLBACK_BASE_URL: "",
    Variable.CONVERSATION_RETENTION_DAYS: "",
    Variable.DRAFT_CHECKS: "enforce",
    Variable.HANDOFF_QUEUE_URL: "",
}
"""Defaults of optional variables; times are in whole seconds.

A lease expires before the message is visible again, so that the delivery after a crash can acquire
it.
"""

EVENTS_QUEUE_URL = "EVENTS_QUEUE_URL"
"""The queue on which the receiver puts callbacks and the scheduled job lookup requests; a variable
of these two only."""

FIRST_ASKED_AT = "first_asked_at"
"""Attribute of a message that the project puts on a channel's queue again: when its context object
was first asked for, in epoch milliseconds."""

REBUILT = "rebuilt"
"""Name in a context object's `metadata`: true if it was rebuilt from its record."""

DELIVERY_LOOKUPS_PER_SECOND = "DELIVERY_LOOKUPS_PER_SECOND"
"""The highest rate of lookups at the vendor; a variable of the scheduled job only."""
DEFAULT_LOOKUPS_PER_SECOND = 5
MAX_LOOKUPS_PER_SECOND = 100

SCHEDULE_SECONDS = 900
"""Time between two runs of the scheduled job."""
VENDOR_CHECK_SECONDS = 3_600
"""Time between two runs of the vendor check."""
RETIREMENT_DAYS = 30
"""How many days before its end a model in use counts as retiring."""
TEMPLATE_APPROVED = "approved"
"""The approval state of a template that may be sent."""
LOOKUP_DELAYS_SECONDS = (3_600, 21_600, 86_400, 259_200)
"""When the vendor is asked about a message whose delivery status is open, after its send."""
APPROVED_QUEUED_AGAIN_AFTER_SECONDS = 86_400
"""How long after a worker acquired an approved message the scheduled job queues it again, unless it
was sent or failed: the worker's own queue message may have been deleted."""
APPROVED_QUEUED_AFTER_SECONDS = 600
"""How long after its approval, or after it was last put on the channel's queue, the scheduled job
puts a message there that still is not processed."""

OPEN_WORK_INDEX = "open-work"
"""The sparse index of the records on which something remains to be done."""
OPEN_WORK = "open_work"
"""Its partition key: `<channel>#<kind>#<shard>`."""
OPEN_SINCE = "open_since"
"""Its sort key: when that is due, in epoch seconds."""

CONVERTED_VALUES = "converted_values"
"""The paths of those values of the context object that a record has in another form."""

EXPIRES_AT = "expires_at"
"""The record's time-to-live attribute, in epoch seconds."""

MIN_RETENTION_DAYS = 30
"""More than twice the 14 days for which a message can wait in its queues: as long as a message may
be delivered again, its record must exist."""

OPENAI_URL_PATTERN = r"https://([a-z]{2}\.)?api\.openai\.com/v1"
"""OpenAI's own addresses: the global one, and one of each region with data residency
(https://platform.openai.com/docs/guides/your-data)."""

TWILIO_BASE_URL = "TWILIO_BASE_URL"
"""Twilio's address, for local servers only: never set by a template."""

METRICS_NAMESPACE = "POWERTOOLS_METRICS_NAMESPACE"
"""Powertools' variable for the metrics' namespace, set by the template."""


class Status(StrEnum):
    """Values of `conversation_status`, the ledger's state."""

    PROCESSING = "processing"
    RETRY = "retry"
    SENDING = "sending"
    SENT = "initial_message_sent"
    SEND_UNKNOWN = "send_unknown"
    AWAITING_APPROVAL = "awaiting_approval"
    FAILED = "failed"


class CheckMode(StrEnum):
    """Values of DRAFT_CHECKS: whether a failed check holds a draft, or is only reported."""

    ENFORCE = "enforce"
    REPORT = "report"


class HoldReason(StrEnum):
    """Values of `hand_off_to_human_reason`: why a draft waits for an operator."""

    CHECKS_FAILED = "checks_failed"
    REVIEW_REQUESTED = "review_requested"
    TEMPLATE_CHANGED = "template_changed"


REJECTED_BY_OPERATOR = "rejected_by_operator"
"""The failure code of a draft that an operator has rejected: it is final."""


class DeliveryStatus(StrEnum):
    """Values of `delivery_status`: what the vendor reported about a message that it accepted."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    UNDELIVERED = "undelivered"
    FAILED = "failed"


class OpenWork(StrEnum):
    """What remains to be done on a record: the kind in the attribute `open_work`."""

    DELIVERY = "delivery"
    UNKNOWN = "unknown"
    HELD = "held"
    APPROVED = "approved"


class DropReason(StrEnum):
    """Values of `reason` of a delivery event that was dropped without a change of any record."""

    UNREADABLE = "unreadable"
    OTHER_CHANNEL = "other_channel"
    NO_RECORD = "no_record"
    RECORD_FOREIGN = "record_foreign"
    NO_CREDENTIALS = "no_credentials"
    NO_TOKEN = "no_token"  # noqa: S105 - a reason, not a secret
    FOREIGN_ACCOUNT = "foreign_account"
    SIGNATURE_INVALID = "signature_invalid"
    STATUS_UNKNOWN = "status_unknown"
    INTENT_UNKNOWN = "intent_unknown"
    RECORD_REFUSED = "record_refused"
    MESSAGE_UNKNOWN = "message_unknown"
    LOOKUP_FAILED = "lookup_failed"


class Step(StrEnum):
    """The step of a message in which a failure happened: `failure.step`, and a metric dimension."""

    PARSE = "parse"
    CLAIM = "claim"
    SECRETS = "secrets"
    AI = "ai"
    COMPOSE = "compose"
    HOLD = "hold"
    SEND = "send"
    SETTLE = "settle"
    RECORD = "record"
    DELIVERY = "delivery"


class LogEvent(StrEnum):
    """Values of `event` in the log: stable, since filters, alarms and operators depend on them."""

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
    AI_ANSWER_INVALID = "ai_answer_invalid"
    DRAFT_CHECKS_FAILED = "draft_checks_failed"
    DRAFT_HELD = "draft_held"

    FINAL_DB_UPDATE_FAILED = "final_db_update_failed"
    SEND_OUTCOME_UNKNOWN = "send_outcome_unknown"
    SEND_OUTCOME_PENDING = "send_outcome_pending"
    SEND_SETTLED = "send_settled"
    VENDOR_ACCOUNT_REFUSED = "vendor_account_refused"

    CALLBACK_REJECTED = "callback_rejected"
    DELIVERY_RECORDED = "delivery_recorded"
    DELIVERY_EVENT_DROPPED = "delivery_event_dropped"
    LOOKUPS_SCHEDULED = "lookups_scheduled"
    APPROVED_DRAFTS_QUEUED = "approved_drafts_queued"
    MODEL_RETIRING = "model_retiring"
    TEMPLATE_NOT_APPROVED = "template_not_approved"
    TEMPLATE_UNCHECKED = "template_unchecked"
    SECOND_MESSAGE_SUSPECTED = "second_message_suspected"
    CALLBACK_CONTRADICTS_RECORD = "callback_contradicts_record"


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
    LogEvent.AI_ANSWER_INVALID: ("WARNING",),
    LogEvent.DRAFT_CHECKS_FAILED: ("WARNING",),
    LogEvent.DRAFT_HELD: ("WARNING",),
    LogEvent.FINAL_DB_UPDATE_FAILED: ("CRITICAL",),
    LogEvent.SEND_OUTCOME_UNKNOWN: ("CRITICAL",),
    LogEvent.SEND_OUTCOME_PENDING: ("WARNING", "ERROR"),
    LogEvent.SEND_SETTLED: ("INFO",),
    LogEvent.VENDOR_ACCOUNT_REFUSED: ("CRITICAL",),
    LogEvent.CALLBACK_REJECTED: ("WARNING",),
    LogEvent.DELIVERY_RECORDED: ("INFO",),
    LogEvent.DELIVERY_EVENT_DROPPED: ("WARNING",),
    LogEvent.LOOKUPS_SCHEDULED: ("INFO",),
    LogEvent.APPROVED_DRAFTS_QUEUED: ("INFO",),
    LogEvent.MODEL_RETIRING: ("WARNING",),
    LogEvent.TEMPLATE_NOT_APPROVED: ("WARNING",),
    LogEvent.TEMPLATE_UNCHECKED: ("WARNING",),
    LogEvent.SECOND_MESSAGE_SUSPECTED: ("CRITICAL",),
    LogEvent.CALLBACK_CONTRADICTS_RECORD: ("CRITICAL",),
}
"""The levels at which the runtime logs each event; a metric filter must use one of them."""


RELEASE = "2.0.0"
"""The product's version: `VERSION` in the template, `processor_version` in every record."""


class Unit(StrEnum):
    """CloudWatch's names of the units in use."""

    COUNT = "Count"
    SECONDS = "Seconds"


class Dimension(StrEnum):
    """Dimensions of the failure metric; all other metrics have none."""

    STEP = "step"
    KIND = "kind"


class Kind(StrEnum):
    """Values of the dimension `kind`: the class of a failure."""

    PERMANENT = "permanent"
    USED_UP = "used_up"
    TRANSIENT = "transient"
    RATE_LIMITED = "rate_limited"
    ACCOUNT_REFUSED = "account_refused"
    ELSEWHERE = "elsewhere"
    PENDING = "pending"
    UNKNOWN = "unknown"
    UNRECORDED = "unrecorded"
    ENDED = "ended"


class Metric(StrEnum):
    """Names of the metrics in CloudWatch; durations end in `Seconds`.

    Each metric is billed for each combination of its dimensions' values, so these are closed sets.
    """

    MESSAGES_RECEIVED = "MessagesReceived"
    MESSAGES_SENT = "MessagesSent"
    MESSAGES_SETTLED = "MessagesSettled"
    MESSAGES_RETRIED = "MessagesRetried"
    MESSAGES_FAILED = "MessagesFailed"
    MESSAGES_UNKNOWN = "MessagesUnknown"
    MESSAGES_HELD = "MessagesHeld"
    MESSAGES_REPEATED = "MessagesRepeated"
    CHECKS_FAILED = "DraftChecksFailed"
    FAILURES = "Failures"
    HEARTBEAT_FAILURES = "HeartbeatFailures"
    AI_SECONDS = "AISeconds"
    SEND_SECONDS = "SendSeconds"
    END_TO_END_SECONDS = "EndToEndSeconds"
    PROMPT_TOKENS = "PromptTokens"
    COMPLETION_TOKENS = "CompletionTokens"
    EVENTS_RECEIVED = "DeliveryEventsReceived"
    EVENTS_DROPPED = "DeliveryEventsDropped"
    MESSAGES_DELIVERED = "MessagesDelivered"
    MESSAGES_READ = "MessagesRead"
    MESSAGES_UNDELIVERED = "MessagesUndelivered"
    LOOKUPS_REQUESTED = "DeliveryLookupsRequested"
    OLDEST_LOOKUP_SECONDS = "OldestLookupDueSeconds"
    OLDEST_DRAFT_SECONDS = "OldestHeldDraftSeconds"
    APPROVED_QUEUED = "ApprovedDraftsQueued"
    MODELS_RETIRING = "ModelsRetiring"
    TEMPLATES_NOT_APPROVED = "TemplatesNotApproved"

    @property
    def unit(self) -> Unit:
        """The unit of its values."""
        return Unit.SECONDS if self.endswith(Unit.SECONDS) else Unit.COUNT

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """Its dimensions."""
        return tuple(Dimension) if self is Metric.FAILURES else ()


ENDS = (
    Metric.MESSAGES_SENT,
    Metric.MESSAGES_SETTLED,
    Metric.MESSAGES_RETRIED,
    Metric.MESSAGES_FAILED,
    Metric.MESSAGES_UNKNOWN,
    Metric.MESSAGES_REPEATED,
    Metric.MESSAGES_HELD,
)
"""The metrics of a delivery's result; their sum is the number of messages received."""
