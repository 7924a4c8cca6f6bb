"""The flow: one context object becomes one message, and the record says so."""

import logging
from dataclasses import dataclass
from enum import StrEnum

from lambda_src.core.claims import Claims
from lambda_src.core.context import ContextObject
from lambda_src.core.contract import LogEvent, Status
from lambda_src.core.delivery import Delivery
from lambda_src.core.drafting import Drafting
from lambda_src.core.errors import PermanentFailure, ReceivesUsedUp, Step, TransientFailure
from lambda_src.core.final_record import FinalRecord
from lambda_src.core.lease import Lease
from lambda_src.core.ledger import Claim, Entry, SentRecord
from lambda_src.core.ports import Clock, Heartbeat
from lambda_src.core.putting_down import PuttingDown
from lambda_src.core.receives import Receives
from lambda_src.core.rejection import RejectedContext
from lambda_src.core.sending import Sending
from lambda_src.core.settlement import Settlement
from lambda_src.core.telling import tell
from lambda_src.core.timing import Timing
from lambda_src.core.unforeseen import under_way

log = logging.getLogger(__name__)


class Outcome(StrEnum):
    """Why a queue message may be deleted: in each case its own message was sent."""

    SENT = LogEvent.MESSAGE_SENT
    ALREADY_PROCESSED = LogEvent.ALREADY_PROCESSED
    SETTLED = LogEvent.SEND_SETTLED


@dataclass(frozen=True, slots=True)
class MessageFlow:
    """A message's way, step by step; every part is a port or made of ports."""

    claims: Claims
    drafting: Drafting
    sending: Sending
    final_record: FinalRecord
    putting_down: PuttingDown
    settlement: Settlement
    receives: Receives
    clock: Clock
    timing: Timing

    def process(self, delivery: Delivery, context: ContextObject, heartbeat: Heartbeat) -> Outcome:
        """Bring one delivery to its end.

        Raises:
            ProcessingError: The message was not, or not certainly, sent; says what comes next.
        """
        claimed = self._claim(delivery, context)
        if isinstance(claimed, Claim):
            self._write_and_send(delivery, context, claimed, heartbeat)
            return Outcome.SENT
        if claimed.status is Status.SENT:
            return Outcome.ALREADY_PROCESSED
        self.settlement.settle(delivery, context, claimed)
        return Outcome.SETTLED

    @under_way(Step.RECORD)
    def reject(self, delivery: Delivery, rejected: RejectedContext) -> None:
        """Record a refused context object as `failed`, where its key can be told.

        Raises:
            RecipientErased: The recipient was erased since: nothing is recorded.
        """
        if rejected.key:
            self.putting_down.reject(rejected.key, rejected, rejected.request_id, delivery.sent_at)

    @under_way(Step.CLAIM)
    def _claim(self, delivery: Delivery, context: ContextObject) -> Claim | Entry:
        if delivery.time_left() < self.timing.claim_reserve:
            raise TransientFailure("out_of_time", Step.CLAIM, again_in=0)
        asked_at = min(delivery.sent_at, context.requested_at or delivery.sent_at)
        try:
            return self.claims.take(context, delivery.owner, asked_at)
        except PermanentFailure as failure:
            tell(failure, delivery)
            self.putting_down.reject(context.key, failure, context.request_id, asked_at)
            raise

    def _write_and_send(
        self, delivery: Delivery, context: ContextObject, claim: Claim, heartbeat: Heartbeat
    ) -> None:
        time_left = delivery.time_left
        with self.putting_down.on_failure(claim, delivery):
            self._keep_the_last_for_settling(delivery, claim)
            lease = Lease(self.claims, claim)
            with heartbeat.renewing(delivery.message_id, lease.renew):
                credentials, answer = self.drafting.draft(
                    context, claim.answer, time_left, lease.check
                )
            intent = self.sending.announce(claim, answer, time_left)
            sid = self.sending.send(context, credentials, answer, intent)
        now = self.clock()
        sent = SentRecord(sid, answer, now, now, round((now - claim.started_at) * 1000))
        self.final_record.write(claim.key, sent, time_left)
        log.info("sent", extra={"event": LogEvent.MESSAGE_SENT, "message_sid": sid})

    def _keep_the_last_for_settling(self, delivery: Delivery, claim: Claim) -> None:
        # A send whose outcome stayed open on the last delivery could be settled by nobody.
        if self.receives.is_last(delivery):
            detail = f"the last failure was {claim.last_failure or 'not recorded'}"
            raise ReceivesUsedUp("receives_used_up", Step.CLAIM, detail)
