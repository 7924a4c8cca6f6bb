"""Alarms over metric math, for an embedded AWS that fails a deployment over one.

They are deployed there without their expression: they stand in the template's other resources'
references and in lists, and never go off. The tests evaluate them.
"""

import json
from pathlib import Path
from typing import Any

UNEVALUATED = {
    "Namespace": "LocalCloud/NotEvaluated",
    "MetricName": "MetricMath",
    "Statistic": "Sum",
    "Period": 60,
}
"""A metric without data."""


def set_aside(assembly: Path) -> None:
    """Take the metric math out of an assembly's templates.

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
            _set_aside(alarm)
        if alarms:
            path.write_text(json.dumps(template, indent=1), "utf-8")


def _set_aside(alarm: dict[str, Any]) -> None:
    del alarm["Metrics"]
    alarm |= UNEVALUATED
