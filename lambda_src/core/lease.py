"""A lease as its holder knows it: renewed with each beat, and looked at before what costs money."""

from lambda_src.core.claims import Claims
from lambda_src.core.errors import LeaseLost, Step
from lambda_src.core.ledger import Claim


class Lease:
    """The lease of one claim.

    Only a conditional write tells for certain who holds a conversation. This tells a worker that
    was held up for longer than its lease, or that could not renew it, without a call.
    """

    def __init__(self, claims: Claims, claim: Claim) -> None:
        self._claims = claims
        self._claim = claim
        self._expires_at = claim.lease_expires_at

    def renew(self) -> None:
        """Extend it from now on.

        Raises:
            LeaseLost: The conversation is another worker's by now.
        """
        try:
            self._expires_at = self._claims.renew(self._claim)
        except LeaseLost:
            self._expires_at = 0.0
            raise

    def check(self) -> None:
        """Make sure that nobody else can have taken the conversation.

        Raises:
            LeaseLost: The lease is over.
        """
        if self._claims.clock() >= self._expires_at:
            raise LeaseLost("lease_lapsed", Step.AI)
