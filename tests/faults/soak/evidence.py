"""What a soak leaves on phones, in the table, on the queues and in the log; and the verdict."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus
from typing import Any, NamedTuple

from lambda_src.core.contract import Status
from lambda_src.core.models import RecordKey
from lambda_src.services.dynamodb.suppression import NAMESPACE
from local.cloud import LocalCloud
from local.dynamodb_proxy import ForwardedRequest
from local.emulator.alerts import alarms_on_line
from local.emulator.function_logs import LogLine
from local.fakes import RecordedRequest
from local.lifecycle import wait_for
from local.message_tracker import FINAL_EVENTS
from local.vendors import FakeVendors
from tests.faults import rules
from tests.faults.rules import Evidence, History, Location, Rule, Violation
from tests.faults.soak.plan import Conversation, Expected
from tests.support.metrics import metric_sum

RELAY_SECONDS = 30
"""How long it takes at most from a log line to the notification of its alarm."""
_ID = re.compile(r"soak-\d+-\d{4}")
_STATUS = re.compile(r"\bconversation_status = (:\w+)")


def conversation_of_text(text: str) -> str:
    """Return the conversation that a message's text names; empty if it names none."""
    found = _ID.search(text)
    return found[0] if found else ""


def conversation_sent(request: RecordedRequest) -> str:
    """Return the conversation whose message Twilio is to send; empty if there is none."""
    body = request.body
    return conversation_of_text(f"{body.get('ContentVariables', '')}{body.get('Body', '')}")


def conversation_asked_about(request: RecordedRequest) -> str:
    """Return the conversation for which the AI is to write; empty if there is none."""
    if request.path != "/v1/responses":
        return ""
    return str(request.body.get("metadata", {}).get("conversation_id", ""))


@dataclass(frozen=True)
class Write:
    """One write that was applied to a record, at a time in epoch seconds."""

    at: float
    status: str = ""  # the record's from then on; empty where it does not change
    owner: str = ""  # of the lease that the write requires or sets; empty where none is required
    has_answer: bool = False  # whether it stores the AI's answer
    from_expired: bool = False  # whether it takes over from a worker whose lease had expired

    @property
    def is_acquisition(self) -> bool:
        """Whether its owner has the lease from then on."""
        return bool(self.owner) and self.status == Status.PROCESSING


def applied_writes(requests: Iterable[ForwardedRequest]) -> dict[RecordKey, list[Write]]:
    """Return every write that was applied, by record, in their order."""
    writes: dict[RecordKey, list[Write]] = defaultdict(list)
    for request in requests:
        for key, write in _writes(request) if request.status == HTTPStatus.OK else ():
            writes[key].append(write)
    return writes


def _writes(request: ForwardedRequest) -> Iterator[tuple[RecordKey, Write]]:
    at, parameters = request.at, request.parameters
    if request.operation == "UpdateItem":
        yield _key(parameters["Key"]), _update(at, parameters)
    for part in parameters.get("TransactItems", ()):
        if "Put" in part:
            item = part["Put"]["Item"]
            status, owner = _text(item, "conversation_status"), _text(item, "lease_owner")
            yield _key(item), Write(at, status, owner)
        elif "Update" in part:
            key = _key(part["Update"]["Key"])
            if not key.primary_channel.startswith(NAMESPACE):
                yield key, _update(at, part["Update"])


def _update(at: float, parameters: Mapping[str, Any]) -> Write:
    values = parameters.get("ExpressionAttributeValues", {})
    changed = _STATUS.search(parameters["UpdateExpression"])
    return Write(
        at=at,
        status=_text(values, changed[1]) if changed else "",
        owner=_text(values, ":owner"),
        has_answer=":answer" in values,
        from_expired=_text(values, ":found_status") == Status.PROCESSING,
    )


def _key(attributes: Mapping[str, Any]) -> RecordKey:
    return RecordKey(_text(attributes, "primary_channel"), _text(attributes, "conversation_id"))


def _text(attributes: Mapping[str, Any], name: str) -> str:
    return str(attributes.get(name, {}).get("S", ""))


def asked_again(writes: Iterable[Write], asks: int) -> int:
    """Return how often the AI was asked by workers that had found its answer stored.

    Requests to the AI do not name their worker: each one that acquired the lease before the answer
    was stored may ask once.
    """
    acquired = 0
    for write in writes:
        if write.has_answer:
            return max(0, asks - acquired)
        acquired += write.is_acquisition
    return 0


def history_of(writes: Sequence[Write], asks: int, sends: Iterable[float]) -> History:
    """Return what workers wrote without the lease, sent without an intent, and asked again.

    `sends` are the times in epoch seconds at which the vendor was asked to send the message.
    """
    history = History(holders={write.owner for write in writes if write.owner})
    history.asked_again = asked_again(writes, asks)
    for write in writes:
        if write.is_acquisition:
            history.acquired(write.owner, has_answer=False)
        elif write.owner:
            history.acted(write.owner, f"wrote {write.status or 'without a status'}")
    for at in sends:
        statuses = [write.status for write in writes if write.status and write.at <= at]
        status = statuses[-1] if statuses else "unacquired"
        if status != Status.SENDING:
            history.acts_without_lease.append(f"sent while {status}")
    return history


@dataclass(frozen=True, kw_only=True)
class Facts:
    key: RecordKey
    expected: Expected = Expected.SENT
    sids: tuple[str, ...] = ()  # messages that the vendor accepted, oldest first
    messages: Mapping[str, Location] = field(default_factory=dict)  # on the queues, by their ids
    record: Mapping[str, Any] = field(default_factory=dict)  # empty if there is none
    releases: int = 0  # by the operator
    writes: tuple[Write, ...] = ()  # the workers' ones that were applied
    asks: int = 0  # requests to the AI, with credentials that it accepted
    sends: tuple[float, ...] = ()  # when the vendor was asked to send it, in epoch seconds
    alarms: frozenset[str] = frozenset()  # events of the lines at CRITICAL about it
    unacknowledged: tuple[str, ...] = ()  # messages deleted without a log line saying why

    def evidence(self, *, is_final: bool) -> Evidence:
        return Evidence(
            sids=self.sids,
            locations=tuple(self.messages.values()),
            status=self.record.get("conversation_status"),
            history=history_of(self.writes, self.asks, self.sends),
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
    writes = applied_writes(cloud.dynamodb_proxy.forwarded)
    sids: dict[str, list[str]] = defaultdict(list)
    for message in vendors.twilio.messages():
        sids[conversation_of_text(message["body"])].append(message["sid"])
    sends: dict[str, list[float]] = defaultdict(list)
    for request in vendors.twilio.requests:
        sends[conversation_sent(request)].append(request.at)
    accepted = (r for r in vendors.openai.requests if r.status != HTTPStatus.UNAUTHORIZED)
    asks = Counter(map(conversation_asked_about, accepted))
    return [
        Facts(
            key=(key := conversation.key),
            expected=conversation.expected,
            sids=tuple(sids[key.conversation_id]),
            messages=messages.get(key.conversation_id, {}),
            record=cloud.channel.record(key),
            releases=releases.get(key, 0),
            writes=tuple(writes[key]),
            asks=asks[key.conversation_id],
            sends=tuple(sends[key.conversation_id]),
        )
        for conversation in conversations
    ]


class FunctionLog:
    """The function's log, read when all is over.

    Not before: the embedded AWS may show an invocation's last lines with the next invocation of the
    same process only. Each line has its own time.
    """

    def __init__(self, lines: Iterable[LogLine]) -> None:
        self._lines = [(str(line.fields.get("event")), line) for line in lines]

    def completed(self, facts: Iterable[Facts], until: float = math.inf) -> list[Facts]:
        """Return the facts with what the log says of each conversation.

        Alarms that are later than `until`, in epoch seconds, do not count.
        """
        alarms: dict[str, set[str]] = defaultdict(set)
        acknowledged: set[str] = set()
        for event, line in self._lines:
            if event in FINAL_EVENTS:
                acknowledged.add(str(line.fields.get("sqs_message_id")))
        for event, lines in self.critical().items():
            for fields in (line.fields for line in lines):
                if datetime.fromisoformat(fields["timestamp"]).timestamp() <= until:
                    alarms[str(fields.get("conversation_id"))].add(event)
        return [
            replace(
                one,
                alarms=frozenset(alarms[one.key.conversation_id]),
                unacknowledged=tuple(
                    message_id
                    for message_id, location in one.messages.items()
                    if location is Location.DELETED and message_id not in acknowledged
                ),
            )
            for one in facts
        ]

    def count(self, event: str) -> int:
        """Return how many lines there are of an event."""
        return sum(found == event for found, _ in self._lines)

    def critical(self) -> dict[str, list[LogLine]]:
        """Return the lines at CRITICAL, by their event."""
        lines: dict[str, list[LogLine]] = defaultdict(list)
        for event, line in self._lines:
            if line.fields.get("level") == "CRITICAL":
                lines[event].append(line)
        return lines


class AlarmFacts(NamedTuple):
    """What happened to the lines at CRITICAL with one event."""

    event: str
    lines: int
    counted: float  # the sum of the metrics behind them; the least, where there are several
    notified: tuple[str, ...]  # the alarms on those metrics that notified the subscribers


def alarm_facts(cloud: LocalCloud, event: str, lines: Sequence[LogLine]) -> AlarmFacts:
    """Return what happened to the lines at CRITICAL with one event, perhaps after a while."""
    alarms = alarms_on_line(cloud.aws, cloud.resources.log_group, lines[0].text)
    metrics = {(alarm.namespace, alarm.metric) for alarm in alarms}

    def counted() -> float:
        return min((metric_sum(cloud.aws, *metric) for metric in metrics), default=0)

    def notified() -> set[str]:
        alerted = {alert.alarm for alert in cloud.alerts.all_alerts() if alert.is_alarm}
        return alerted & {alarm.alarm for alarm in alarms}

    wait_for(lambda: counted() >= len(lines) and notified(), RELAY_SECONDS)
    return AlarmFacts(event, len(lines), counted(), tuple(sorted(notified())))


def reconcile(conversations: Iterable[Facts], *, is_final: bool = False) -> list[Violation]:
    """Judge every conversation when no worker is at any.

    It is final when, besides, the operator has decided and redriven.
    """
    violations = []
    for facts in conversations:
        evidence = facts.evidence(is_final=is_final)
        broken = set(rules.broken_rules(evidence))
        if facts.unacknowledged:
            broken.add(Rule.DELETED_ONLY_IF_SENT)
        is_open = is_final and rules.is_unresolved(evidence)
        if broken or is_open:
            violations.append(
                Violation(
                    subject=facts.key.conversation_id,
                    rules=tuple(rule for rule in Rule if rule in broken),
                    what=f"{evidence}, {facts.unacknowledged=}, {facts.expected=}",
                    is_unresolved=is_open,
                )
            )
    return violations


def silent_alarms(alarms: Iterable[AlarmFacts]) -> list[Violation]:
    """Judge whether every line at CRITICAL was counted and its alarm notified the subscribers."""
    return [
        Violation(subject=facts.event, rules=(Rule.RECORD_IS_TRUE,), what=f"not notified: {facts}")
        for facts in alarms
        if facts.counted < facts.lines or not facts.notified
    ]
