"""The ledger's rules: who may work on a conversation, and what its record says."""

from dataclasses import dataclass
from enum import Enum, auto

from lambda_src.core.context import RecordKey
from lambda_src.core.contract import Status
from lambda_src.core.message import Answer


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a conversation until `lease_expires_at` (epoch seconds).

    `owner` is unique to one delivery of one message, so that a write whose answer was lost, and
    which the SDK then repeats, is recognised as one's own. `last_failure` is the code of the
    delivery before; `asked_at` is when the message was asked for, in epoch seconds.
    """

    key: RecordKey
    owner: str
    attempt: int
    lease_expires_at: float
    started_at: float
    answer: Answer | None = None
    last_failure: str = ""
    asked_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Intent:
    """The announcement of a send: past `deadline` (epoch seconds) its sender has given up."""

    at: float
    deadline: float


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a record is `failed` or in `retry`; the owner is that of the delivery that says so.

    With `suppresses`, the recipient opted out, and is not to be written to again.
    """

    status: Status
    code: str
    step: str
    detail: str
    at: float
    suppresses: bool = False


@dataclass(frozen=True, slots=True)
class SentRecord:
    """What the final write records: the sid, the answer in the history, tokens and duration.

    Both times are in epoch seconds; they differ where the record is repaired later.
    """

    sid: str
    answer: Answer
    sent_at: float
    recorded_at: float
    processing_time_ms: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What a record says of its conversation's state; `channel` is empty where it does not say."""

    key: RecordKey
    status: Status
    owner: str
    attempt: int
    lease_expires_at: float
    answer: Answer | None
    intent: Intent | None
    looks: int
    sid: str
    created_at: float
    failure_code: str = ""
    channel: str = ""

    def may_be_on(self, channel: str) -> bool:
        """Whether the conversation is on that channel, or one of the two is not known."""
        return "" in {channel, self.channel} or channel == self.channel


class ConditionFailed(Exception):
    """A conditional write found another state than it asked for: `entry`, None if no record."""

    def __init__(self, entry: Entry | None) -> None:
        super().__init__("the record is not in the state that the write asked for")
        self.entry = entry


class Decision(Enum):
    """What a delivery may do with a conversation whose record stands already."""

    GO_ON = auto()
    TAKE_OVER = auto()
    WAIT = auto()
    SETTLE = auto()
    ACKNOWLEDGE = auto()
    GIVE_UP = auto()


def decide(  # noqa: PLR0911 - a table, one row a return
    entry: Entry, owner: str, now: float
) -> Decision:
    """Tell what the delivery `owner` may do with a record found in that state, at `now`."""
    match entry.status:
        case Status.SENT:
            return Decision.ACKNOWLEDGE
        case Status.FAILED | Status.SEND_UNKNOWN:
            return Decision.GIVE_UP
        case Status.SENDING:
            return Decision.SETTLE
        case Status.RETRY:
            return Decision.TAKE_OVER
        case Status.PROCESSING if entry.owner == owner:
            return Decision.GO_ON
        case Status.PROCESSING if entry.lease_expires_at <= now:
            return Decision.TAKE_OVER
        case Status.PROCESSING:
            return Decision.WAIT
