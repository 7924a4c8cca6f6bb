"""Log lines in CloudWatch's embedded metric format, read as CloudWatch Logs reads them.

The embedded AWS keeps them as log lines only. The format:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local.errors import LocalCloudError

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDatumTypeDef


def embedded_metrics(fields: dict[str, Any]) -> Iterator[tuple[str, list["MetricDatumTypeDef"]]]:
    """Read the metrics out of a log line.

    Args:
        fields: the line's JSON object; one that holds no metrics yields nothing.

    Yields:
        A namespace, and what there is to put into it.

    Raises:
        LocalCloudError: the line promises a metric or a dimension that it does not hold.
    """
    if "_aws" not in fields:
        return
    try:
        moment = datetime.fromtimestamp(fields["_aws"]["Timestamp"] / 1000, UTC)
        for directive in fields["_aws"]["CloudWatchMetrics"]:
            yield directive["Namespace"], list(_data(directive, fields, moment))
    except (KeyError, TypeError) as error:
        message = f"a line in the embedded metric format lacks what it promises: {error}"
        raise LocalCloudError(message) from error


def _data(
    directive: dict[str, Any], fields: dict[str, Any], moment: datetime
) -> Iterator["MetricDatumTypeDef"]:
    for names in directive["Dimensions"]:
        for metric in directive["Metrics"]:
            value = fields[metric["Name"]]
            yield {
                "MetricName": metric["Name"],
                "Unit": metric.get("Unit", "None"),
                "Dimensions": [{"Name": name, "Value": fields[name]} for name in names],
                "Timestamp": moment,
                "Values": [float(each) for each in (value if isinstance(value, list) else [value])],
            }
