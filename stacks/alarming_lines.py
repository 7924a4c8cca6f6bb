"""Which log lines wake a person, and what the alarm tells that person."""

from dataclasses import dataclass

from aws_cdk import aws_logs as logs

from lambda_src.core.contract import LogEvent
from stacks.on_call import AlarmRule


@dataclass(frozen=True, kw_only=True)
class AlarmingLines:
    """One kind of log line, and how many of them are too many.

    Attributes:
        pattern: What tells these lines from all others.
        rule: When their number wakes a person.
        minutes: The length of one data point, in which lines are added up.
    """

    pattern: logs.IFilterPattern
    rule: AlarmRule
    minutes: int = 5


def alarming_lines(max_receive_count: int, vendor: str) -> tuple[AlarmingLines, ...]:
    """Return every kind of line that wakes a person.

    Args:
        max_receive_count: How often the queue delivers a message before it is a dead letter.
        vendor: Who sends the channel's messages.
    """
    return (
        *_critical_lines(vendor),
        HEARTBEAT_FAILURES,
        _repeated_failures(max_receive_count),
    )


def _critical(event: LogEvent, subject: str, description: str) -> AlarmingLines:
    """One such line is enough: the runtime says CRITICAL only where a person must look."""
    return AlarmingLines(
        pattern=_all(_is("level", "CRITICAL"), _is("event", event)),
        rule=AlarmRule(subject=subject, description=description),
    )


def _critical_lines(vendor: str) -> tuple[AlarmingLines, ...]:
    return (
        _critical(
            LogEvent.FINAL_DB_UPDATE_FAILED,
            "FinalDbUpdateFailure",
            "A message was sent, but its conversation's record could not be updated. The message"
            " is delivered again and then repairs the record by itself, without a second send."
            " If this goes on: see whether DynamoDB refuses writes, and compare the record with"
            " the message_sid of the log line `final_db_update_failed`.",
        ),
        _critical(
            LogEvent.SEND_OUTCOME_UNKNOWN,
            "SendOutcomeUnknown",
            f"Nobody can tell whether a message was sent: {vendor} never confirmed it and does not"
            " list it. It will not be sent again by itself. Look the recipient's messages up in"
            f" {vendor}'s console, then record the sid or release the conversation for a new send"
            " (log line `send_outcome_unknown`).",
        ),
        _critical(
            LogEvent.VENDOR_ACCOUNT_REFUSED,
            "VendorAccountRefused",
            f"OpenAI or {vendor} refuses the account: wrong credentials, no funds, suspended, or a"
            " model, assistant or sender that is not there. No message that needs it is sent until"
            " then. Read the log line `vendor_account_refused`, mend the account, store a new"
            " secret or name another model, then redrive the dead-letter queue.",
        ),
    )


def _repeated_failures(max_receive_count: int) -> AlarmingLines:
    """Passing failures that do not pass: warnings about messages of which most tries are used up.

    With ten deliveries that is the seventh: five to ten minutes of backoff after the first, and
    half an hour before the message is a dead letter. Three in a quarter of an hour are more than
    one odd message, which ends among the dead letters and is told there. Permanent failures are
    errors when they happen and `already_ended` afterwards, and reach the dead letters in seconds.
    """
    most_tries = -(-2 * max_receive_count // 3)
    return AlarmingLines(
        pattern=_all(
            _is("level", "WARNING"),
            logs.FilterPattern.number_value("$.receive_count", ">=", most_tries),
            logs.FilterPattern.string_value("$.event", "!=", LogEvent.ALREADY_ENDED),
        ),
        minutes=15,
        rule=AlarmRule(
            subject="RepeatedFailure",
            threshold=3,
            tells_the_end=True,
            description=(
                "Messages fail again and again although their failures are of the kind that"
                " passes, such as a vendor's outage; most of their deliveries are used up. The"
                " `failure_code` of the log lines says why. If the cause will last, be ready to"
                " redrive the dead-letter queue once it has passed."
            ),
        ),
    )


def _is(name: str, value: str) -> logs.JsonPattern:
    return logs.FilterPattern.string_value(f"$.{name}", "=", value)


def _all(*patterns: logs.JsonPattern) -> logs.IFilterPattern:
    return logs.FilterPattern.all(*patterns)


GOOD_ENDS = logs.FilterPattern.any(
    _is("event", LogEvent.MESSAGE_SENT),
    _is("event", LogEvent.SEND_SETTLED),
    _is("event", LogEvent.ALREADY_PROCESSED),
)
"""The lines of queue messages that may be deleted: in each case the message was sent."""

HEARTBEAT_FAILURES = AlarmingLines(
    pattern=_all(_is("level", "ERROR"), _is("event", LogEvent.HEARTBEAT_FAILED)),
    # One bad moment of the queue is a line for each message of a batch, and harmless: the messages
    # are delivered again, and the ledger sends none twice. Three moments in half an hour are not.
    rule=AlarmRule(
        subject="HeartbeatFailure",
        breaching=3,
        periods=6,
        tells_the_end=True,
        description=(
            "Again and again the visibility of messages at work could not be extended. They are"
            " delivered a second time while the first worker is still at it; nothing is sent"
            " twice, but deliveries are used up. See whether the function may still change"
            " visibilities, and what SQS answers (log line `heartbeat_failed`)."
        ),
    ),
)
