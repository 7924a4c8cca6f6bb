"""Tracking a queue message until the channel has finished with it."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from lambda_src.core import LogEvent, RecordKey
from local.channel import Channel, record_key
from ops.conversations import poll

POLL_SECONDS = 0.2


class MessageState(Enum):
    """Where a message is."""

    IN_PROGRESS = "in progress"
    AWAITING_RETRY = "waiting for a retry"
    SENT = "sent"
    ALREADY_SENT = "acknowledged: a message of its conversation had been sent before"
    HELD = "held: its draft waits for an operator (python -m ops approvals list --local)"
    DEAD_LETTER = "in the dead-letter queue"
    NOT_STARTED = "not processed, because the function cannot start"

    @property
    def is_final(self) -> bool:
        """Whether the state does not change any more without an operator."""
        return self not in {MessageState.IN_PROGRESS, MessageState.AWAITING_RETRY}


FINAL_EVENTS = {
    LogEvent.MESSAGE_SENT: MessageState.SENT,
    LogEvent.SEND_SETTLED: MessageState.SENT,
    LogEvent.ALREADY_PROCESSED: MessageState.ALREADY_SENT,
    LogEvent.DRAFT_HELD: MessageState.HELD,
}
"""The log events of a delivery after which the message is deleted from the queue."""


@dataclass(frozen=True)
class Failure:
    """Why a delivery failed, as the function logged it.

    Attributes:
        code: the stable failure code.
        step: the step that failed.
        text: the log line's message, which names fields but contains none of their values.
        event: the log line's event.
    """

    code: str
    step: str
    text: str
    event: str


@dataclass(frozen=True)
class MessageStatus:
    """A message at one moment.

    Attributes:
        state: where it is.
        failure: the latest delivery's, if it failed.
        deliveries: number of deliveries that the function has logged a result of.
        record: its conversation's record; empty if there is none.
    """

    state: MessageState
    failure: Failure | None
    deliveries: int
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """Why the latest delivery failed, in the log's words; empty if it did not."""
        return self.failure.text if self.failure else ""


class MessageTracker:
    """Tracks one message.

    Args:
        channel: the channel that it was sent to.
        message_id: the queue message's id.
        key: its conversation's record, if the body contains the key.

    Attributes:
        message_id: as given.
        key: as given.
    """

    def __init__(self, channel: Channel, message_id: str, key: RecordKey | None) -> None:
        self.message_id = message_id
        self._channel = channel
        self.key = key
        self._since = time.time()
        self._last: tuple[int, MessageStatus] | None = None

    @classmethod
    def send(cls, channel: Channel, body: str) -> "MessageTracker":
        """Send a context object and track it."""
        return cls(channel, channel.send(body), record_key(body, channel.addressing))

    def status(self) -> MessageStatus:
        """Return the message's status now."""
        self._last = None
        return self._poll()

    def poll(self, seconds: float) -> Iterator[MessageStatus]:
        """Yield the status repeatedly until it is final or the time is over."""
        return poll(self._poll, lambda status: status.state.is_final, seconds, POLL_SECONDS)

    def wait(self, seconds: float) -> MessageStatus:
        """Return the final status, or the last one when the time is over."""
        *_, last = self.poll(seconds)
        return last

    def _poll(self) -> MessageStatus:
        """Return the status, with a record as new as the latest log line about the message."""
        lines = self._channel.log_of(self.message_id)
        failures = [_failure(fields) for fields in lines if "failure_code" in fields]
        ends = [FINAL_EVENTS[each["event"]] for each in lines if each.get("event") in FINAL_EVENTS]
        if not lines and (error := self._channel.failed_start(self._since)):
            failure = Failure(code="function_not_started", step="start", text=error, event="")
            return MessageStatus(MessageState.NOT_STARTED, failure, deliveries=0)
        state = ends[0] if ends else self._unfinished_state(failures)
        if self._last and self._last[0] == len(lines) and self._last[1].state is state:
            return self._last[1]
        status = MessageStatus(
            state=state,
            failure=_root_failure(failures) if failures and not ends else None,
            deliveries=len(failures) + len(ends),
            record=self._channel.record(self.key) if self.key else {},
        )
        self._last = len(lines), status
        return status

    def _unfinished_state(self, failures: Sequence[Failure]) -> MessageState:
        if self.message_id in self._channel.dead_letters():
            return MessageState.DEAD_LETTER
        return MessageState.AWAITING_RETRY if failures else MessageState.IN_PROGRESS


def _failure(fields: dict[str, Any]) -> Failure:
    return Failure(
        code=fields["failure_code"],
        step=fields.get("failure_step", ""),
        text=fields["message"],
        event=fields["event"],
    )


def _root_failure(failures: Sequence[Failure]) -> Failure:
    """Return the latest failure, other than those of deliveries that only repeat an earlier one."""
    own = [failure for failure in failures if failure.event != LogEvent.ALREADY_ENDED]
    return (own or failures)[-1]
