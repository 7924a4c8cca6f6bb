"""The ledger: one record per conversation, changed by conditional writes under a lease."""

from lambda_src.core.ledger.leases import LeaseGuard, LeaseManager
from lambda_src.core.ledger.records import (
    ConditionFailed,
    DeliveryChange,
    DeliveryRecord,
    DeliveryReport,
    DeliveryState,
    Failure,
    Intent,
    Lease,
    LedgerRecord,
    ProvenSend,
    RecipientSuppressed,
    SentRecord,
)
from lambda_src.core.ledger.store import DeliveryStore, LedgerStore
from lambda_src.core.ledger.transitions import NextAction, next_action

__all__ = [
    "ConditionFailed",
    "DeliveryChange",
    "DeliveryRecord",
    "DeliveryReport",
    "DeliveryState",
    "DeliveryStore",
    "Failure",
    "Intent",
    "Lease",
    "LeaseGuard",
    "LeaseManager",
    "LedgerRecord",
    "LedgerStore",
    "NextAction",
    "ProvenSend",
    "RecipientSuppressed",
    "SentRecord",
    "next_action",
]
