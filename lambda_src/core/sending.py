"""Sending once: announced first, in time, and with credentials that may have been renewed."""

from collections.abc import Callable
from dataclasses import dataclass

from lambda_src.core import timing
from lambda_src.core.claims import Claims
from lambda_src.core.context import ContextObject
from lambda_src.core.contract import LogEvent
from lambda_src.core.errors import CredentialsRefused, ProcessingError, Step, TransientFailure
from lambda_src.core.ledger import Claim, Intent
from lambda_src.core.message import Answer, OutgoingMessage
from lambda_src.core.ports import Clock, Credentials, Secrets, Sender
from lambda_src.core.send_errors import SendOutcomeUnknown
from lambda_src.core.timing import Timing
from lambda_src.core.unforeseen import place_of, under_way


@dataclass(frozen=True, slots=True)
class Sending:
    """The intent, and the one request that may follow it."""

    claims: Claims
    secrets: Secrets
    sender: Sender
    clock: Clock
    timing: Timing

    @under_way(Step.SEND)
    def announce(self, claim: Claim, answer: Answer, time_left: Callable[[], float]) -> Intent:
        """Write down that the message is about to be sent.

        Raises:
            LeaseLost: The conversation is another worker's by now.
            TransientFailure: There is no time left for the send and its record; the answer is kept.
        """
        if time_left() < self.timing.send_reserve:
            self.claims.keep_answer(claim, answer)
            raise TransientFailure("out_of_time", Step.SEND, again_in=0)
        now = self.clock()
        intent = Intent(at=now, deadline=now + self.timing.send_span)
        self.claims.announce(claim, intent, answer)
        return intent

    @under_way(Step.SEND)
    def send(
        self,
        context: ContextObject,
        credentials: Credentials,
        answer: Answer,
        intent: Intent,
    ) -> str:
        """Send the announced message and return its sid.

        Credentials that the vendor refuses are read anew once: a refused request sent nothing.

        Raises:
            ProcessingError: Not sent, or not known whether sent.
        """
        try:
            return self._send_in_time(context, credentials, answer, intent)
        except CredentialsRefused as refused:
            if self._is_stalled(intent):  # no second try, and no time for a secret
                raise
            fresh = self.secrets.credentials(context.credentials_reference, fresh=True)
            if self._is_stalled(intent):
                raise refused from None
            return self._send_in_time(context, fresh, answer, intent)

    def _send_in_time(
        self,
        context: ContextObject,
        credentials: Credentials,
        answer: Answer,
        intent: Intent,
    ) -> str:
        if self._is_stalled(intent):
            raise TransientFailure("stalled_before_send", Step.SEND)
        message = OutgoingMessage(
            context.sender,
            context.recipient,
            body=answer.text,
            template_sid=credentials.template_sid or "",
            variables=answer.variables,
        )
        try:
            return self.sender.send(credentials, message)
        except SendOutcomeUnknown as unknown:
            unknown.again_in = self._rest(intent)
            raise
        except ProcessingError:
            raise
        except Exception as error:
            # Nobody foresaw it, so nobody knows whether the request went out.
            raise SendOutcomeUnknown(
                LogEvent.UNEXPECTED_ERROR,
                Step.SEND,
                type(error).__name__,
                again_in=self._rest(intent),
                fields=place_of(error),
            ) from error

    def _rest(self, intent: Intent) -> float:
        # The next delivery settles it, once this sender must have given up.
        return max(0.0, intent.deadline - self.clock())

    def _is_stalled(self, intent: Intent) -> bool:
        return self.clock() > intent.at + timing.STALL_SECONDS
