"""What to do next, by what is seen of a channel."""

import re
from collections.abc import Iterator

from lambda_src.core.metric_names import Metric
from ops.sight import Sight

OLD_SECONDS = 900
"""The age at which the alarm about the oldest message goes off."""

_SUBJECT = re.compile(r"Processor(\w+)Alarm-")


def runbook_section(alarm: str) -> str:
    """Where the runbook tells about an alarm: its section is named as the alarm's subject."""
    subject = _SUBJECT.search(alarm)
    return f"docs/runbook.md#{subject[1].lower()}" if subject else "docs/runbook.md"


def next_steps(sight: Sight) -> Iterator[str]:
    """Say what a person does about what is seen, what matters most first."""
    for alarm in sight.alarming:
        yield f"{alarm.name} is on: {runbook_section(alarm.name)}"
    if sight.mapping != "Enabled":
        yield f"the mapping is {sight.mapping}: docs/runbook.md, Pausing"
    if sight.outcomes.get(Metric.MESSAGES_UNKNOWN):
        yield "sends were given up as unknown: unknown list"
    if sight.dead_letters:
        yield f"{sight.dead_letters} dead letters: dlq list"
    if (sight.oldest_seconds or 0) > OLD_SECONDS:
        yield "messages wait for long: docs/runbook.md#oldestmessage"
