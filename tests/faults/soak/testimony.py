"""What the function's log says of a soak, read when all is over.

Not before: the embedded AWS may show an invocation's last lines with the next one of the same
process only. Each line bears its own time.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from lambda_src.core.contract import LogEvent
from local.function_logs import LogLine
from local.journey import ENDS
from tests.faults.rules import Place
from tests.faults.soak.facts import Facts


class Testimony:
    """The lines of a log.

    Args:
        lines: all of them.
    """

    __test__ = False  # pytest would take it for a test by its name

    def __init__(self, lines: Iterable[LogLine]) -> None:
        self._lines = [(line, line.fields) for line in lines]

    def completed(self, facts: Iterable[Facts], until: float = math.inf) -> list[Facts]:
        """Add what the log says of each conversation.

        Args:
            facts: of the conversations, as they stood at some moment.
            until: that moment, in seconds since the epoch: alarms that came later do not count.
        """
        critical, acknowledged = self._critical(until), self._acknowledged()
        return [
            replace(
                one,
                critical=tuple(critical.get(one.conversation_id, ())),
                unacknowledged=tuple(
                    letter.message_id
                    for letter in one.letters
                    if letter.place is Place.DELETED and letter.message_id not in acknowledged
                ),
            )
            for one in facts
        ]

    def counts(self) -> Counter[str]:
        """How many lines there are of each event."""
        return Counter(str(fields.get("event")) for _, fields in self._lines)

    def at_critical(self) -> dict[str, list[LogLine]]:
        """The lines at CRITICAL, by their event."""
        lines: dict[str, list[LogLine]] = {}
        for line, fields in self._lines:
            if _is_critical(fields):
                lines.setdefault(str(fields.get("event")), []).append(line)
        return lines

    def interrupted(self) -> tuple[int, int]:
        """How many invocations ended with their process.

        Returns:
            Those in the middle of their batch, and those before they took it.
        """
        counts, invocations = self.counts(), len({line.stream for line, _ in self._lines})
        begun = counts[LogEvent.BATCH_RECEIVED]
        return begun - counts[LogEvent.BATCH_FINISHED], invocations - begun

    def _critical(self, until: float) -> dict[str, list[str]]:
        events: dict[str, list[str]] = {}
        for fields in self._fields():
            if _is_critical(fields) and _at(fields) <= until:
                conversation = str(fields.get("conversation_id"))
                events.setdefault(conversation, []).append(str(fields.get("event")))
        return events

    def _acknowledged(self) -> set[str]:
        return {
            str(fields.get("sqs_message_id"))
            for fields in self._fields()
            if fields.get("event") in ENDS
        }

    def _fields(self) -> Iterator[Mapping[str, Any]]:
        return (fields for _, fields in self._lines)


def _is_critical(fields: Mapping[str, Any]) -> bool:
    return fields.get("level") == "CRITICAL"


def _at(fields: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(fields["timestamp"]).timestamp()
