"""Ledger values that many tests need."""

from dataclasses import replace
from typing import Any

from lambda_src.core.contract import Status
from lambda_src.core.ledger import Failure, Intent, Lease, LedgerRecord, SentRecord
from tests.support.clock import START
from tests.support.fakes import ANSWER
from tests.support.runtime import KEY, LEASE_SECONDS

HELD_LEASE = Lease(KEY, "owner-1", 1, START + LEASE_SECONDS, START)
INTENT = Intent(at=START, deadline=START + 15, id="intent-1")
SENT = SentRecord("SM1", ANSWER, START + 1, START + 1, 1000)
LEDGER_RECORD = LedgerRecord(
    key=KEY,
    status=Status.PROCESSING,
    owner=HELD_LEASE.owner,
    attempt=HELD_LEASE.attempt,
    lease_expires_at=HELD_LEASE.expires_at,
    answer=None,
    intent=None,
    lookups=0,
    vendor_id="",
    created_at=START,
    channel="whatsapp",
)
"""What acquiring `HELD_LEASE` writes."""


def lease(**changes: Any) -> Lease:
    return replace(HELD_LEASE, **changes)


def ledger_record(**changes: Any) -> LedgerRecord:
    return replace(LEDGER_RECORD, **changes)


def failure(status: Status, code: str = "openai_500", at: float = START) -> Failure:
    return Failure(status, code, "ai", "", at)
