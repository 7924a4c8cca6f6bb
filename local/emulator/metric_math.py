"""Alarms over metric math, which make a deployment to the embedded AWS fail.

They are deployed without their expression, so that references to them resolve; they never go off.
The tests evaluate them.
"""

import json
from pathlib import Path

METRIC_WITHOUT_DATA = {
    "Namespace": "LocalCloud/NotEvaluated",
    "MetricName": "MetricMath",
    "Statistic": "Sum",
    "Period": 60,
}


def replace_metric_math(assembly: Path) -> None:
    """Replace the metric math of an assembly's templates by a metric without data.

    Args:
        assembly: the directory; its templates are rewritten.
    """
    for path in assembly.glob("*.template.json"):
        template = json.loads(path.read_text("utf-8"))
        alarms = [
            resource["Properties"]
            for resource in template.get("Resources", {}).values()
            if resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"]
        ]
        for alarm in alarms:
            del alarm["Metrics"]
            alarm.update(METRIC_WITHOUT_DATA)
        if alarms:
            path.write_text(json.dumps(template, indent=1), "utf-8")
