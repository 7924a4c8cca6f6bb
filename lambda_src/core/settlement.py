"""Settling unknown sends: found at the vendor, or declared unknown; never sent again."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from lambda_src.core.context import ContextObject
from lambda_src.core.contract import LogEvent, Status
from lambda_src.core.delivery import Delivery
from lambda_src.core.drafting import with_secret
from lambda_src.core.errors import (
    ProcessingError,
    SendDeclaredUnknown,
    SendOutcomePending,
    Step,
)
from lambda_src.core.final_record import FinalRecord
from lambda_src.core.ledger import ConditionFailed, Entry, Failure, SentRecord
from lambda_src.core.message import Answer, OutgoingMessage
from lambda_src.core.ports import Clock, Conversations, Queue, Secrets, Sender
from lambda_src.core.timing import SKEW_SECONDS

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settlement:
    """Looks for a message at the vendor, a few times with growing delays (`delays`, seconds)."""

    conversations: Conversations
    secrets: Secrets
    sender: Sender
    queue: Queue
    final_record: FinalRecord
    clock: Clock
    delays: tuple[float, ...]
    sleep: Callable[[float], None] = time.sleep

    def settle(self, delivery: Delivery, context: ContextObject, entry: Entry) -> None:
        """Settle a record found `sending`; returns once its sid is recorded.

        Raises:
            SendOutcomePending: To be looked for again later.
            SendDeclaredUnknown: Looked for often enough; recorded as `send_unknown`.
            ProcessingError: The vendor or the table did not answer.
        """
        is_last = self.is_last(delivery)
        self._await_deadline(entry, is_last=is_last)
        sid = self._look(context, entry, is_last=is_last)
        if sid and entry.answer:
            self._record(delivery, entry, entry.answer, sid)
        elif is_last or entry.looks >= len(self.delays):
            raise self.declare_unknown(entry)
        else:
            self._count_look(entry)
            raise SendOutcomePending(
                "not_listed_yet", Step.SETTLE, retry_after=self.delays[entry.looks]
            )

    def is_last(self, delivery: Delivery) -> bool:
        """Whether the queue will not deliver the message again."""
        try:
            return delivery.receive_count >= self.queue.max_receive_count()
        except ProcessingError as error:
            log.warning("the queue does not tell its maxReceiveCount", extra={"event": error.event})
            return False

    def declare_unknown(self, entry: Entry) -> ProcessingError:
        """Record `send_unknown` and return the error that calls a person.

        A record that cannot be written calls all the same: it stays `sending`, which no worker
        sends again either. One that was settled meanwhile calls nobody.
        """
        unknown = SendDeclaredUnknown(
            "not_found_at_vendor", Step.SETTLE, fields={"looks": entry.looks}
        )
        failure = Failure(Status.SEND_UNKNOWN, unknown.code, unknown.step, "", self.clock())
        try:
            self.conversations.declare_unknown(entry.key, failure, entry)
        except ConditionFailed:
            return SendOutcomePending("settled_elsewhere", Step.SETTLE, retry_after=0)
        except Exception:  # noqa: BLE001 - whatever keeps it out of the record, a person is called
            unknown.fields["record_written"] = False
        return unknown

    def _await_deadline(self, entry: Entry, *, is_last: bool) -> None:
        rest = (entry.intent.deadline if entry.intent else 0) - self.clock()
        if rest <= 0:
            return
        if not is_last:
            raise SendOutcomePending("sender_may_be_at_it", Step.SETTLE, retry_after=rest)
        self.sleep(rest)

    def _look(self, context: ContextObject, entry: Entry, *, is_last: bool) -> str | None:
        try:
            return self._find(context, entry)
        except Exception:
            if is_last:  # whatever went wrong, no look is to come
                return None
            raise

    def _find(self, context: ContextObject, entry: Entry) -> str | None:
        if not entry.answer or not entry.intent:
            return None
        message = OutgoingMessage(
            context.sender,
            context.recipient,
            body=entry.answer.text,
            variables=entry.answer.variables,
        )
        since = entry.intent.at - SKEW_SECONDS
        return with_secret(
            lambda fresh: self.secrets.twilio(context.credentials_reference, fresh=fresh),
            lambda credentials: self.sender.find(
                credentials, message, since=since, exclude=self._sids_of_others(entry)
            ),
        )

    def _sids_of_others(self, entry: Entry) -> Callable[[], frozenset[str]]:
        return lambda: self.conversations.recorded_sids(entry.key.primary_channel)

    def _record(self, delivery: Delivery, entry: Entry, answer: Answer, sid: str) -> None:
        sent_at = entry.intent.at if entry.intent else self.clock()
        duration = round(max(0.0, sent_at - entry.created_at) * 1000)
        sent = SentRecord(sid, answer, sent_at, self.clock(), duration)
        self.final_record.write(entry.key, sent, delivery.time_left)
        log.info(
            "a send with an unknown outcome was found at the vendor and recorded",
            extra={"event": LogEvent.SEND_SETTLED, "message_sid": sid, "looks": entry.looks},
        )

    def _count_look(self, entry: Entry) -> None:
        try:
            self.conversations.count_look(entry.key, entry)
        except ConditionFailed as found:
            raise SendOutcomePending("settled_elsewhere", Step.SETTLE, retry_after=0) from found
