"""The ledger: one record per conversation, changed by conditional writes under a lease."""

from lambda_src.core.ledger.leases import LeaseGuard, LeaseManager
from lambda_src.core.ledger.records import (
    ConditionFailed,
    Failure,
    Intent,
    Lease,
    LedgerRecord,
    NextAction,
    RecipientSuppressed,
    SentRecord,
    next_action,
)
from lambda_src.core.ledger.store import LedgerStore

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
