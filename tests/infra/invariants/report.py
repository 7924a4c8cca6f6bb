"""What the CDK's report says of the invariants."""

import json
from pathlib import Path
from typing import Any


def told(directory: Path) -> list[dict[str, Any]]:
    """Return what is reported after a synth into a directory, each problem with its places."""
    report = json.loads((directory / "validation-report.json").read_text())
    return [
        violation
        for plugin in report["pluginReports"]
        if plugin["pluginName"] == "Invariants"
        for violation in plugin["violations"]
    ]
