"""Reports on dead-letter messages: by cause, one by one, and one in detail."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lambda_src.core import RejectedContext
from ops.console import MASK, mask_record
from ops.conversations import age_hours
from ops.dlq.policy import SELECTION, RedriveDecision, redrive_decision
from ops.queues import SCAN_VISIBILITY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ops.dlq.inspection import Inspection


MAX_NAMED = 20
"""How many messages a command names one by one at most."""


def by_cause(
    inspections: Iterable[Inspection], now: float, command_line: Callable[..., str]
) -> list[dict[str, Any]]:
    """Return one row for each cause, the most frequent first.

    Args:
        inspections: The messages.
        now: Epoch seconds.
        command_line: Returns a command of words for the same deployment.
    """
    groups: defaultdict[tuple[str, str, RedriveDecision], _Group] = defaultdict(_Group)
    for inspection in inspections:
        groups[inspection.cause, inspection.status, redrive_decision(inspection)].add(inspection)
    decisions: defaultdict[str, set[RedriveDecision]] = defaultdict(set)
    for cause, _, decision in groups:
        decisions[cause].add(decision)
    return [
        {
            "messages": group.messages,
            "cause": cause,
            "status": status,
            "companies": len(group.companies),
            "oldest_hours": age_hours(group.oldest, now),
            "advice": decision.advice.text,
            "commands": [
                command_line(*group.fill_in(words, cause, is_alone=len(decisions[cause]) == 1))
                for words in decision.advice.commands
            ],
        }
        for (cause, status, decision), group in sorted(
            groups.items(), key=lambda pair: -pair[1].messages
        )
    ]


def in_flight(number: int, now: float) -> dict[str, object]:
    """Return the fields about messages that others have received, so that they were not seen."""
    visible_by = datetime.fromtimestamp(now + SCAN_VISIBILITY_SECONDS, UTC)
    return {"in_flight": number, "visible_by": visible_by if number else None}


def in_flight_text(number: int, now: float) -> str:
    """Return the same as a sentence, with the time of the operator's clock."""
    visible_by = datetime.fromtimestamp(now + SCAN_VISIBILITY_SECONDS).astimezone()
    return (
        f"{number} messages are in flight: another command works on them, or was killed; in that"
        f" case they are visible again by {visible_by:%H:%M:%S} at the latest"
    )


def summary(inspection: Inspection, now: float) -> dict[str, object]:
    """Return a message as a row without personal data."""
    return {
        "message_id": inspection.message.message_id,
        "conversation": inspection.conversation_id,
        "company": inspection.company_id,
        "cause": inspection.cause,
        "status": inspection.status,
        "age_hours": age_hours(inspection.message.sent_at, now),
    }


def details(inspection: Inspection, now: float, *, show: bool) -> dict[str, Any]:
    """Return a message with all its problems, its record and its body, masked unless `show`."""
    content, record = inspection.content, inspection.record
    rejected = content.problems if isinstance(content, RejectedContext) else ()
    return {
        **summary(inspection, now),
        "problems": [str(problem) for problem in rejected],
        "record": mask_record(record.attributes, show=show) if record else None,
        "body": _parsed(inspection.message.body) if show else MASK,
    }


class _Group:
    """Messages with the same cause, status and advice."""

    def __init__(self) -> None:
        self.messages = 0
        self.companies: set[str] = set()
        self.oldest = float("inf")
        self.named: list[str] = []
        self.conversation = ""

    def add(self, inspection: Inspection) -> None:
        """Count one message."""
        self.messages += 1
        self.companies.add(inspection.company_id)
        self.oldest = min(self.oldest, inspection.message.sent_at)
        self.conversation = self.conversation or inspection.conversation_id
        if len(self.named) < MAX_NAMED:
            self.named.append(inspection.message.message_id)

    def fill_in(self, words: Iterable[str], cause: str, *, is_alone: bool) -> Iterator[str]:
        """Yield the words of a command about this group.

        If other messages with the same cause have another advice, the messages are named.
        """
        named = [("--cause", cause)] if is_alone else [("--message", each) for each in self.named]
        selected = [word for pair in named for word in pair]
        for word in words:
            if word == SELECTION:
                yield from selected
            else:
                yield word.format(cause=cause, conversation=self.conversation)


def _parsed(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body
