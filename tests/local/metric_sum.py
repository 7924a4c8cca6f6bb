"""What CloudWatch has counted, on an embedded AWS."""

from datetime import UTC, datetime, timedelta

from local.aws import Aws

LONGEST = timedelta(days=1)
"""Before now, and behind it, that data points are looked for."""


def metric_sum(aws: Aws, namespace: str, metric: str, **dimensions: str) -> float:
    """The sum of all data points of a metric."""
    now = datetime.now(UTC)
    points = aws.cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=now - LONGEST,
        EndTime=now + LONGEST,
        Period=int(2 * LONGEST.total_seconds()),
        Statistics=["Sum"],
    )["Datapoints"]
    return sum(point["Sum"] for point in points)
