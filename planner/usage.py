"""What a message takes of AWS when nothing goes wrong: recorded, and held to the real runtime.

`tests/contract/test_usage.py` counts the same over a clean run.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import ceil

from stacks.capacity.limits import MARK_UNITS, SECRET_SECONDS

KB = 1_024
IN_TRANSACTION = 2
"""Units of a transaction's part, for each that it would take by itself."""


class Per(StrEnum):
    """How often a call is made."""

    MESSAGE = "message"
    BATCH = "batch"
    INSTANCE = f"instance each {SECRET_SECONDS} s"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call to AWS of a clean run.

    Attributes:
        action: Its name.
        by: Who makes it: the router, AWS's event source mapping or the runtime.
        per: How often.
        purpose: What it is for.
        without: What would break, by the rules of docs/reliability.md.
        shown_by: The broken variant of the proof that leaves it out, or mistakes its answer.
    """

    action: str
    by: str
    per: Per
    purpose: str
    without: str
    shown_by: str = ""


CALLS = (
    Call(
        action="sqs:SendMessage",
        by="router",
        per=Per.MESSAGE,
        purpose="the context object",
        without="there is no message",
    ),
    Call(
        action="sqs:ReceiveMessage",
        by="mapping",
        per=Per.BATCH,
        purpose="the delivery",
        without="there is no delivery",
    ),
    Call(
        action="sqs:ChangeMessageVisibilityBatch",
        by="runtime",
        per=Per.BATCH,
        purpose="the first beat of the heart, for all messages at once",
        without=(
            "rule 7: the queue hides a message for six times the function's timeout, and a crashed"
            " worker's would be back after 18 minutes instead of 2"
        ),
    ),
    Call(
        action="dynamodb:TransactWriteItems",
        by="runtime",
        per=Per.MESSAGE,
        purpose="the claim, and that the recipient has not opted out and was not erased",
        without=(
            "rules 3 to 5: a delivery would ask the AI before it knows of an answer that stands"
            " written, and what fails before the send would leave no record. To read instead costs"
            " less, and lets two duplicates ask at once; to look at the recipient's mark apart from"
            " the claim would let an erasure in between"
        ),
        shown_by="unclaimed",
    ),
    Call(
        action="secretsmanager:GetSecretValue",
        by="runtime",
        per=Per.INSTANCE,
        purpose="the OpenAI key, and each tenant's credentials",
        without="nothing can be sent; kept for minutes, so that a rotated key is taken up",
    ),
    Call(
        action="dynamodb:UpdateItem",
        by="runtime",
        per=Per.MESSAGE,
        purpose="the announcement of the send, with the AI's answer in the same write",
        without="rule 1: a crash between the send and its record would send again",
        shown_by="no_intent",
    ),
    Call(
        action="dynamodb:UpdateItem",
        by="runtime",
        per=Per.MESSAGE,
        purpose="the sid",
        without="rule 3: the record would not say what was sent",
        shown_by="failed_write_ignored",
    ),
    Call(
        action="sqs:DeleteMessageBatch",
        by="mapping",
        per=Per.BATCH,
        purpose="the end of the messages that were sent",
        without="each message would come again, until it is a dead letter",
    ),
)
"""Every call of a clean run, in order."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What is stored and logged, in bytes.

    Attributes:
        claimed: The record when it is claimed.
        announced: When the send is announced.
        sent: When the sid is in it.
        logged: The log's lines and metrics of a message.
        logged_a_batch: Those of a batch besides.
    """

    claimed: int
    announced: int
    sent: int
    logged: int
    logged_a_batch: int

    @classmethod
    def of_record(cls, claimed: int) -> "Sizes":
        """Return the sizes for a context object whose record is that large; the rest as usual."""
        more = claimed - EXAMPLE.claimed
        return cls(
            claimed=claimed,
            announced=EXAMPLE.announced + more,
            sent=EXAMPLE.sent + more,
            logged=EXAMPLE.logged,
            logged_a_batch=EXAMPLE.logged_a_batch,
        )

    @property
    def write_units(self) -> int:
        """DynamoDB's units of the three writes.

        One for each KB begun of the larger of the item before and after; in a transaction twice as
        many, also for an item that is only looked at.
        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
        """
        announced = max(self.claimed, self.announced)
        claim = IN_TRANSACTION * ceil(self.claimed / KB) + MARK_UNITS
        return claim + ceil(announced / KB) + ceil(max(announced, self.sent) / KB)


EXAMPLE = Sizes(claimed=1_223, announced=1_788, sent=1_775, logged=450, logged_a_batch=1_550)
"""Those of `examples/contexts/whatsapp.json`."""


def calls_a_batch(by: str) -> int:
    """Return how many calls somebody makes for a batch, however many messages it has."""
    return sum(call.by == by and call.per is Per.BATCH for call in CALLS)
