"""The ledger: one record per conversation, changed by conditional writes under a lease."""

from lambda_src.core.ledger.leases import LeaseGuard, LeaseManager
from lambda_src.core.ledger.records import (
    ConditionFailed,
    DeliveryChange,
    DeliveryRecord,
    DeliveryReport,
    DeliveryState,
    DraftState,
    Failure,
    HeldDraft,
    Intent,
    Lease,
    LedgerRecord,
    NextAction,
    ProvenSend,
    RecipientSuppressed,
    RejectedDraft,
    SentRecord,
    next_action,
)
from lambda_src.core.ledger.store import DeliveryStore, LedgerStore

__all__ = [
    "ConditionFailed",
    "DeliveryChange",
    "DeliveryRecord",
    "DeliveryReport",
    "DeliveryState",
    "DeliveryStore",
    "DraftState",
    "Failure",
    "HeldDraft",
    "Intent",
    "Lease",
    "LeaseGuard",
    "LeaseManager",
    "LedgerRecord",
    "LedgerStore",
    "NextAction",
    "ProvenSend",
    "RecipientSuppressed",
    "RejectedDraft",
    "SentRecord",
    "next_action",
]
