"""What Lambda tells CloudWatch of a function that its queue calls, and the embedded AWS does not.

It is all in the function's log: the platform's report of each call, and the runtime's first and
last line. Under load the embedded AWS finds a call's last lines only with the next one's, so they
are told apart by their own time, and not by their streams.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import accumulate
from typing import TYPE_CHECKING

from lambda_src.core.contract import LogEvent
from local.aws import Aws
from local.errors import LocalCloudError
from local.function_logs import LogLine

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDatumTypeDef

REPORT = re.compile(r"REPORT RequestId: \S+\tDuration: (?P<milliseconds>[\d.]+) ms")
CHANGES: dict[str, int] = {LogEvent.BATCH_RECEIVED: 1, LogEvent.BATCH_FINISHED: -1}


def put_calls(aws: Aws, function: str, lines: list[LogLine]) -> None:
    """Put what each call took, and how many were at work at once.

    Args:
        aws: where the data points go.
        function: the function's name.
        lines: its log.

    Raises:
        LocalCloudError: a call did not come to its end.
    """
    for data in (list(_calls(lines)), list(_levels(lines))):
        for datum in data:
            datum["Dimensions"] = [{"Name": "FunctionName", "Value": function}]
        aws.cloudwatch.put_metric_data(Namespace="AWS/Lambda", MetricData=data)


def _calls(lines: list[LogLine]) -> Iterator["MetricDatumTypeDef"]:
    for line in lines:
        if report := REPORT.match(line.text):
            moment = datetime.fromtimestamp(line.timestamp / 1000, UTC)
            yield _datum("Invocations", 1, moment)
            yield _datum("Duration", float(report["milliseconds"]), moment)
            yield _datum("Errors", 0, moment)  # as `_levels` makes sure


def _levels(lines: list[LogLine]) -> Iterator["MetricDatumTypeDef"]:
    """One data point for each change of the number of calls at work."""
    changes = sorted(
        (datetime.fromisoformat(fields["timestamp"]), CHANGES[fields["event"]])
        for fields in (line.fields for line in lines)
        if fields.get("event") in CHANGES
    )
    level = 0
    for (moment, _), level in zip(changes, accumulate(c for _, c in changes), strict=True):
        yield _datum("ConcurrentExecutions", level, moment)
    if level:
        raise LocalCloudError(f"{level} calls of the function did not come to their end")


def _datum(metric: str, value: float, moment: datetime) -> "MetricDatumTypeDef":
    return {"MetricName": metric, "Timestamp": moment, "Value": value}
