"""The conversations table in memory, with the very conditions of the one on DynamoDB."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from lambda_src.core.context import ContextObject, RecordKey
from lambda_src.core.contract import Status
from lambda_src.core.errors import RecipientErased, RecipientSuppressed, Step
from lambda_src.core.ledger import Claim, Entry, Failure, Intent, SentRecord
from lambda_src.core.message import Answer
from tests.unit.fakes.record import SENDING_OR_UNKNOWN, Record
from tests.unit.fakes.table import FakeTable, nothing

__all__ = ["FakeConversations", "Record"]


class FakeConversations(FakeTable):
    """Implements the port `Conversations`.

    `suppressed` are the recipients who opted out, `erased` those who were erased, and when (epoch
    seconds).
    """

    def __init__(self) -> None:
        super().__init__()
        self.suppressed: set[str] = set()
        self.erased: dict[str, float] = {}

    def create(self, context: ContextObject, claim: Claim) -> None:
        """Write the first record, if there is none and the recipient is not barred."""
        record = Record(
            context.key,
            Status.PROCESSING,
            claim.started_at,
            owner=claim.owner,
            attempt=claim.attempt,
            lease_expires_at=_ms(claim.lease_expires_at),
            request_id=context.request_id,
            attributes=context.attributes,
        )
        self._put("create", record, lambda: self._check_bars(claim))

    def take_over(self, claim: Claim, seen: Entry) -> None:
        """Hold a record that is still as it was seen, if the recipient is not barred."""
        self._update(
            "take_over",
            claim.key,
            _as(seen),
            lambda: self._check_bars(claim),
            status=Status.PROCESSING,
            owner=claim.owner,
            attempt=claim.attempt,
            lease_expires_at=_ms(claim.lease_expires_at),
        )

    def renew(self, claim: Claim, expires_at: float) -> None:
        """Extend the lease, while `processing` and ours."""
        self._update("renew", claim.key, _processing(claim), lease_expires_at=_ms(expires_at))

    def store_answer(self, claim: Claim, answer: Answer) -> None:
        """Keep the AI's answer, while `processing` and ours."""
        self._update("store_answer", claim.key, _processing(claim), answer=answer)

    def begin_send(self, claim: Claim, intent: Intent, answer: Answer) -> None:
        """Go from `processing` to `sending`, while the lease is ours and valid."""
        is_ours = _processing(claim)
        self._update(
            "begin_send",
            claim.key,
            lambda record: is_ours(record) and record.lease_expires_at > _ms(intent.at),
            status=Status.SENDING,
            answer=answer,
            intent=Intent(_ms(intent.at), _ms(intent.deadline)),
            looks=0,
        )

    def record_sent(self, key: RecordKey, sent: SentRecord) -> None:
        """Write the sid, while `sending` or `send_unknown`."""
        self._update(
            "record_sent",
            key,
            lambda record: record.status in SENDING_OR_UNKNOWN,
            status=Status.SENT,
            sid=sent.sid,
            sent=sent,
            answer=None,
            failure=None,
            lease_expires_at=0.0,
        )

    def record_failure(self, claim: Claim, failure: Failure) -> None:
        """Write `failed` or `retry`, while `processing` or `sending` and ours."""
        allowed = {Status.PROCESSING, Status.SENDING, failure.status}
        suppress = partial(self.suppressed.add, claim.key.primary_channel)
        self._update(
            "record_failure",
            claim.key,
            lambda record: record.status in allowed and record.is_of(claim),
            suppress if failure.suppresses else nothing,
            status=failure.status,
            failure=failure,
        )

    def record_rejection(
        self, key: RecordKey, failure: Failure, request_id: str | None, asked_at: float
    ) -> None:
        """Write `failed` for a refused context object, unless a record stands already."""
        record = Record(key, failure.status, failure.at, failure=failure, request_id=request_id)
        self._put("record_rejection", record, lambda: self._check_erasure(key, asked_at))

    def turn_away(self, seen: Entry, failure: Failure) -> None:
        """Write `failed` over a record that nobody works on, still as it was seen."""
        self._update("turn_away", seen.key, _as(seen), status=failure.status, failure=failure)

    def count_look(self, key: RecordKey, seen: Entry) -> None:
        """Count one more look for the sid of an unsettled send."""
        self._update(
            "count_look",
            key,
            lambda record: (record.status, record.owner) == (Status.SENDING, seen.owner),
            looks=seen.looks + 1,
        )

    def declare_unknown(self, key: RecordKey, failure: Failure, seen: Entry) -> None:
        """Write `send_unknown`, while still `sending` by the same owner."""
        self._update(
            "declare_unknown",
            key,
            lambda record: record.status in SENDING_OR_UNKNOWN and record.owner == seen.owner,
            status=failure.status,
            failure=failure,
        )

    def others(self, key: RecordKey) -> tuple[Entry, ...]:
        """The recipient's other conversations that have a sid, or may yet get one."""
        concerned = [record for record in self._read("others") if record.concerns(key)]
        return tuple(replace(record, failure=None).entry() for record in concerned)

    def _check_bars(self, claim: Claim) -> None:
        self._check_erasure(claim.key, claim.asked_at)
        if claim.key.primary_channel in self.suppressed:
            raise RecipientSuppressed("recipient_suppressed", Step.CLAIM)

    def _check_erasure(self, key: RecordKey, asked_at: float) -> None:
        if self.erased.get(key.primary_channel, -1.0) >= _ms(asked_at):
            raise RecipientErased("recipient_erased", Step.CLAIM)


def _as(seen: Entry) -> Callable[[Record], bool]:
    state = (seen.status, seen.owner, seen.attempt, _ms(seen.lease_expires_at))
    return lambda record: (
        state == (record.status, record.owner, record.attempt, record.lease_expires_at)
    )


def _processing(claim: Claim) -> Callable[[Record], bool]:
    return lambda record: record.status is Status.PROCESSING and record.is_of(claim)


def _ms(seconds: float) -> float:
    # The table keeps a time's milliseconds.
    return round(seconds, 3)
