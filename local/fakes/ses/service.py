"""The fake of Amazon SES's API 2: SendEmail, and the events of a configuration set."""

import re
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from typing import Any

from flask import Flask, jsonify, request
from pydantic.dataclasses import dataclass
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.wrappers import Response

from local.fakes.faults import STRICT, Fault, FaultKind, Seconds
from local.fakes.history import History
from local.fakes.server import CONTROL_PREFIX
from local.fakes.service import FakeService, InboxMessage
from local.fakes.ses.errors import NAMED_FAULTS, SesError, error_response
from local.fakes.ses.events import EventPublisher, Message, SentEvent
from local.fakes.ses.requests import Account, parse_send_request

SEND_PATH = "/v2/email/outbound-emails"
EVENT_FAULTS = frozenset(
    {FaultKind.CALLBACK_LOST, FaultKind.CALLBACK_DELAYED, FaultKind.CALLBACK_REPEATED}
)
_SIGNED_FOR_SES = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/\s]+/\d{8}/[a-z0-9-]+/ses/aws4_request, SignedHeaders=.+,"
    r" Signature=[0-9a-f]{64}"
)


@dataclass(frozen=True, slots=True, config=STRICT)
class SesSettings:
    """Delays of the fake.

    Attributes:
        delivered_after_seconds: Age at which a message is delivered, bounces or is rejected.
    """

    delivered_after_seconds: Seconds = 0.2


class FakeSes(FakeService[SesSettings]):
    """SES on loopback: sends e-mails of tenants, and publishes their events.

    The addresses of SES's mailbox simulator bounce, complain and so on; every other recipient gets
    the message. Faults of kinds in `EVENT_FAULTS` apply to events, the others to requests.

    Args:
        tenants: The identities (domains or addresses) of each tenant by its name.
        configuration_sets: Names of configuration sets; each is associated with every tenant.
        settings: Delays.
        clock: Returns seconds since the epoch. Events are published when they are due by the
            system's clock, by any other one only in `publish_due_events`.
        port: Where to listen; 0 for any free port.
    """

    vendor_faults = event_faults = EVENT_FAULTS
    selector = (".+", "the recipient's e-mail address or a part of it")

    def __init__(
        self,
        *,
        tenants: Mapping[str, Collection[str]],
        configuration_sets: Collection[str],
        settings: SesSettings | None = None,
        clock: Callable[[], float] = time.time,
        port: int = 0,
    ) -> None:
        self._account = Account(tenants, configuration_sets)
        self._clock = clock
        self._messages = History[Message]()
        self._flask = self._build_application()
        super().__init__(
            self._flask, settings=settings or SesSettings(), named_faults=NAMED_FAULTS, port=port
        )
        self._events = EventPublisher(clock, self.event_plan)

    def publish_to(self, publish: Callable[[Mapping[str, Any]], object]) -> None:
        """Let a function take each event, such as one that publishes it to a topic."""
        self._events.publish = publish

    def messages(self) -> list[Message]:
        """Return every accepted message, oldest first."""
        return self._messages.all()

    def events(self) -> list[SentEvent]:
        """Return every published event, in the order of publication."""
        return self._events.sent.all()

    def publish_due_events(self) -> None:
        """Publish the events that are due."""
        self._events.publish_due()

    def inboxes(self) -> dict[str, list[InboxMessage]]:
        """Return what recipients have received, by address, oldest first."""
        found: dict[str, list[InboxMessage]] = {}
        for message in self.inbox_since(0)[1]:
            found.setdefault(message.recipient, []).append(message)
        return found

    def inbox_since(self, position: int) -> tuple[int, list[InboxMessage]]:
        """Return the present position, and what recipients have received since an earlier one."""
        end, messages = self._messages.since(position)
        return end, [_shown(message) for message in messages if message.arrives]

    def accepted(self, number: int) -> list[InboxMessage]:
        """Return the latest accepted messages, the newest first."""
        return [_shown(message) for message in self._messages.latest(number)]

    def _limit_state(self, reports: int, messages: int) -> None:
        self._events.sent.limit(reports)
        self._messages.limit(messages)

    def start(self) -> None:
        """Listen and serve, and publish events.

        Raises:
            OSError: The port is not available.
        """
        super().start()
        if self._clock is time.time:
            self._events.start()

    def stop(self) -> None:
        """Stop listening and publishing, abort open requests, and join every thread."""
        self._events.stop()
        super().stop()

    def clear_state(self) -> None:
        """Remove all messages and events."""
        self._events.clear()
        self._messages.clear()

    def state(self) -> dict[str, Any]:
        """Return the accepted messages and the published events."""
        return {
            "messages": [asdict(message) for message in self.messages()],
            "events": [asdict(event) for event in self.events()],
        }

    def error_response(self, fault: Fault) -> Response:
        """Return the error response of a fault."""
        with self._flask.app_context():
            return error_response(fault.status, fault.code, fault.message)

    def _build_application(self) -> Flask:
        application = Flask("ses", static_folder=None)
        application.before_request(_check_signature)
        application.post(SEND_PATH)(self._send)
        application.register_error_handler(SesError, SesError.response)
        for kind in (NotFound, MethodNotAllowed):
            application.register_error_handler(
                kind, lambda _: SesError("NotFoundException").response()
            )
        return application

    def _send(self) -> Response:
        email = parse_send_request(request.get_json(force=True, silent=True), self._account)
        number = f"{uuid.uuid4().hex[:16]}-{uuid.uuid4()}-000000"
        message = self._messages.append(lambda _: Message(number, email, self._clock()))
        self._events.schedule(message, self.settings.delivered_after_seconds)
        return jsonify({"MessageId": message.message_id})


def _shown(message: Message) -> InboxMessage:
    email = message.email
    return InboxMessage(
        message.message_id,
        email.sender,
        email.text,
        message.at,
        application="E-mail",
        subject=email.subject,
        recipient=email.recipient,
    )


def _check_signature() -> None:
    if request.path.startswith(CONTROL_PREFIX):
        return
    if not _SIGNED_FOR_SES.fullmatch(request.headers.get("Authorization", "")):
        raise SesError("MissingAuthenticationToken")
