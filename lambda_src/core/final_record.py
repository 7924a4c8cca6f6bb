"""The final write: the sid is the truth, and it must get into the record."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from lambda_src.core.context import RecordKey
from lambda_src.core.contract import Status
from lambda_src.core.errors import FinalUpdateFailed, LedgerUnavailable, ProcessingError, Step
from lambda_src.core.ledger import ConditionFailed, SentRecord
from lambda_src.core.ports import Conversations

log = logging.getLogger(__name__)

LAST_CALL_SECONDS = 2.0
"""The time left in which no further try is begun."""


@dataclass(frozen=True, slots=True)
class FinalRecord:
    """Writes what was sent, again and again while time allows."""

    conversations: Conversations
    sleep: Callable[[float], None] = time.sleep

    def write(self, key: RecordKey, sent: SentRecord, time_left: Callable[[], float]) -> None:
        """Record a sent message.

        Raises:
            FinalUpdateFailed: It could not be written; carries what should have been.
        """
        try:
            self._write_while_time_allows(key, sent, time_left)
        except ConditionFailed as found:
            if not found.entry or found.entry.sid != sent.sid:
                raise _failed("record_not_sending", sent) from found
        except ProcessingError as error:
            raise _failed(error.code, sent) from error
        except Exception as error:
            raise _failed("unexpected_error", sent) from error

    def _write_while_time_allows(
        self, key: RecordKey, sent: SentRecord, time_left: Callable[[], float]
    ) -> None:
        def is_over(state: RetryCallState) -> bool:
            return time_left() - state.upcoming_sleep < LAST_CALL_SECONDS

        retrying = Retrying(
            sleep=self.sleep,
            retry=retry_if_exception_type(LedgerUnavailable),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            stop=is_over,
            reraise=True,
        )
        retrying(self.conversations.record_sent, key, sent)


def _failed(code: str, sent: SentRecord) -> FinalUpdateFailed:
    usage = sent.answer.usage
    return FinalUpdateFailed(
        code,
        Step.RECORD,
        fields={
            "conversation_status": str(Status.SENT),
            "message_sid": sent.sid,
            "thread_id": sent.answer.thread_id,
            "message_id": sent.answer.message_id,
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
            "initial_processing_time_ms": sent.processing_time_ms,
        },
    )
