"""What a soak leaves on phones, in the table, on the queues and in the log; and the verdict."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from lambda_src.core.models import RecordKey
from local.cloud import LocalCloud
from local.emulator.function_logs import LogLine
from local.fakes import RecordedRequest
from local.vendors import FakeVendors
from tests.faults import rules
from tests.faults.rules import Evidence, Location, Violation
from tests.faults.soak.plan import Conversation, Expected

_ID = re.compile(r"soak-\d+-\d{4}")


def conversation_of_text(text: str) -> str:
    """Return the conversation that a message's text names; empty if it names none."""
    found = _ID.search(text)
    return found[0] if found else ""


def conversation_sent(request: RecordedRequest) -> str:
    """Return the conversation whose message Twilio is to send; empty if there is none."""
    body = request.body
    return conversation_of_text(f"{body.get('ContentVariables', '')}{body.get('Body', '')}")


@dataclass(frozen=True, kw_only=True)
class Facts:
    key: RecordKey
    expected: Expected = Expected.SENT
    sids: tuple[str, ...] = ()  # messages that the vendor accepted, oldest first
    messages: Mapping[str, Location] = field(default_factory=dict)  # on the queues, by their ids
    record: Mapping[str, Any] = field(default_factory=dict)  # empty if there is none
    releases: int = 0  # by the operator
    alarms: frozenset[str] = frozenset()  # events of the lines at CRITICAL about it

    def evidence(self, *, is_final: bool) -> Evidence:
        return Evidence(
            sids=self.sids,
            locations=tuple(self.messages.values()),
            status=self.record.get("conversation_status"),
            recorded_sid=str(self.record.get("message_sid", "")),
            failure_code=str(self.record.get("failure", {}).get("code", "")),
            alarms=self.alarms,
            releases=self.releases,
            is_final=is_final,
            is_refused=self.expected is not Expected.SENT,
        )


def collect(
    cloud: LocalCloud,
    vendors: FakeVendors,
    messages: Mapping[str, Mapping[str, Location]],
    conversations: Iterable[Conversation],
    releases: Mapping[RecordKey, int],
) -> list[Facts]:
    """Return what there is of each conversation, except what the log has.

    `messages` has where each of a conversation's messages is, `releases` the operator's.
    """
    sids: dict[str, list[str]] = defaultdict(list)
    for message in vendors.twilio.messages():
        sids[conversation_of_text(message["body"])].append(message["sid"])
    return [
        Facts(
            key=(key := conversation.key),
            expected=conversation.expected,
            sids=tuple(sids[key.conversation_id]),
            messages=messages.get(key.conversation_id, {}),
            record=cloud.channel.record(key),
            releases=releases.get(key, 0),
        )
        for conversation in conversations
    ]


class FunctionLog:
    """The function's log, read when all is over.

    Not before: the embedded AWS may show an invocation's last lines with the next invocation of the
    same process only. Each line has its own time.
    """

    def __init__(self, lines: Iterable[LogLine]) -> None:
        self._lines = [line.fields for line in lines]

    def completed(self, facts: Iterable[Facts], until: float = math.inf) -> list[Facts]:
        """Return the facts with the alarms about each conversation, until then (epoch seconds)."""
        alarms: dict[str, set[str]] = defaultdict(set)
        for line in self._lines:
            is_alarm = line.get("level") == "CRITICAL"
            if is_alarm and datetime.fromisoformat(line["timestamp"]).timestamp() <= until:
                alarms[str(line.get("conversation_id"))].add(str(line["event"]))
        return [replace(one, alarms=frozenset(alarms[one.key.conversation_id])) for one in facts]

    def count(self, event: str) -> int:
        """Return how many lines there are of an event."""
        return sum(line.get("event") == event for line in self._lines)


def reconcile(conversations: Iterable[Facts], *, is_final: bool = False) -> list[Violation]:
    """Judge every conversation when no worker is at any.

    It is final when, besides, the operator has decided and redriven.
    """
    violations = []
    for facts in conversations:
        evidence = facts.evidence(is_final=is_final)
        broken = rules.broken_rules(evidence)
        is_open = is_final and rules.is_unresolved(evidence)
        if broken or is_open:
            violations.append(
                Violation(
                    subject=facts.key.conversation_id,
                    rules=broken,
                    what=f"{evidence}, {facts.expected=}",
                    is_unresolved=is_open,
                )
            )
    return violations
