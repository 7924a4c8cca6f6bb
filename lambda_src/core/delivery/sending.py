"""Sending at most once: the intent before, one request, and the vendor id recorded after it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from secrets import token_urlsafe

from lambda_src.core import time_budget
from lambda_src.core.contract import LogEvent, Metric, Status, Step
from lambda_src.core.deadlines import retry_until_deadline
from lambda_src.core.errors import (
    CredentialsRefused,
    FinalUpdateFailed,
    ProcessingError,
    SendOutcomeUnknown,
    TransientFailure,
    safe_traceback,
)
from lambda_src.core.ledger import ConditionFailed, Intent, Lease, LeaseManager, SentRecord
from lambda_src.core.models import (
    Answer,
    ContextObject,
    Delivery,
    OutgoingMessage,
    RecordKey,
    callback_path,
)
from lambda_src.core.ports import Clock, Credentials, Metrics, Secrets, Sender

INTENT_ID_BYTES = 16


def outgoing_message(
    context: ContextObject,
    answer: Answer,
    intent: Intent,
    template_id: str | None = None,
    status_callback: str = "",
) -> OutgoingMessage:
    """Return the message that is sent with an intent."""
    return OutgoingMessage(
        context.sender,
        context.recipient,
        body=answer.text,
        template_id=template_id or "",
        variables=answer.variables,
        status_callback=status_callback,
        conversation_id=context.key.conversation_id,
        intent_id=intent.id,
        tenant=context.tenant,
        company_name=context.company_name,
        channel_config=context.channel_config,
    )


@dataclass(frozen=True, slots=True)
class AtMostOnceSender:
    """The three steps of a send: record the intent, send once, record the vendor id.

    `callback_base_url` is where the vendor reports the delivery; empty: no report is requested.
    """

    leases: LeaseManager
    secrets: Secrets
    sender: Sender
    metrics: Metrics
    clock: Clock
    times: time_budget.TimeBudget
    sleep: Callable[[float], None] = time.sleep
    stopwatch: Callable[[], float] = time.perf_counter
    callback_base_url: str = ""

    def record_intent(self, lease: Lease, answer: Answer, deadline: float) -> Intent:
        """Record that the message is about to be sent.

        Args:
            lease: The conversation's lease.
            answer: Stored by the same write.
            deadline: When Lambda ends the function, in epoch seconds.

        Raises:
            LeaseLost: Another worker holds the lease.
            TransientFailure: Too little time is left for the send and the final write; the answer
                is stored.
        """
        now = self.clock()
        if not self.times.has_time_to_send(deadline - now):
            self.leases.checkpoint_answer(lease, answer)
            raise TransientFailure("out_of_time", Step.SEND, retry_in=0)
        deadline = now + self.times.max_send_duration
        intent = Intent(at=now, deadline=deadline, id=token_urlsafe(INTENT_ID_BYTES))
        self.leases.record_intent(lease, intent, answer)
        return intent

    def send(
        self, context: ContextObject, credentials: Credentials, answer: Answer, intent: Intent
    ) -> str:
        """Send the message whose intent is recorded, and return the vendor id.

        Refused credentials are read again once: a refused request sent nothing. If the secret names
        another template by then, the next delivery decides what becomes of the answer, which was
        written or approved for the old one.

        Raises:
            ProcessingError: Not sent, or not known whether sent.
        """
        try:
            return self._send_once(context, credentials, answer, intent)
        except CredentialsRefused as refused:
            if self._is_too_late(intent):  # neither a second attempt nor a read would be in time
                raise
            fresh = self.secrets.credentials(context.credentials_reference, fresh=True)
            if self._is_too_late(intent):
                raise refused from None
            if fresh.template_id != credentials.template_id:
                raise TransientFailure("template_changed", Step.SEND, retry_in=0) from None
            return self._send_once(context, fresh, answer, intent)

    def _send_once(
        self, context: ContextObject, credentials: Credentials, answer: Answer, intent: Intent
    ) -> str:
        if self._is_too_late(intent):
            raise TransientFailure("stalled_before_send", Step.SEND)
        callback = self._status_callback(context, intent)
        message = outgoing_message(context, answer, intent, credentials.template_id, callback)
        started = self.stopwatch()
        try:
            return self.sender.send(credentials, message)
        except SendOutcomeUnknown as unknown:
            unknown.retry_in = self._until_deadline(intent)
            raise
        except ProcessingError:
            raise
        except Exception as error:
            # Whether an unexpected error came before or after the request was written is unknown.
            raise SendOutcomeUnknown(
                LogEvent.UNEXPECTED_ERROR,
                Step.SEND,
                type(error).__name__,
                retry_in=self._until_deadline(intent),
                fields=safe_traceback(error),
            ) from error
        finally:
            self.metrics.record({Metric.SEND_SECONDS: self.stopwatch() - started})

    def _status_callback(self, context: ContextObject, intent: Intent) -> str:
        if not self.callback_base_url:
            return ""
        path = callback_path(context.channel, context.key.conversation_id, intent.id)
        return f"{self.callback_base_url}{path}"

    def _until_deadline(self, intent: Intent) -> float:
        # The next delivery reconciles after this sender must have given up.
        return max(0.0, intent.deadline - self.clock())

    def _is_too_late(self, intent: Intent) -> bool:
        return self.clock() > intent.at + time_budget.MAX_SEND_DELAY_SECONDS

    def record_sent(self, key: RecordKey, sent: SentRecord, delivery: Delivery) -> None:
        """Record the vendor id, which is written under any lease, since the message was sent.

        Raises:
            FinalUpdateFailed: It could not be written; contains what should have been.
        """
        try:
            retry_until_deadline(
                partial(self.leases.store.record_sent, key, sent),
                deadline=delivery.deadline,
                clock=self.clock,
                sleep=self.sleep,
            )
        except ConditionFailed as failed:
            if not failed.record or failed.record.vendor_id != sent.vendor_id:
                raise _final_update_failed("record_not_sending", sent) from failed
        except ProcessingError as error:
            raise _final_update_failed(error.code, sent) from error
        except Exception as error:
            raise _final_update_failed("unexpected_error", sent) from error


def _final_update_failed(code: str, sent: SentRecord) -> FinalUpdateFailed:
    usage = sent.answer.usage
    return FinalUpdateFailed(
        code,
        Step.RECORD,
        fields={
            "conversation_status": str(Status.SENT),
            "message_sid": sent.vendor_id,
            "thread_id": sent.answer.thread_id,
            "response_id": sent.answer.message_id,
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
            "initial_processing_time_ms": sent.processing_time_ms,
        },
    )
