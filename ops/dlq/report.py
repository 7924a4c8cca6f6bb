"""Reports on dead-letter messages: by cause, one by one, and one in detail."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from lambda_src.core import RejectedContext
from ops.console import MASK, mask_record
from ops.conversations import age_hours
from ops.dlq.policy import redrive_decision

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ops.dlq.inspection import Inspection


def by_cause(inspections: Iterable[Inspection], now: float) -> list[dict[str, object]]:
    """Return one row for each cause, the most frequent first; ages are in hours."""
    groups: defaultdict[tuple[str, str, str], _Group] = defaultdict(_Group)
    for inspection in inspections:
        advice = redrive_decision(inspection).advice
        groups[inspection.cause, inspection.status, advice].add(inspection)
    return [
        {
            "messages": group.messages,
            "cause": cause,
            "status": status,
            "companies": len(group.companies),
            "oldest_hours": age_hours(group.oldest, now),
            "advice": advice,
        }
        for (cause, status, advice), group in sorted(
            groups.items(), key=lambda pair: -pair[1].messages
        )
    ]


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
    """Messages with the same cause."""

    def __init__(self) -> None:
        self.messages = 0
        self.companies: set[str] = set()
        self.oldest = float("inf")

    def add(self, inspection: Inspection) -> None:
        """Count one message."""
        self.messages += 1
        self.companies.add(inspection.company_id)
        self.oldest = min(self.oldest, inspection.message.sent_at)


def _parsed(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body
