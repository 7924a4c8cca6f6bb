"""Metrics that an embedded AWS has collected."""

from datetime import UTC, datetime, timedelta

from local.aws import Aws

SPAN = timedelta(days=1)
"""How long before and after now data points are looked for."""


def metric_sum(aws: Aws, namespace: str, metric: str, **dimensions: str) -> float:
    now = datetime.now(UTC)
    points = aws.cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=now - SPAN,
        EndTime=now + SPAN,
        Period=int(2 * SPAN.total_seconds()),
        Statistics=["Sum"],
    )["Datapoints"]
    return sum(point["Sum"] for point in points)
