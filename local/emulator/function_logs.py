"""The deployed function's log, read as it grows."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from local.aws import Aws
from local.emulator.ministack_process import FAILED_START

if TYPE_CHECKING:
    from mypy_boto3_logs.type_defs import FilteredLogEventTypeDef

MAX_EVENTS = 10_000
"""Events in one response:
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html"""
OVERLAP_MS = 60_000
"""The embedded AWS gives an invocation's lines the time of its end, but stores those of concurrent
invocations in another order, and on a busy machine seconds later."""


@dataclass(frozen=True)
class LogLine:
    """One event of a log group.

    Attributes:
        timestamp: milliseconds since the epoch.
        text: the line as logged.
        stream: the log stream; the embedded AWS creates one for each invocation.
    """

    timestamp: int
    text: str
    stream: str

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The line's JSON object; empty for any other line, such as the platform's own."""
        try:
            fields = json.loads(self.text)
        except ValueError:
            return {}
        return fields if isinstance(fields, dict) else {}

    @property
    def failed_start(self) -> str:
        """Why a function could not start, as Lambda's runtime logs it; empty for other lines."""
        is_start = self.fields.get("errorType") == FAILED_START
        return str(self.fields["errorMessage"]) if is_start else ""


class LogReader:
    """Reads each event of a log group once, oldest first.

    Args:
        aws: where the log group is.
        log_group: its name.
    """

    def __init__(self, aws: Aws, log_group: str) -> None:
        self._logs = aws.logs
        self._log_group = log_group
        self._newest = 0
        self._seen: set[tuple[str, int, int]] = set()

    def new_lines(self) -> list[LogLine]:
        """Return the lines that have been added since the last call."""
        since = max(0, self._newest - OVERLAP_MS)
        self._seen = {identity for identity in self._seen if identity[1] >= since}
        lines: list[LogLine] = []
        while True:
            events = self._events(since)
            lines += self._unseen(events)
            if len(events) < MAX_EVENTS:
                return lines
            since = max(since + 1, events[-1]["timestamp"])  # the response may be incomplete

    def _events(self, since: int) -> list["FilteredLogEventTypeDef"]:
        pages = self._logs.get_paginator("filter_log_events").paginate(
            logGroupName=self._log_group, startTime=since
        )
        return [event for page in pages for event in page["events"]]

    def _unseen(self, events: list["FilteredLogEventTypeDef"]) -> Iterator[LogLine]:
        # The embedded AWS's events have no id: stream, time and position among equals identify one.
        positions: Counter[tuple[str, int]] = Counter()
        for event in events:
            place = (event["logStreamName"], event["timestamp"])
            identity = (*place, positions[place])
            positions[place] += 1
            if identity not in self._seen:
                self._seen.add(identity)
                self._newest = max(self._newest, event["timestamp"])
                yield LogLine(event["timestamp"], event["message"], event["logStreamName"])
