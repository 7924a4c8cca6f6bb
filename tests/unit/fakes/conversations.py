"""The conversations table in memory, with the very conditions of the one on DynamoDB."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import Any

from lambda_src.core.context import ContextObject, RecordKey
from lambda_src.core.contract import Status
from lambda_src.core.errors import RecipientErased, RecipientSuppressed, Step
from lambda_src.core.ledger import Claim, ConditionFailed, Entry, Failure, Intent, SentRecord
from lambda_src.core.message import Answer
from tests.unit.fakes.faults import Fault, Plan
from tests.unit.fakes.ledger_faults import go_wrong
from tests.unit.fakes.record import SENDING_OR_UNKNOWN, Record

__all__ = ["FakeConversations", "Record"]


def _nothing() -> None:
    """What most writes do besides."""


class FakeConversations:
    """Implements the port `Conversations`.

    `records` is what stands in the table, `writes` names the writes that were applied, `before`
    holds what another worker does just before the next call of that name. `suppressed` are the
    recipients who opted out, `erased` those who were erased, and when (epoch seconds).
    """

    def __init__(self) -> None:
        self.records: dict[RecordKey, Record] = {}
        self.suppressed: set[str] = set()
        self.erased: dict[str, float] = {}
        self.writes: list[str] = []
        self.before: dict[str, Callable[[], None]] = {}
        self._faults: Plan[Fault] = Plan()
        self._lock = Lock()

    def fail(self, call: str, fault: Fault, times: int = 1) -> None:
        """Let the next calls of that name go wrong."""
        self._faults.add(call, fault, times)

    def alter(self, key: RecordKey, **changes: Any) -> None:
        """Change a record as another worker might."""
        self.records[key] = replace(self.records[key], **changes)

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
            suppress if failure.suppresses else _nothing,
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
        go_wrong("others", self._faults.pop("others"))
        with self._lock:
            concerned = [record for record in self.records.values() if record.concerns(key)]
        return tuple(replace(record, failure=None).entry() for record in concerned)

    def _check_bars(self, claim: Claim) -> None:
        self._check_erasure(claim.key, claim.asked_at)
        if claim.key.primary_channel in self.suppressed:
            raise RecipientSuppressed("recipient_suppressed", Step.CLAIM)

    def _check_erasure(self, key: RecordKey, asked_at: float) -> None:
        if self.erased.get(key.primary_channel, -1.0) >= _ms(asked_at):
            raise RecipientErased("recipient_erased", Step.CLAIM)

    def _put(self, name: str, record: Record, besides: Callable[[], None]) -> None:
        self._write(name, record.key, lambda found: record if found is None else None, besides)

    def _update(
        self,
        name: str,
        key: RecordKey,
        allowed: Callable[[Record], bool],
        besides: Callable[[], None] = _nothing,
        **changes: Any,
    ) -> None:
        def changed(found: Record | None) -> Record | None:
            return replace(found, **changes) if found and allowed(found) else None

        self._write(name, key, changed, besides)

    def _write(
        self,
        name: str,
        key: RecordKey,
        changed: Callable[[Record | None], Record | None],
        besides: Callable[[], None],
    ) -> None:
        self.before.pop(name, lambda: None)()
        fault = self._faults.pop(name)
        if fault not in {Fault.ANSWER_LOST, Fault.REPEATED}:
            go_wrong(name, fault)
        with self._lock:
            for _ in range(2 if fault is Fault.REPEATED else 1):
                self._apply(name, key, changed, besides)
        go_wrong(name, fault)

    def _apply(
        self,
        name: str,
        key: RecordKey,
        changed: Callable[[Record | None], Record | None],
        besides: Callable[[], None],
    ) -> None:
        found = self.records.get(key)
        after = changed(found)
        if after is None:
            raise ConditionFailed(found.entry() if found else None)
        besides()
        self.records[key] = after
        self.writes.append(name)


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
