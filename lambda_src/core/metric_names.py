"""Names of the metrics that the runtime emits, for those who draw them and alarm on them.

Standard library only, as `contract`: `stacks` imports this module too. Each metric is billed for
each combination of its dimensions' values, so both are closed sets that no message adds to.
"""

from enum import StrEnum


class Unit(StrEnum):
    """CloudWatch's names of the units in use."""

    COUNT = "Count"
    SECONDS = "Seconds"


class Dimension(StrEnum):
    """What failures are told apart by; all else is summed over the channel."""

    STEP = "step"
    KIND = "kind"


class Kind(StrEnum):
    """Values of the dimension `kind`: what sort of failure it was."""

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
    """The metrics, by their names in CloudWatch; those of times end in `Seconds`.

    Each delivery that is received ends as one of `ENDS`.
    """

    MESSAGES_RECEIVED = "MessagesReceived"
    MESSAGES_SENT = "MessagesSent"
    MESSAGES_SETTLED = "MessagesSettled"
    MESSAGES_RETRIED = "MessagesRetried"
    MESSAGES_FAILED = "MessagesFailed"
    MESSAGES_UNKNOWN = "MessagesUnknown"
    MESSAGES_REPEATED = "MessagesRepeated"
    FAILURES = "Failures"
    HEARTBEAT_FAILURES = "HeartbeatFailures"
    AI_SECONDS = "AISeconds"
    SEND_SECONDS = "SendSeconds"
    END_TO_END_SECONDS = "EndToEndSeconds"
    PROMPT_TOKENS = "PromptTokens"
    COMPLETION_TOKENS = "CompletionTokens"

    @property
    def unit(self) -> Unit:
        """What its values are measured in."""
        return Unit.SECONDS if self.endswith(Unit.SECONDS) else Unit.COUNT

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """What its values are told apart by."""
        return tuple(Dimension) if self is Metric.FAILURES else ()


ENDS = (
    Metric.MESSAGES_SENT,
    Metric.MESSAGES_SETTLED,
    Metric.MESSAGES_RETRIED,
    Metric.MESSAGES_FAILED,
    Metric.MESSAGES_UNKNOWN,
    Metric.MESSAGES_REPEATED,
)
"""What a delivery may end as; together they are as many as were received."""
