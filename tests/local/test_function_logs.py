"""Reading the function's log as it grows, from an embedded AWS."""

import time
import uuid

from local.aws import Aws
from local.function_logs import LogTail

MORE_THAN_AN_ANSWER = 10_050
"""The embedded AWS gives 10,000 events at most, and does not tell that there are more."""
IN_A_CALL = 5_000


def _write(aws: Aws, group: str, lines: list[str], since: int) -> None:
    events = [
        {"timestamp": 1000 * (since + second), "message": line} for second, line in enumerate(lines)
    ]
    aws.logs.put_log_events(
        logGroupName=group,
        logStreamName="one",
        logEvents=events,  # type: ignore[arg-type]  # built as the call takes them
    )


def test_every_line_is_read_once(embedded_aws: Aws) -> None:
    """However many lines have come, one a second, each is read, in its order, and not again."""
    group, now = uuid.uuid4().hex, int(time.time())
    embedded_aws.logs.create_log_group(logGroupName=group)
    embedded_aws.logs.create_log_stream(logGroupName=group, logStreamName="one")
    tail = LogTail(embedded_aws, group)
    written = [str(number) for number in range(MORE_THAN_AN_ANSWER)]
    for start in range(0, len(written), IN_A_CALL):
        part = written[start : start + IN_A_CALL]
        _write(embedded_aws, group, part, now - MORE_THAN_AN_ANSWER + start)
    assert written == [line.text for line in tail.new_lines()]
    _write(embedded_aws, group, ["another"], now)
    assert ["another"] == [line.text for line in tail.new_lines()]
