"""Values that many tests need."""

from dataclasses import replace
from typing import Any

from lambda_src.core.contract import Status
from lambda_src.core.ledger import Claim, Entry, Failure, Intent, SentRecord
from tests.unit.fakes.clock import START
from tests.unit.fakes.world import KEY, LEASE
from tests.unit.fakes.writer import ANSWER

CLAIM = Claim(KEY, "owner-1", 1, START + LEASE, START)
INTENT = Intent(at=START, deadline=START + 15)
SENT = SentRecord("SM1", ANSWER, START + 1, START + 1, 1000)
ENTRY = Entry(
    key=KEY,
    status=Status.PROCESSING,
    owner=CLAIM.owner,
    attempt=CLAIM.attempt,
    lease_expires_at=CLAIM.lease_expires_at,
    answer=None,
    intent=None,
    looks=0,
    sid="",
    created_at=START,
    channel="whatsapp",
)
"""What `CLAIM` left in the table."""


def claim(**changes: Any) -> Claim:
    """`CLAIM`, but for the changes."""
    return replace(CLAIM, **changes)


def entry(**changes: Any) -> Entry:
    """`ENTRY`, but for the changes."""
    return replace(ENTRY, **changes)


def failure(status: Status, code: str = "openai_500", at: float = START) -> Failure:
    """A failure as it is recorded."""
    return Failure(status, code, "ai", "", at)
