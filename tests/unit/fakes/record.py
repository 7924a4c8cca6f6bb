"""One conversation as the fake table holds it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lambda_src.core.context import RecordKey
from lambda_src.core.contract import Status
from lambda_src.core.ledger import Claim, Entry, Failure, Intent, SentRecord
from lambda_src.core.message import Answer

SENDING_OR_UNKNOWN = frozenset({Status.SENDING, Status.SEND_UNKNOWN})


@dataclass(frozen=True, slots=True)
class Record:
    """One conversation as the table holds it."""

    key: RecordKey
    status: Status
    created_at: float
    owner: str = ""
    attempt: int = 0
    lease_expires_at: float = 0.0
    answer: Answer | None = None
    intent: Intent | None = None
    looks: int = 0
    sid: str = ""
    failure: Failure | None = None
    sent: SentRecord | None = None
    request_id: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def is_of(self, claim: Claim) -> bool:
        """Whether the claim holds the record."""
        return (self.owner, self.attempt) == (claim.owner, claim.attempt)

    def concerns(self, key: RecordKey) -> bool:
        """Whether it is another send, past or possible, to the recipient of that conversation."""
        is_another = self.key != key and self.key.primary_channel == key.primary_channel
        return is_another and (bool(self.sid) or self.status in SENDING_OR_UNKNOWN)

    def entry(self) -> Entry:
        """What a failed condition gives back."""
        return Entry(
            key=self.key,
            status=self.status,
            owner=self.owner,
            attempt=self.attempt,
            lease_expires_at=self.lease_expires_at,
            answer=self.answer,
            intent=self.intent,
            looks=self.looks,
            sid=self.sid,
            created_at=self.created_at,
            failure_code=self.failure.code if self.failure else "",
            channel=self.attributes.get("channel_method", ""),
        )
