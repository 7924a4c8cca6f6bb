"""The ledger: one record per conversation, changed by conditional writes under a lease."""

from lambda_src.core.ledger.leases import LeaseGuard, LeaseManager
from lambda_src.core.ledger.records import (
    ConditionFailed,
    Failure,
    Intent,
    Lease,
    LedgerRecord,
    RecipientSuppressed,
    SentRecord,
)
from lambda_src.core.ledger.store import LedgerStore
from lambda_src.core.ledger.transitions import NextAction, next_action

__all__ = [
    "ConditionFailed",
    "Failure",
    "Intent",
    "Lease",
    "LeaseGuard",
    "LeaseManager",
    "LedgerRecord",
    "LedgerStore",
    "NextAction",
    "RecipientSuppressed",
    "SentRecord",
    "next_action",
]
