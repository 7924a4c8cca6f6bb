"""Reading the function's log as it grows, from an embedded AWS."""

import time
import uuid

import pytest

from local.aws import Aws
from local.function_logs import LogTail

MORE_THAN_AN_ANSWER = 10_050
"""The embedded AWS gives 10,000 events at most, and does not tell that there are more."""
IN_A_CALL = 5_000


class Written:
    """A log group with one stream, to which lines are written."""

    def __init__(self, aws: Aws) -> None:
        self._logs = aws.logs
        self.name = uuid.uuid4().hex
        aws.logs.create_log_group(logGroupName=self.name)
        aws.logs.create_log_stream(logGroupName=self.name, logStreamName="one")

    def write(self, lines: list[str], *, first_at: int, apart: int) -> None:
        """Log lines whose times, in milliseconds, are so far apart."""
        for start in range(0, len(lines), IN_A_CALL):
            events = [
                {"timestamp": first_at + apart * (start + number), "message": line}
                for number, line in enumerate(lines[start : start + IN_A_CALL])
            ]
            self._logs.put_log_events(
                logGroupName=self.name,
                logStreamName="one",
                logEvents=events,  # type: ignore[arg-type]  # built as the call takes them
            )


@pytest.mark.parametrize("apart", [1, 1_000])
def test_every_line_is_read_once(embedded_aws: Aws, apart: int) -> None:
    """However many lines have come, and how close, each is read, in its order, and not again."""
    group, now = Written(embedded_aws), int(time.time()) * 1_000
    tail = LogTail(embedded_aws, group.name)
    written = [str(number) for number in range(MORE_THAN_AN_ANSWER)]
    group.write(written, first_at=now - apart * MORE_THAN_AN_ANSWER, apart=apart)
    assert written == [line.text for line in tail.new_lines()]
    group.write(["another"], first_at=now, apart=apart)
    assert ["another"] == [line.text for line in tail.new_lines()]
