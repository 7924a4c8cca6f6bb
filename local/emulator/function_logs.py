"""The deployed functions' logs, read as they grow."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from local.aws import Aws
from local.emulator.feed import fetch
from local.emulator.ministack_process import FAILED_START, LOG_PATH, MAX_LINES


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
    """Reads each line of a log group once, in the order in which they were stored.

    Args:
        aws: where the log group is.
        log_group: its name.
        position: the position of the first line to be read; `Changes.log_end` for later lines only.

    Attributes:
        log_group: as given.
        position: the position of the next line to be read; those of a log group count from 0.
        dropped: the number of lines that the embedded AWS had dropped before they were read.
    """

    def __init__(self, aws: Aws, log_group: str, position: int = 0) -> None:
        self.log_group = log_group
        self.position = position
        self.dropped = 0
        self._aws = aws

    def new_lines(self) -> list[LogLine]:
        """Return the lines that have been added since the last call."""
        found: list[LogLine] = []
        while True:
            page = fetch(self._aws, LOG_PATH, group=self.log_group, after=self.position)
            lines = page["lines"]
            self.dropped += page["first"] - self.position
            self.position = page["first"] + len(lines)
            found += [LogLine(timestamp, text, stream) for timestamp, stream, text in lines]
            if len(lines) < MAX_LINES:
                return found
