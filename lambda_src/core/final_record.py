"""The final write: the sid is the truth, and it must get into the record."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from lambda_src.core.context import RecordKey
from lambda_src.core.contract import Status
from lambda_src.core.errors import ProcessingError, Step
from lambda_src.core.ledger import ConditionFailed, SentRecord
from lambda_src.core.persistence import write_while_time_allows
from lambda_src.core.ports import Conversations
from lambda_src.core.send_errors import FinalUpdateFailed


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
            write_while_time_allows(
                lambda: self.conversations.record_sent(key, sent),
                time_left=time_left,
                sleep=self.sleep,
            )
        except ConditionFailed as found:
            if not found.entry or found.entry.sid != sent.sid:
                raise _failed("record_not_sending", sent) from found
        except ProcessingError as error:
            raise _failed(error.code, sent) from error
        except Exception as error:
            raise _failed("unexpected_error", sent) from error


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
