"""Settling unknown sends: found at the vendor, or declared unknown; never sent again."""

import logging
from dataclasses import dataclass

from lambda_src.core.attribution import own_sid
from lambda_src.core.context import ContextObject
from lambda_src.core.contract import LogEvent, Status
from lambda_src.core.delivery import Delivery
from lambda_src.core.drafting import with_secret
from lambda_src.core.errors import PermanentFailure, Step, TransientFailure
from lambda_src.core.final_record import FinalRecord
from lambda_src.core.ledger import ConditionFailed, Entry, Failure, Intent, SentRecord
from lambda_src.core.message import Answer, OutgoingMessage
from lambda_src.core.ports import Clock, Conversations, Credentials, Secrets, Sender
from lambda_src.core.receives import Receives
from lambda_src.core.send_errors import SendDeclaredUnknown, SendOutcomePending
from lambda_src.core.telling import tell, tell_unwritten
from lambda_src.core.timing import SKEW_SECONDS, Timing
from lambda_src.core.unforeseen import under_way

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settlement:
    """Looks for a message at the vendor, a few times with growing delays."""

    conversations: Conversations
    secrets: Secrets
    sender: Sender
    receives: Receives
    final_record: FinalRecord
    clock: Clock
    timing: Timing

    @under_way(Step.SETTLE)
    def settle(self, delivery: Delivery, context: ContextObject, entry: Entry) -> None:
        """Settle a record found `sending`; returns once its sid is recorded, by whomever.

        Raises:
            SendOutcomePending: To be looked for again later.
            SendDeclaredUnknown: Looked for often enough; recorded as `send_unknown`.
            ProcessingError: The vendor or the table did not answer.
        """
        is_last = self.receives.is_last(delivery)
        if not is_last:
            self._await_its_time(entry)
        sid = self._look(delivery, context, entry, is_last=is_last)
        if sid and entry.answer:
            self._record(delivery, entry, entry.answer, sid)
        elif is_last or entry.looks >= len(self.timing.settle_delays):
            self._declare_unknown(delivery, entry)
        else:
            self._look_again(entry)

    def _await_its_time(self, entry: Entry) -> None:
        # By the clock and not by deliveries: a duplicate on the queue must not hasten the looks.
        deadline = entry.intent.deadline if entry.intent else 0.0
        rest = deadline + sum(self.timing.settle_delays[: entry.looks]) - self.clock()
        if rest > 0:
            raise SendOutcomePending("not_yet_looked_for", Step.SETTLE, again_in=rest)

    def _look(
        self, delivery: Delivery, context: ContextObject, entry: Entry, *, is_last: bool
    ) -> str | None:
        try:
            return self._find(delivery, context, entry)
        except Exception as error:
            if is_last:  # whatever went wrong, no look is to come
                return None
            if isinstance(error, PermanentFailure):
                # What is wrong with a secret can be mended; what became of the send stays open.
                raise SendOutcomePending(
                    error.code, Step.SETTLE, error.detail, alarm=error.alarm
                ) from error
            raise

    def _find(self, delivery: Delivery, context: ContextObject, entry: Entry) -> str | None:
        if not entry.answer or not entry.intent:
            return None
        sids = self._listed(delivery, context, entry.answer, entry.intent)
        if not sids:
            return None
        return own_sid(sids, entry, self.conversations.others(entry.key))

    def _listed(
        self, delivery: Delivery, context: ContextObject, answer: Answer, intent: Intent
    ) -> tuple[str, ...]:
        message = OutgoingMessage(
            context.sender, context.recipient, body=answer.text, variables=answer.variables
        )

        def credentials(fresh: bool) -> Credentials:  # noqa: FBT001 - as it is called with
            if delivery.time_left() < self.timing.look_reserve:
                raise TransientFailure("out_of_time", Step.SETTLE, again_in=0)
            return self.secrets.credentials(context.credentials_reference, fresh=fresh)

        return with_secret(
            credentials,
            lambda credentials: self.sender.find(
                credentials, message, since=intent.at - SKEW_SECONDS
            ),
        )

    def _record(self, delivery: Delivery, entry: Entry, answer: Answer, sid: str) -> None:
        sent_at = entry.intent.at if entry.intent else self.clock()
        duration = round(max(0.0, sent_at - entry.created_at) * 1000)
        sent = SentRecord(sid, answer, sent_at, self.clock(), duration)
        self.final_record.write(entry.key, sent, delivery.time_left)
        log.info(
            "a send with an unknown outcome was found at the vendor and recorded",
            extra={"event": LogEvent.SEND_SETTLED, "message_sid": sid, "looks": entry.looks},
        )

    def _look_again(self, entry: Entry) -> None:
        try:
            self.conversations.count_look(entry.key, entry)
        except ConditionFailed as found:
            _settled_elsewhere(found)
        else:
            raise SendOutcomePending(
                "not_listed_yet", Step.SETTLE, again_in=self.timing.settle_delays[entry.looks]
            )

    def _declare_unknown(self, delivery: Delivery, entry: Entry) -> None:
        unknown = SendDeclaredUnknown(
            "not_found_at_vendor", Step.SETTLE, fields={"looks": entry.looks}
        )
        tell(unknown, delivery)
        failure = Failure(Status.SEND_UNKNOWN, unknown.code, unknown.step, "", self.clock())
        try:
            self.conversations.declare_unknown(entry.key, failure, entry)
        except ConditionFailed as found:
            _settled_elsewhere(found)
        except Exception as error:
            # The record stays `sending`: a delivery that is still to come declares it again.
            tell_unwritten(error)
            raise unknown from error
        else:
            raise unknown


def _settled_elsewhere(found: ConditionFailed) -> None:
    """Return if another delivery recorded the message as sent.

    Raises:
        ProcessingError: It came to another end.
    """
    if found.entry is None or found.entry.status is not Status.SENT:
        raise SendOutcomePending("settled_elsewhere", Step.SETTLE, again_in=0) from found
