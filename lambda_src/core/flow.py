"""The flow: one context object becomes one message, and the record says so."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from lambda_src.core.claims import Claims
from lambda_src.core.context import ContextObject
from lambda_src.core.contract import LogEvent, Status
from lambda_src.core.delivery import Delivery
from lambda_src.core.drafting import Drafting, with_secret
from lambda_src.core.errors import (
    PermanentFailure,
    RejectedContext,
    SendOutcomeUnknown,
    Step,
    TransientFailure,
)
from lambda_src.core.final_record import FinalRecord
from lambda_src.core.ledger import Claim, Entry, Intent, SentRecord
from lambda_src.core.message import Answer, OutgoingMessage
from lambda_src.core.ports import Clock, Heartbeat, Secrets, Sender, TwilioCredentials
from lambda_src.core.putting_down import PuttingDown
from lambda_src.core.settlement import Settlement
from lambda_src.core.timing import STALL_SECONDS, Timing

log = logging.getLogger(__name__)


class Outcome(StrEnum):
    """Why a queue message may be deleted: in each case its WhatsApp message was sent."""

    SENT = LogEvent.MESSAGE_SENT
    ALREADY_PROCESSED = LogEvent.ALREADY_PROCESSED
    SETTLED = LogEvent.SEND_SETTLED


@dataclass(frozen=True, slots=True)
class MessageFlow:
    """A message's way, step by step; every part is a port or made of ports."""

    claims: Claims
    drafting: Drafting
    secrets: Secrets
    sender: Sender
    final_record: FinalRecord
    putting_down: PuttingDown
    settlement: Settlement
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

    def reject(self, rejected: RejectedContext) -> None:
        """Record a refused context object as `failed`, where its key can be told."""
        if rejected.key:
            self.putting_down.reject(rejected.key, rejected, rejected.request_id)

    def _claim(self, delivery: Delivery, context: ContextObject) -> Claim | Entry:
        if delivery.time_left() < self.timing.send_reserve:
            raise TransientFailure("out_of_time", Step.CLAIM, retry_after=0)
        try:
            return self.claims.take(context, delivery.owner)
        except PermanentFailure as failure:
            self.putting_down.reject(context.key, failure, context.request_id)
            raise

    def _write_and_send(
        self, delivery: Delivery, context: ContextObject, claim: Claim, heartbeat: Heartbeat
    ) -> None:
        with self.putting_down.on_failure(claim, may_have_sent=False):
            with heartbeat.renewing(delivery.message_id, lambda: self.claims.renew(claim)):
                credentials, answer = self.drafting.draft(context, claim.answer, delivery.time_left)
            intent = self._announce(delivery, claim, answer)
        with (
            self._unknown_is_settled(delivery, claim, intent, answer),
            self.putting_down.on_failure(claim, may_have_sent=True),
        ):
            sid = self._send(context, credentials, answer, intent)
        now = self.clock()
        sent = SentRecord(sid, answer, now, now, round((now - claim.started_at) * 1000))
        self.final_record.write(claim.key, sent, delivery.time_left)
        log.info("sent", extra={"event": LogEvent.MESSAGE_SENT, "message_sid": sid})

    def _announce(self, delivery: Delivery, claim: Claim, answer: Answer) -> Intent:
        if delivery.time_left() < self.timing.send_reserve:
            self.claims.keep_answer(claim, answer)
            raise TransientFailure("out_of_time", Step.SEND, retry_after=0)
        now = self.clock()
        intent = Intent(at=now, deadline=now + self.timing.send_span)
        self.claims.announce(claim, intent, answer)
        return intent

    def _send(
        self,
        context: ContextObject,
        credentials: TwilioCredentials,
        answer: Answer,
        intent: Intent,
    ) -> str:
        message = OutgoingMessage(
            context.sender,
            context.recipient,
            body=answer.text,
            template_sid=credentials.template_sid or "",
            variables=answer.variables,
        )

        def send_in_time(credentials: TwilioCredentials) -> str:
            if self.clock() > intent.at + STALL_SECONDS:
                raise TransientFailure("stalled_before_send", Step.SEND)
            return self.sender.send(credentials, message)

        return with_secret(
            lambda fresh: (
                self.secrets.twilio(context.credentials_reference, fresh=True)
                if fresh
                else credentials
            ),
            send_in_time,
        )

    @contextmanager
    def _unknown_is_settled(
        self, delivery: Delivery, claim: Claim, intent: Intent, answer: Answer
    ) -> Iterator[None]:
        try:
            yield
        except SendOutcomeUnknown as unknown:
            if self.settlement.is_last(delivery):
                entry = Entry.of_send(claim, intent, answer)
                raise self.settlement.declare_unknown(entry) from unknown
            unknown.retry_after = max(0.0, intent.deadline - self.clock())
            raise
