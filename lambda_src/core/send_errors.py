"""Errors of a message that may be sent, or is: its record says so, or is yet to say it."""

from logging import CRITICAL, ERROR

from lambda_src.core.contract import LogEvent
from lambda_src.core.errors import ProcessingError, Redelivery
from lambda_src.core.metric_names import Kind


class SendOutcomeUnknown(ProcessingError):
    """The request went out and no answer tells what became of it: stays `sending`, is settled."""

    kind = Kind.PENDING
    headline = "not known whether sent"
    shared_event = LogEvent.SEND_OUTCOME_PENDING
    level = ERROR


class SendOutcomePending(ProcessingError):
    """A send whose outcome is being settled; looked for again after `again_in` seconds."""

    kind = Kind.PENDING
    headline = "not known whether sent"
    shared_event = LogEvent.SEND_OUTCOME_PENDING


class SendDeclaredUnknown(ProcessingError):
    """A send that stayed unaccounted for: `send_unknown`, a person decides."""

    kind = Kind.UNKNOWN
    headline = "not known whether sent, and given up"
    shared_event = LogEvent.SEND_OUTCOME_UNKNOWN
    redelivery = Redelivery.AT_ONCE
    level = CRITICAL


class FinalUpdateFailed(ProcessingError):
    """The message is sent, its record could not be written: settled by the next delivery."""

    kind = Kind.UNRECORDED
    headline = "sent, but not recorded"
    shared_event = LogEvent.FINAL_DB_UPDATE_FAILED
    level = CRITICAL
