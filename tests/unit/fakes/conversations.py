"""The conversations table in memory, with the very conditions of the one on DynamoDB."""

from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import Any

from lambda_src.core.context import ContextObject, RecordKey
from lambda_src.core.contract import Status
from lambda_src.core.ledger import Claim, ConditionFailed, Entry, Failure, Intent, SentRecord
from lambda_src.core.message import Answer
from tests.unit.fakes.faults import Fault, Plan
from tests.unit.fakes.ledger_faults import go_wrong
from tests.unit.fakes.record import SENDING_OR_UNKNOWN, Record

__all__ = ["FakeConversations", "Record"]


class FakeConversations:
    """Implements the port `Conversations`.

    `records` is what stands in the table, `writes` names the writes that were applied, `before`
    holds what another worker does just before the next call of that name.
    """

    def __init__(self) -> None:
        self.records: dict[RecordKey, Record] = {}
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
        """Write the first record, if there is none."""
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
        self._put("create", record)

    def take_over(self, claim: Claim, seen: Entry) -> None:
        """Hold a record that is still as it was seen."""

        def as_seen(record: Record) -> bool:
            return (record.status, record.owner, record.attempt, record.lease_expires_at) == (
                seen.status,
                seen.owner,
                seen.attempt,
                _ms(seen.lease_expires_at),
            )

        self._update(
            "take_over",
            claim.key,
            as_seen,
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
        self._update(
            "record_failure",
            claim.key,
            lambda record: record.status in allowed and record.is_of(claim),
            status=failure.status,
            failure=failure,
        )

    def record_rejection(self, key: RecordKey, failure: Failure, request_id: str | None) -> None:
        """Write `failed` for a refused context object, unless a record stands already."""
        record = Record(key, failure.status, failure.at, failure=failure, request_id=request_id)
        self._put("record_rejection", record)

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

    def _put(self, name: str, record: Record) -> None:
        self._write(name, record.key, lambda found: record if found is None else None)

    def _update(
        self, name: str, key: RecordKey, allowed: Callable[[Record], bool], **changes: Any
    ) -> None:
        self._write(
            name, key, lambda found: replace(found, **changes) if found and allowed(found) else None
        )

    def _write(
        self, name: str, key: RecordKey, changed: Callable[[Record | None], Record | None]
    ) -> None:
        self.before.pop(name, lambda: None)()
        fault = self._faults.pop(name)
        if fault not in {Fault.ANSWER_LOST, Fault.REPEATED}:
            go_wrong(name, fault)
        with self._lock:
            for _ in range(2 if fault is Fault.REPEATED else 1):
                self._apply(name, key, changed)
        go_wrong(name, fault)

    def _apply(
        self, name: str, key: RecordKey, changed: Callable[[Record | None], Record | None]
    ) -> None:
        found = self.records.get(key)
        after = changed(found)
        if after is None:
            raise ConditionFailed(found.entry() if found else None)
        self.records[key] = after
        self.writes.append(name)


def _processing(claim: Claim) -> Callable[[Record], bool]:
    return lambda record: record.status is Status.PROCESSING and record.is_of(claim)


def _ms(seconds: float) -> float:
    # The table keeps a time's milliseconds.
    return round(seconds, 3)
