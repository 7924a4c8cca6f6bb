"""A queue message's way, followed to its end."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from lambda_src.core.contract import LogEvent
from local.channel import Channel, RecordKey

POLL_SECONDS = 0.2


class Milestone(Enum):
    """How far a message has come."""

    ON_ITS_WAY = "on its way"
    WAITING = "waiting for a retry"
    SENT = "sent"
    SENT_BEFORE = "acknowledged: its conversation's message was sent before"
    DEAD_LETTER = "in the dead-letter queue"

    @property
    def final(self) -> bool:
        """Whether nothing more happens to the message by itself."""
        return self in {Milestone.SENT, Milestone.SENT_BEFORE, Milestone.DEAD_LETTER}


ENDS = {
    LogEvent.MESSAGE_SENT: Milestone.SENT,
    LogEvent.SEND_SETTLED: Milestone.SENT,
    LogEvent.ALREADY_PROCESSED: Milestone.SENT_BEFORE,
}
"""The log events of a delivery after which the queue forgets the message."""


@dataclass(frozen=True)
class Failure:
    """Why a delivery failed, as the function logged it.

    Attributes:
        code: the stable reason.
        step: where on its way.
        text: the log line's message, which names fields but holds none of their values.
    event: the log line's event.
    """

    code: str
    step: str
    text: str
    event: str


@dataclass(frozen=True)
class Sighting:
    """What could be seen of a message at one moment.

    Attributes:
        milestone: how far it has come.
        record: its conversation's record; empty while there is none.
        failure: the latest delivery's, if it failed.
        deliveries: how often the function has reported on it.
    """

    milestone: Milestone
    record: dict[str, Any]
    failure: Failure | None
    deliveries: int

    @property
    def reason(self) -> str:
        """Why the latest delivery failed, in the log's words; empty if it did not."""
        return self.failure.text if self.failure else ""


class Journey:
    """One message, from the queue to its end.

    Args:
        channel: the channel that it was sent to.
        message_id: the queue message's id.
        key: its conversation's record, where the body tells it.
    """

    def __init__(self, channel: Channel, message_id: str, key: RecordKey | None) -> None:
        self.message_id = message_id
        self._channel = channel
        self._key = key

    @classmethod
    def begin(cls, channel: Channel, body: str) -> "Journey":
        """Send a context object."""
        return cls(channel, channel.send(body), RecordKey.of(body))

    def sighting(self) -> Sighting:
        """How far the message has come by now."""
        lines = self._channel.log_of(self.message_id)
        failures = [_failure(fields) for fields in lines if "failure_code" in fields]
        ends = [ENDS[fields["event"]] for fields in lines if fields.get("event") in ENDS]
        return Sighting(
            milestone=ends[0] if ends else self._unfinished_milestone(failures),
            record=self._channel.record(self._key) if self._key else {},
            failure=_cause(failures) if failures and not ends else None,
            deliveries=len(failures) + len(ends),
        )

    def sightings(self, seconds: float) -> Iterator[Sighting]:
        """Look again and again, until the message's end or until the time is over."""
        deadline = time.monotonic() + seconds
        while True:
            sighting = self.sighting()
            yield sighting
            if sighting.milestone.final or time.monotonic() > deadline:
                return
            time.sleep(POLL_SECONDS)

    def end(self, seconds: float) -> Sighting:
        """The last sighting: the message's end, or where it was when the time was over."""
        *_, last = self.sightings(seconds)
        return last

    def _unfinished_milestone(self, failures: Sequence[Failure]) -> Milestone:
        if self.message_id in self._channel.dead_letters():
            return Milestone.DEAD_LETTER
        return Milestone.WAITING if failures else Milestone.ON_ITS_WAY


def _failure(fields: dict[str, Any]) -> Failure:
    return Failure(
        code=fields["failure_code"],
        step=fields.get("failure_step", ""),
        text=fields["message"],
        event=fields["event"],
    )


def _cause(failures: Sequence[Failure]) -> Failure:
    """The latest failure that is one of its own; later deliveries may only refer to it."""
    own = [failure for failure in failures if failure.event != LogEvent.ALREADY_ENDED]
    return (own or failures)[-1]
