"""Which critical log lines wake a person, and what the alarm tells that person."""

from dataclasses import dataclass

from lambda_src.core.contract import LogEvent


@dataclass(frozen=True, kw_only=True)
class CriticalEvent:
    """One kind of critical log line.

    Attributes:
        event: Its `event` in the log.
        subject: What it tells of, as the names of filter, metric and alarm spell it.
        description: What happened and what to do, for whoever the alarm wakes.
    """

    event: LogEvent
    subject: str
    description: str


CRITICAL_EVENTS = (
    CriticalEvent(
        event=LogEvent.FINAL_DB_UPDATE_FAILED,
        subject="FinalDbUpdateFailure",
        description=(
            "A message was sent, but its conversation's record could not be updated. The message"
            " is delivered again and then repairs the record by itself, without a second send."
            " If this goes on: see whether DynamoDB refuses writes, and compare the record with"
            " the message_sid of the log line `final_db_update_failed`."
        ),
    ),
    CriticalEvent(
        event=LogEvent.SEND_OUTCOME_UNKNOWN,
        subject="SendOutcomeUnknown",
        description=(
            "Nobody can tell whether a message was sent: Twilio never confirmed it and does not"
            " list it. It will not be sent again by itself. Look the recipient's messages up in"
            " Twilio's console, then record the sid or release the conversation for a new send"
            " (log line `send_outcome_unknown`)."
        ),
    ),
    CriticalEvent(
        event=LogEvent.VENDOR_ACCOUNT_REFUSED,
        subject="VendorAccountRefused",
        description=(
            "OpenAI or Twilio refuses the account: wrong credentials, no funds, suspended, or a"
            " model, assistant or sender that is not there. No message that needs it is sent until"
            " then. Read the log line `vendor_account_refused`, mend the account, store a new"
            " secret or name another model, then redrive the dead-letter queue."
        ),
    ),
)
