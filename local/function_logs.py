"""The deployed function's log, read as it grows."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.aws import Aws

if TYPE_CHECKING:
    from mypy_boto3_logs.type_defs import FilteredLogEventTypeDef

MOST_EVENTS = 10_000
"""That one answer holds:
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html"""


@dataclass(frozen=True)
class LogLine:
    """One event of a log group.

    Attributes:
        timestamp: milliseconds since the epoch.
        text: the line as logged.
        stream: the log stream; the embedded AWS gives each invocation one of its own.
    """

    timestamp: int
    text: str
    stream: str

    @property
    def fields(self) -> dict[str, Any]:
        """The line's JSON object; empty for any other line, such as the platform's own."""
        try:
            fields = json.loads(self.text)
        except ValueError:
            return {}
        return fields if isinstance(fields, dict) else {}


class LogTail:
    """Reads a log group's events, each once, oldest first.

    The embedded AWS stamps the lines of an invocation when it returns, and shows them at once: only
    its last few seconds are read again.

    Args:
        aws: where the log group is.
        log_group: its name.
    """

    _LATEST_ARRIVAL_MS = 15 * 1000

    def __init__(self, aws: Aws, log_group: str) -> None:
        self._logs = aws.logs
        self._log_group = log_group
        self._newest = 0
        self._seen: set[tuple[str, int, int]] = set()

    def new_lines(self) -> list[LogLine]:
        """What has come since the last call."""
        since = max(0, self._newest - self._LATEST_ARRIVAL_MS)
        self._forget(since)
        lines: list[LogLine] = []
        while True:
            events = self._events(since)
            lines += self._unseen(events)
            if len(events) < MOST_EVENTS:
                return lines
            since = max(since + 1, events[-1]["timestamp"])  # there may be more, untold

    def _events(self, since: int) -> list["FilteredLogEventTypeDef"]:
        pages = self._logs.get_paginator("filter_log_events").paginate(
            logGroupName=self._log_group, startTime=since
        )
        return [event for page in pages for event in page["events"]]

    def _unseen(self, events: list["FilteredLogEventTypeDef"]) -> Iterator[LogLine]:
        # The embedded AWS gives events no id: stream, time and rank among equals stand for one.
        ranks: Counter[tuple[str, int]] = Counter()
        for event in events:
            moment = (event["logStreamName"], event["timestamp"])
            identity = (*moment, ranks[moment])
            ranks[moment] += 1
            if identity not in self._seen:
                self._seen.add(identity)
                self._newest = max(self._newest, event["timestamp"])
                yield LogLine(event["timestamp"], event["message"], event["logStreamName"])

    def _forget(self, before: int) -> None:
        self._seen = {identity for identity in self._seen if identity[1] >= before}
