"""What happened to each conversation, from the requests that reach DynamoDB and the vendors.

Every step of the ledger is a write to DynamoDB, which passes through a proxy in front of it, and
every draft and send is a request to a fake. So nothing is polled, and what no record keeps is known
too, such as how long each step took and which writes were refused.
"""

import json
import re
import sys
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Any

from lambda_src.core import DeliveryStatus, LogEvent, RecordKey, Status
from lambda_src.core.models import encode_reference
from lambda_src.services.dynamodb import deserialize, suppression
from local.channel import Channels
from local.emulator.feed import Feed
from local.emulator.function_logs import LogLine
from local.fakes import FakeService, RecordedRequest

if TYPE_CHECKING:
    from local.fakes.faults import RequestListener

MAX_CONVERSATIONS = 5_000
"""The conversations that are remembered, the latest; `ops conversation list --local` has all."""
MAX_STEPS = 60
"""The steps of one conversation that are remembered, the latest."""
MAX_LINES = 5_000
"""The lines of each log that are searched, the latest."""
BATCH_RECEIVED = f'"{LogEvent.BATCH_RECEIVED}"'
AT_WORK = frozenset({Status.PROCESSING, Status.SENDING})
"""While a conversation has one of these, a request to a vendor may be about it."""

DYNAMODB = "DynamoDB"
STATUS_STEPS: Mapping[str, str] = {
    Status.PROCESSING: "lease acquired",
    Status.SENDING: "draft checked, intent to send recorded",
    Status.SENT: "recorded as sent",
    Status.RETRY: "recorded for a retry",
    Status.FAILED: "recorded as failed",
    Status.SEND_UNKNOWN: "recorded as a send of unknown outcome",
    Status.AWAITING_APPROVAL: "draft checked, and held for an operator",
}
"""What a write that sets a status does."""
FIELD_STEPS: Mapping[str, str] = {
    "rejected_draft": "first draft failed its checks",
    "ai_answer": "draft checked and stored",
    "delivery_status": "delivery recorded",
    "settle_looks": "lookup counted",
    "lease_expires_at": "lease renewed",
}
"""What a write does that sets no status, by a field that it sets; the first one that is found."""
VENDOR_STEPS = (
    ("openai", "POST", r"/v1/conversations", "conversation created"),
    ("openai", "POST", r"/v1/(responses|threads/.*runs)", "draft written"),
    ("openai", "POST", r"/v1/moderations", "draft moderated"),
    ("twilio", "POST", r".*/Messages\.json", "sent"),
    ("ses", "POST", r".*/outbound-emails", "sent"),
)
"""The meaning of a request: the fake's name, the method, a pattern of the path, and the words."""

READ_FIELDS = frozenset(
    {"conversation_status", "attempt", "message_sid", "channel_method", "company_name"}
    | {"delivery_status", "delivery_error_code", "failure", "hand_off_to_human_reason"}
    | {"written_by"}
)
"""The attributes whose values are read from a write."""

COPIED: Mapping[str, str] = {
    "channel": "channel_method",
    "company": "company_name",
    "delivery": "delivery_status",
    "delivery_code": "delivery_error_code",
    "hold_reason": "hand_off_to_human_reason",
}
"""What is remembered of a conversation, and the attributes that it is read from."""

_ASSIGNED = re.compile(r"\b(\w+) = (:\w+)")
"""An attribute and the name of its new value in an update's expression."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to a conversation.

    Attributes:
        at: when it began, in seconds since the epoch.
        seconds: how long it took.
        where: who answered: DynamoDB, or a fake's name.
        what: in words.
        problem: why it failed or was refused; empty if it did not.
    """

    at: float
    seconds: float
    where: str
    what: str
    problem: str = ""


@dataclass(slots=True)
class Conversation:
    """What is remembered of a conversation.

    Attributes:
        key: its record's key.
        channel: its channel's name; empty until it is known.
        company: its tenant.
        status: the record's status after the latest successful write.
        attempt: the number of leases.
        changed_at: when its record was last written.
        vendor_id: the vendor's id of its message; empty until it is sent.
        delivery: what the vendor reported of it, the latest.
        delivery_code: why it was not delivered, in the vendor's code.
        failure: the code of the latest failure.
        hold_reason: why its draft waits for an operator.
        steps: what happened, the latest `MAX_STEPS`.
        dropped: the number of earlier steps.
    """

    key: RecordKey
    changed_at: float
    channel: str = ""
    company: str = ""
    status: str = ""
    attempt: int = 0
    vendor_id: str = ""
    delivery: str = ""
    delivery_code: str = ""
    failure: str = ""
    hold_reason: str = ""
    steps: deque[Step] = field(default_factory=lambda: deque(maxlen=MAX_STEPS))
    dropped: int = 0

    @property
    def searched_text(self) -> str:
        """What a search looks at."""
        key = self.key
        return f"{key.primary_channel} {key.conversation_id} {self.company}".casefold()

    def add(self, step: Step) -> None:
        """Append a step, in the order of their beginnings."""
        self.dropped += len(self.steps) == MAX_STEPS
        self.steps.append(step)


@dataclass(frozen=True, slots=True)
class _Write:
    """What a request writes into one record.

    Attributes:
        key: the record's.
        fields: the attributes that are set.
    """

    key: RecordKey
    fields: Mapping[str, Any]

    @property
    def status(self) -> str:
        """The new status; empty if the write does not set it."""
        return str(self.fields.get("conversation_status") or "")

    def describe(self, attempt: int) -> str:
        """Return what the write does, in words.

        Args:
            attempt: the number of the record's leases.
        """
        named = (what for name, what in FIELD_STEPS.items() if name in self.fields)
        step = STATUS_STEPS.get(self.status) or next(named, "record updated")
        if self.status == Status.PROCESSING:
            return f"{step}, attempt {attempt}"
        delivery = "" if self.status else self.fields.get("delivery_status")
        details = filter(None, (delivery, *self._checks()))
        return ": ".join([step, ", ".join(details)]).removesuffix(": ")

    def _checks(self) -> Iterator[str]:
        """Yield the results of the draft's checks, if the write has them."""
        for check in (self.fields.get("written_by") or {}).get("checks", ()):
            yield f"{check['name']} {'passed' if check['passed'] else 'failed'}"


class Journal:
    """Remembers the steps of conversations, from its creation to `close`.

    Args:
        services: the fakes, by their names.
        databases: the proxies in front of DynamoDB.

    Attributes:
        version: changes with every step.
    """

    def __init__(
        self, services: Mapping[str, FakeService[Any]], databases: Iterable[FakeService[Any]]
    ) -> None:
        self.version = 0
        self._changed = threading.Condition()
        self._known: OrderedDict[RecordKey, Conversation] = OrderedDict()
        self._at_work: dict[RecordKey, Conversation] = {}
        self._by_vendor_id: dict[str, Conversation] = {}
        self._listeners: list[tuple[FakeService[Any], RequestListener]] = [
            *((service, partial(self._on_request, name)) for name, service in services.items()),
            *((database, self._on_write) for database in databases),
        ]
        for service, listener in self._listeners:
            service.listeners.append(listener)

    def close(self) -> None:
        """Stop remembering; a second call does nothing."""
        for service, listener in self._listeners:
            if listener in service.listeners:
                service.listeners.remove(listener)

    def wait_for_change(self, seen: int, seconds: float) -> None:
        """Wait until `version` is another one than `seen`, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self.version != seen, seconds)

    def touch(self) -> None:
        """Say that something has changed which passes no request here."""
        with self._changed:
            self.version += 1
            self._changed.notify_all()

    def counts(self) -> Counter[str]:
        """Return the number of conversations by status."""
        with self._changed:
            return Counter(each.status for each in self._known.values())

    def latest(self, number: int, *, status: str = "", text: str = "") -> list[Conversation]:
        """Return conversations, the one that was changed last first.

        Args:
            number: how many at most.
            status: only those with this status; empty for any.
            text: only those with this in the recipient's address, the id or the tenant.
        """
        with self._changed:
            newest = list(reversed(self._known.values()))
        text = text.casefold()
        found = (
            each
            for each in newest
            if (not status or each.status == status) and text in each.searched_text
        )
        return list(islice(found, number))

    def find(self, key: RecordKey) -> Conversation | None:
        """Return a conversation; None if it is not remembered."""
        return self._known.get(key)

    def of_vendor_id(self, vendor_id: str) -> Conversation | None:
        """Return the conversation whose message has the vendor's id; None if none is known."""
        return self._by_vendor_id.get(vendor_id)

    def _on_write(self, request: RecordedRequest, seconds: float) -> None:
        """Remember what a request to DynamoDB writes."""
        problem = _problem(request)
        for write in _writes(request):
            with self._changed:
                known = self._remember(write, request.at)
                if not problem:
                    self._apply(known, write, request.at)
                what = write.describe(known.attempt)
                known.add(Step(request.at, seconds, DYNAMODB, sys.intern(what), problem))
                self.version += 1
                self._changed.notify_all()

    def _remember(self, write: _Write, at: float) -> Conversation:
        known = self._known.get(write.key)
        if known is None:
            known = self._known[write.key] = Conversation(write.key, at)
            if len(self._known) > MAX_CONVERSATIONS:
                _, oldest = self._known.popitem(last=False)
                self._at_work.pop(oldest.key, None)
                self._by_vendor_id.pop(oldest.vendor_id, None)
        self._known.move_to_end(write.key)
        return known

    def _apply(self, known: Conversation, write: _Write, at: float) -> None:
        known.changed_at = at
        known.status = write.status or known.status
        known.attempt = int(write.fields.get("attempt") or known.attempt)
        known.failure = (write.fields.get("failure") or {}).get("code", known.failure)
        for name, attribute in COPIED.items():
            setattr(known, name, write.fields.get(attribute) or getattr(known, name))
        if vendor_id := write.fields.get("message_sid"):
            known.vendor_id = vendor_id
            known.delivery = known.delivery or DeliveryStatus.QUEUED
            self._by_vendor_id[vendor_id] = known
        if known.status in AT_WORK:
            self._at_work[known.key] = known
        else:
            self._at_work.pop(known.key, None)

    def _on_request(self, name: str, request: RecordedRequest, seconds: float) -> None:
        """Remember a request to a vendor under the conversations at work that it names."""
        what = _vendor_step(name, request)
        if not what:
            return
        text = json.dumps(dict(request.body), ensure_ascii=False)
        with self._changed:
            for known in self._at_work.values():
                if _names(text, known.key.conversation_id):
                    known.add(Step(request.at, seconds, name, what, _problem(request)))
                    self.version += 1
            self._changed.notify_all()


def _names(text: str, conversation_id: str) -> bool:
    """Return whether a request names a conversation: by its id, or as status callbacks do."""
    in_json = json.dumps(conversation_id, ensure_ascii=False)[1:-1]
    return in_json in text or encode_reference(conversation_id) in text


def _vendor_step(name: str, request: RecordedRequest) -> str:
    for vendor, method, path, what in VENDOR_STEPS:
        if (vendor, method) == (name, request.method) and re.fullmatch(path, request.path):
            return what
    return ""


def _problem(request: RecordedRequest) -> str:
    """Return why a request failed; empty if it did not."""
    injected = f"injected fault: {request.fault}" if request.fault else ""
    if request.status is None:
        return f"no response ({injected})" if injected else "no response"
    if request.status < HTTPStatus.BAD_REQUEST:
        return injected
    return f"HTTP {request.status}" + (f" ({injected})" if injected else "")


def _writes(request: RecordedRequest) -> Iterator[_Write]:
    """Yield what a request writes into records of conversations."""
    match request.path:
        case "/TransactWriteItems":
            each = (item for item in request.body.get("TransactItems", ()))
            found = [item.get("Put") or item.get("Update") for item in each]
        case "/PutItem" | "/UpdateItem":
            found = [request.body]
        case _:
            found = []
    for parameters in filter(None, found):
        key = parameters.get("Key") or parameters["Item"]
        address, conversation_id = (
            key[name]["S"] for name in ("primary_channel", "conversation_id")
        )
        if not address.startswith(f"{suppression.NAMESPACE}#"):
            yield _Write(RecordKey(address, conversation_id), _fields(parameters))


def _fields(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that a write sets, with the values of those in `READ_FIELDS`."""
    values = parameters.get("ExpressionAttributeValues", {})
    assigned = _ASSIGNED.findall(parameters.get("UpdateExpression", ""))
    fields = parameters.get("Item") or {name: values.get(value) for name, value in assigned}
    return {
        name: deserialize({name: value})[name] if name in READ_FIELDS and value else None
        for name, value in fields.items()
    }


class LogBook:
    """The latest log lines of the channels' functions, read as they grow; thread-safe.

    Args:
        channels: the deployed channels.
        feed: says which logs have new lines.
    """

    def __init__(self, channels: Channels, feed: Feed) -> None:
        self._feed = feed
        self._lock = threading.Lock()
        self._logs = [
            (reader, deque[LogLine](maxlen=MAX_LINES))
            for channel in channels.values()
            for reader in channel.log_readers({})
        ]

    def lines_of(self, conversation_id: str) -> list[dict[str, Any]]:
        """Return the fields of the lines about a conversation and of the beginnings of its batches.

        They are in the order of each log.
        """
        changes, found = self._feed.changes(), list[dict[str, Any]]()
        with self._lock:
            for reader, lines in self._logs:
                while changes.log_end(reader.log_group) > reader.position:
                    lines.extend(reader.new_lines())
                found += _lines_about(conversation_id, lines)
        return found


def _lines_about(conversation_id: str, lines: Collection[LogLine]) -> Iterator[dict[str, Any]]:
    # Most lines are about others: their JSON is not parsed.
    named = (line for line in lines if conversation_id in line.text)
    own = [line for line in named if line.fields.get("conversation_id") == conversation_id]
    batches = {line.stream for line in own}
    for line in lines:
        is_beginning = line.stream in batches and BATCH_RECEIVED in line.text
        if line in own or is_beginning:
            yield line.fields
