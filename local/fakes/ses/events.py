"""What happens to accepted e-mails, and the events that SES publishes about it.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html and
https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html (mailbox simulator).
"""

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from typing import Any

from local.fakes.faults import FaultKind, FaultPlan, RecordedRequest
from local.fakes.history import History
from local.fakes.ses.requests import ACCOUNT, REGION, Email

SIMULATOR = "simulator.amazonses.com"
"""Domain of SES's mailbox simulator, whose addresses may have a label: `bounce+label@…`."""
EICAR = "EICAR-STANDARD-ANTIVIRUS-TEST-FILE"
"""Part of the text by which scanners for viruses are tested; SES rejects a message with it."""


@dataclass(frozen=True, slots=True)
class Message:
    """An accepted e-mail.

    Attributes:
        message_id: SES's id.
        email: What was accepted.
        at: When, in seconds since the epoch.
    """

    message_id: str
    email: Email
    at: float

    @property
    def mailbox(self) -> str:
        """The mailbox of the simulator that it is sent to; empty for any other recipient."""
        local, _, domain = self.email.recipient.lower().rpartition("@")
        return local.partition("+")[0] if domain == SIMULATOR else ""

    @property
    def is_rejected(self) -> bool:
        """Whether SES finds a virus in it."""
        return EICAR in self.email.text

    @property
    def arrives(self) -> bool:
        """Whether the recipient sees it."""
        return not self.is_rejected and self.mailbox not in {"bounce", "suppressionlist"}


@dataclass(frozen=True, slots=True)
class SentEvent:
    """One event that was published.

    Attributes:
        at: When it was due, in seconds since the epoch.
        document: The event.
    """

    at: float
    document: Mapping[str, Any] = field(repr=False)


class EventPublisher:
    """Publishes the events of e-mails when they are due.

    Args:
        clock: Returns seconds since the epoch.
        plan: Rules for events; an event is a request with the path `/events/<event type>` and the
            event as its body.

    Attributes:
        publish: Takes each event; None: they are only recorded.
        sent: Every event so far, in the order of their publication.
    """

    def __init__(self, clock: Callable[[], float], plan: FaultPlan) -> None:
        self.publish: Callable[[Mapping[str, Any]], object] | None = None
        self._clock = clock
        self._plan = plan
        self.sent = History[SentEvent]()
        self._changed = threading.Condition()
        self._due: list[SentEvent] = []
        self._is_stopping = False
        self._thread: threading.Thread | None = None

    def schedule(self, message: Message, delivery_seconds: float) -> None:
        """Schedule the events of a new e-mail."""
        at = message.at + delivery_seconds
        with self._changed:
            self._due += [SentEvent(at, event) for event in _events(message, at)]
            self._changed.notify_all()

    def publish_due(self) -> None:
        """Publish the events that are due."""
        now = self._clock()
        with self._changed:
            due = [event for event in self._due if event.at <= now]
            self._due = [event for event in self._due if event.at > now]
        for event in due:
            self._publish(event)

    def _publish(self, event: SentEvent) -> None:
        path = f"/events/{event.document['eventType']}"
        fault = self._plan.next_fault(
            RecordedRequest(0, "POST", path, {}, event.document, event.at)
        )
        match fault.kind if fault else None:
            case FaultKind.CALLBACK_LOST:
                return
            case FaultKind.CALLBACK_DELAYED if fault:
                with self._changed:
                    self._due.append(SentEvent(event.at + fault.seconds, event.document))
                return
            case FaultKind.CALLBACK_REPEATED:
                self._deliver(event)
        self._deliver(event)

    def _deliver(self, event: SentEvent) -> None:
        if self.publish is not None:
            self.publish(event.document)
        self.sent.append(lambda _: event)

    def clear(self) -> None:
        """Remove the events that are due, and the list of those published."""
        with self._changed:
            self._due.clear()
        self.sent.clear()

    def start(self) -> None:
        """Publish events in a thread until `stop`."""
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="ses-events", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop, and join the thread; a second call does nothing."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        self._thread = None

    def _run(self) -> None:
        while not self._wait():
            self.publish_due()

    def _wait(self) -> bool:
        """Wait until an event is due or the end; return whether it is the end."""
        with self._changed:
            while not self._is_stopping:
                seconds = min((event.at for event in self._due), default=inf) - self._clock()
                if seconds <= 0:
                    return False
                self._changed.wait(None if seconds == inf else seconds)
        return True


def _events(message: Message, at: float) -> Iterator[dict[str, Any]]:
    yield _event("Send", message, {"send": {}})
    if message.is_rejected:
        yield _event("Reject", message, {"reject": {"reason": "Bad content"}})
        return
    match message.mailbox:
        case "bounce":
            yield _bounce(message, at, "Permanent", "General")
        case "suppressionlist":
            yield _bounce(message, at, "Permanent", "Suppressed")
        case "ooto":
            yield _delivery(message, at)
            yield _bounce(message, at, "Transient", "General")
        case "complaint":
            yield _delivery(message, at)
            yield _complaint(message, at)
        case _:
            yield _delivery(message, at)


def _delivery(message: Message, at: float) -> dict[str, Any]:
    delivery = {
        "timestamp": _iso(at),
        "processingTimeMillis": int((at - message.at) * 1000),
        "recipients": [message.email.recipient],
        "smtpResponse": "250 2.6.0 Message received",
        "reportingMTA": "mta.example.com",
    }
    return _event("Delivery", message, {"delivery": delivery})


def _bounce(message: Message, at: float, kind: str, subtype: str) -> dict[str, Any]:
    recipient = {
        "emailAddress": message.email.recipient,
        "action": "failed",
        "status": "5.1.1",
        "diagnosticCode": "smtp; 550 5.1.1 user unknown",
    }
    bounce = {
        "feedbackId": uuid.uuid4().hex,
        "bounceType": kind,
        "bounceSubType": subtype,
        "bouncedRecipients": [recipient],
        "timestamp": _iso(at),
        "reportingMTA": "dsn; mta.example.com",
    }
    return _event("Bounce", message, {"bounce": bounce})


def _complaint(message: Message, at: float) -> dict[str, Any]:
    complaint = {
        "feedbackId": uuid.uuid4().hex,
        "complaintSubType": None,
        "complainedRecipients": [{"emailAddress": message.email.recipient}],
        "timestamp": _iso(at),
        "userAgent": "Amazon SES Mailbox Simulator",
        "complaintFeedbackType": "abuse",
        "arrivalDate": _iso(at),
    }
    return _event("Complaint", message, {"complaint": complaint})


def _event(kind: str, message: Message, details: Mapping[str, Any]) -> dict[str, Any]:
    email = message.email
    headers = {"From": email.source, "To": email.recipient, "Subject": email.subject}
    tags = {
        "ses:configuration-set": [email.configuration_set],
        "ses:source-ip": ["127.0.0.1"],
        "ses:from-domain": [email.sender.rpartition("@")[2]],
        "ses:caller-identity": ["local"],
    } | {name: [value] for name, value in email.tags.items()}
    mail = {
        "timestamp": _iso(message.at),
        "source": email.source,
        "sourceArn": f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/{email.identity}",
        "sendingAccountId": ACCOUNT,
        "messageId": message.message_id,
        "destination": [email.recipient],
        "headersTruncated": False,
        "headers": [
            {"name": name, "value": value}
            for name, value in (headers | dict(email.headers)).items()
        ],
        "commonHeaders": {
            "from": [email.source],
            "to": [email.recipient],
            "messageId": message.message_id,
            "subject": email.subject,
        },
        "tags": tags,
    }
    return {"eventType": kind, "mail": mail, **details}


def _iso(seconds: float) -> str:
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
