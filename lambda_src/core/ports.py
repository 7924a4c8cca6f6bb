"""What the flow needs from the world; adapters stand in `services`, fakes in the tests."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from lambda_src.core.context import AssistantDefinition, ContextObject, RecordKey
from lambda_src.core.errors import Step
from lambda_src.core.ledger import Claim, Entry, Failure, Intent, SentRecord
from lambda_src.core.message import Answer, Assignment, OutgoingMessage
from lambda_src.core.metric_names import Kind, Metric

Clock = Callable[[], float]
"""Seconds since the epoch."""


class Credentials(Protocol):
    """A tenant's account at the vendor, in a form that only the channel's sender knows."""

    @property
    def template_sid(self) -> str | None:
        """The vendor's id of the template to send; without one, free text is sent."""


class Conversations(Protocol):
    """The conversations table's conditional writes.

    Every method raises `LedgerUnavailable` when the table does not answer, `LedgerRefused` when it
    refuses the call, and, where it has a condition, `ConditionFailed` with the entry found.

    A claim, new or taken over, is one write with the look at the recipient: it raises
    `RecipientSuppressed` for one who opted out of the channel, and `RecipientErased` for one who
    was erased after the claim's message was asked for.
    """

    def create(self, context: ContextObject, claim: Claim) -> None:
        """Write the first record, if there is none and the recipient is not barred."""

    def take_over(self, claim: Claim, seen: Entry) -> None:
        """Hold a record that is still as it was seen, if the recipient is not barred."""

    def renew(self, claim: Claim, expires_at: float) -> None:
        """Extend the lease, while `processing` and ours."""

    def store_answer(self, claim: Claim, answer: Answer) -> None:
        """Keep the AI's answer, while `processing` and ours."""

    def begin_send(self, claim: Claim, intent: Intent, answer: Answer) -> None:
        """Go from `processing` to `sending`, while the lease is ours and valid; keep the answer."""

    def record_sent(self, key: RecordKey, sent: SentRecord) -> None:
        """Write the sid, while `sending` or `send_unknown`."""

    def record_failure(self, claim: Claim, failure: Failure) -> None:
        """Write `failed` or `retry`, while `processing` or `sending` and ours.

        `sending` too: the write of an intent may stand although its answer was lost, and a vendor
        may refuse a message for certain. Where the failure suppresses, the recipient is suppressed
        by the same write.
        """

    def record_rejection(
        self, key: RecordKey, failure: Failure, request_id: str | None, asked_at: float
    ) -> None:
        """Write `failed` for a context object that was refused, unless a record stands already.

        Raises:
            RecipientErased: The recipient was erased after that was asked for.
        """

    def turn_away(self, seen: Entry, failure: Failure) -> None:
        """Write `failed` over a record that nobody works on, still as it was seen."""

    def count_look(self, key: RecordKey, seen: Entry) -> None:
        """Count one more look for the sid of an unsettled send."""

    def declare_unknown(self, key: RecordKey, failure: Failure, seen: Entry) -> None:
        """Write `send_unknown`, while still `sending` by the same owner."""

    def others(self, key: RecordKey) -> tuple[Entry, ...]:
        """The recipient's other conversations that have a sid, or may yet get one.

        Those are `sending` and `send_unknown`; an entry's `failure_code` is not told here.
        """


class Secrets(Protocol):
    """The channel's secrets; `fresh` passes the cache by.

    Raises `PermanentFailure` for a reference outside the channel's prefixes, a missing secret or
    one not in its documented form, `TransientFailure` when Secrets Manager does not answer.
    """

    def openai_key(self, reference: str, *, fresh: bool = False) -> str:
        """The OpenAI API key."""

    def credentials(self, reference: str, *, fresh: bool = False) -> Credentials:
        """A tenant's credentials for the channel's vendor."""


class Assistants(Protocol):
    """The project's own assistant definitions."""

    def find(self, assistant_id: str) -> AssistantDefinition | None:
        """The definition of that id, or None."""


class Writer(Protocol):
    """The AI."""

    def write(self, api_key: str, assignment: Assignment) -> Answer:
        """Write one message; raises the `ProcessingError` that tells what must happen next."""


class Sender(Protocol):
    """The channel's vendor, who takes credentials of the channel's own form."""

    def send(self, credentials: Any, message: OutgoingMessage) -> str:
        """Send once and return the sid.

        Raises:
            TransientFailure: Certainly not sent.
            PermanentFailure: Refused.
            SendOutcomeUnknown: It may have been sent.
        """

    def find(
        self,
        credentials: Any,
        message: OutgoingMessage,
        *,
        since: float,
    ) -> tuple[str, ...]:
        """The sids of all messages like that one which the vendor lists as created since then.

        Oldest first; `since` is in epoch seconds. Raises `TransientFailure` when it cannot be read.
        """


class Heartbeat(Protocol):
    """Keeps the messages of a batch invisible, and their leases alive, while they are worked on."""

    def start(self) -> None:
        """Begin, with a first beat at once."""

    def stop(self) -> frozenset[str]:
        """End, and return the ids of the messages for which a beat failed at any point."""

    def renewing(
        self, message_id: str, renew: Callable[[], None]
    ) -> AbstractContextManager[object]:
        """Call `renew` with each beat while the context lasts."""


class Queue(Protocol):
    """The channel's queue, as far as the handler touches it."""

    def show_again(self, seconds: Mapping[str, int]) -> None:
        """Make received messages visible again, given as receipt handle to seconds (0 to 43,200).

        A message for which that fails comes back when its visibility ends; that is logged.
        """

    def max_receive_count(self) -> int:
        """How many receives the queue allows before a message becomes a dead letter.

        Raises:
            TransientFailure: The queue does not say.
        """


class Metrics(Protocol):
    """What is counted and measured, from any thread; none of it ever fails."""

    def count(self, metric: Metric, number: int = 1) -> None:
        """Add to a number."""

    def count_failure(self, step: Step, kind: Kind) -> None:
        """Add a failure to those of its step and kind (`Metric.FAILURES`)."""

    def measure(self, metric: Metric, value: float) -> None:
        """Add one value to a distribution, in the metric's unit."""

    def publish(self) -> None:
        """Give out what was collected since the last time."""
