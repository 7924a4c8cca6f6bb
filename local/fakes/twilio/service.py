"""The fake of Twilio's Messages API, version 2010-04-01."""

import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, ClassVar

from flask import Flask, jsonify, request
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.wrappers import Response

from local.fakes.faults import ANY_REQUEST, CALLBACK_FAULTS, Fault, FaultKind, Match
from local.fakes.server import CONTROL_PREFIX, injected_fault
from local.fakes.service import FakeService, InboxMessage
from local.fakes.twilio.callbacks import CallbackSender, SentCallback
from local.fakes.twilio.errors import NAMED_FAULTS, TwilioError, error_response
from local.fakes.twilio.listing import MessageList
from local.fakes.twilio.messages import (
    API,
    LateFailure,
    MessageStore,
    TwilioSettings,
)
from local.fakes.twilio.requests import number_of, parse_send_request

_FAILED_STATUS = {FaultKind.UNDELIVERED: "undelivered", FaultKind.DELIVERY_FAILED: "failed"}


class FakeTwilio(FakeService[TwilioSettings]):
    """Twilio on loopback: messages, content templates, credentials and status callbacks.

    Faults of kinds in `CALLBACK_FAULTS` apply to status callbacks, the others to requests.

    Args:
        accounts: Auth token of each account by its sid.
        api_keys: Account sid and secret of each standard API key by its sid.
        templates: Text of each content template, with `{{1}}` or `{{name}}`, by its sid.
        services: The senders of each messaging service by its sid.
        settings: Delays.
        clock: Returns seconds since the epoch. Callbacks are sent when they are due by the system's
            clock, by any other one only in `send_due_callbacks`.
        port: Where to listen; 0 for any free port.
    """

    vendor_faults = (
        frozenset({FaultKind.UNDELIVERED, FaultKind.DELIVERY_FAILED, FaultKind.TEMPLATE_STATE})
        | CALLBACK_FAULTS
    )
    own_requests: ClassVar[Mapping[FaultKind, Match]] = {
        FaultKind.TEMPLATE_STATE: Match(method="GET", paths=("/v1/Content/*/ApprovalRequests",))
    }
    event_faults = CALLBACK_FAULTS
    vendor_requests = Match(method="POST", paths=(f"{API}/Accounts/*/Messages.json",))
    request_groups: ClassVar[Mapping[str, Match]] = {
        "sends": vendor_requests,
        "lookups": Match(method="GET", paths=(f"{API}/Accounts/*/Messages*",)),
        "all": ANY_REQUEST,
    }
    selector = (r"\+?\d+", "the recipient's phone number or a part of it")

    def __init__(
        self,
        *,
        accounts: Mapping[str, str],
        api_keys: Mapping[str, tuple[str, str]] | None = None,
        templates: Mapping[str, str] | None = None,
        services: Mapping[str, Sequence[str]] | None = None,
        settings: TwilioSettings | None = None,
        clock: Callable[[], float] = time.time,
        port: int = 0,
    ) -> None:
        main = {sid: (sid, token) for sid, token in accounts.items()}
        self._logins = {**main, **(api_keys or {})}
        self._templates, self._services = templates or {}, services or {}
        self._store = MessageStore(clock)
        self._sends_by_itself = clock is time.time
        self._flask = self._build_application()
        super().__init__(
            self._flask, settings=settings or TwilioSettings(), named_faults=NAMED_FAULTS, port=port
        )
        self._callbacks = CallbackSender(accounts, clock, self.event_plan)

    def inbox(self, number: str) -> list[InboxMessage]:
        """Return a recipient's messages, oldest first.

        Args:
            number: The recipient's number, E.164, with or without `whatsapp:`.
        """
        return self._store.inbox(number_of(number))

    def inboxes(self) -> dict[str, list[InboxMessage]]:
        """Return what recipients have received, by bare number, oldest first."""
        found: dict[str, list[InboxMessage]] = {}
        for message in self.inbox_since(0)[1]:
            found.setdefault(message.recipient, []).append(message)
        return dict(sorted(found.items()))

    def accepted(self, number: int) -> list[InboxMessage]:
        """Return the latest accepted messages, the newest first."""
        return self._store.latest(number)

    def messages(self) -> list[dict[str, Any]]:
        """Return the JSON of every accepted message, oldest first, regardless of list lag."""
        now = self._store.clock()
        return [message.resource(now, self.settings) for message in self._store.oldest_first()]

    def callbacks(self) -> list[SentCallback]:
        """Return every status callback so far, in the order of their ends."""
        return self._callbacks.sent.all()

    def send_due_callbacks(self) -> None:
        """Send the status callbacks that are due, one after the other."""
        self._callbacks.send_due()

    def start(self) -> None:
        """Listen and serve, and send status callbacks.

        Raises:
            OSError: The port is not available.
        """
        super().start()
        if self._sends_by_itself:
            self._callbacks.start()

    def stop(self) -> None:
        """Stop listening, abort open requests and callbacks, and join every thread."""
        self._callbacks.stop()
        super().stop()

    def inbox_since(self, position: int) -> tuple[int, list[InboxMessage]]:
        """Return the present position, and what recipients have received since an earlier one."""
        return self._store.inbox_since(position)

    def _limit_state(self, reports: int, messages: int) -> None:
        self._callbacks.sent.limit(reports)
        self._store.limit = messages

    def clear_state(self) -> None:
        """Remove all messages and callbacks."""
        self._callbacks.clear()
        self._store.clear()

    def state(self) -> dict[str, Any]:
        """Return the accepted messages and the callbacks."""
        return {
            "messages": self.messages(),
            "callbacks": [asdict(callback) for callback in self.callbacks()],
        }

    def error_response(self, fault: Fault) -> Response:
        """Return the error response of a fault."""
        with self._flask.app_context():
            return error_response(fault.status, fault.code, fault.message)

    def _build_application(self) -> Flask:
        application = Flask("twilio", static_folder=None)
        application.before_request(self._check_credentials)
        account = f"{API}/Accounts/<account_sid>"
        application.get(f"{account}.json")(_account_resource)
        application.post(f"{account}/Messages.json")(self._create)
        application.get(f"{account}/Messages.json")(self._list)
        application.get(f"{account}/Messages/<sid>.json")(self._fetch)
        application.delete(f"{account}/Messages/<sid>.json")(self._delete)
        application.get("/v1/Content/<sid>")(self._fetch_template)
        application.get("/v1/Content/<sid>/ApprovalRequests")(self._fetch_approval)
        application.register_error_handler(TwilioError, TwilioError.response)
        for kind, code in ((NotFound, 20404), (MethodNotAllowed, 20004)):
            error = TwilioError(code)
            application.register_error_handler(kind, lambda _, error=error: error.response())
        return application

    def _check_credentials(self) -> None:
        if request.path.startswith(CONTROL_PREFIX):
            return
        given = request.authorization
        if given is None or given.type != "basic":
            raise TwilioError(20003)
        user, password = given.username or "", given.password or ""
        sid, token = self._logins.get(user, ("", ""))
        if not token or not hmac.compare_digest(token.encode(), password.encode()):
            raise TwilioError(20003)
        if (request.view_args or {}).get("account_sid", sid) != sid:
            raise TwilioError(20404)
        if request.endpoint == _account_resource.__name__ and user != sid:
            raise TwilioError(20003)  # a standard API key may not read the account

    def _create(self, account_sid: str) -> tuple[Response, int]:
        send_request = parse_send_request(request.form, self._templates, self._services)
        fault = injected_fault(request.environ)
        failure = LateFailure(_FAILED_STATUS[fault.kind], int(fault.code)) if fault else None
        message = self._store.accept(account_sid, send_request, failure)
        self._callbacks.schedule(message, self.settings)
        return jsonify(message.resource(message.created, self.settings)), HTTPStatus.CREATED

    def _list(self, account_sid: str) -> dict[str, Any]:
        return MessageList(account_sid, request.args.to_dict()).read(self._store, self.settings)

    def _fetch(self, account_sid: str, sid: str) -> dict[str, Any]:
        message = self._store.get(account_sid, sid)
        return message.resource(self._store.clock(), self.settings)

    def _fetch_template(self, sid: str) -> dict[str, Any]:
        """Return a content template (https://www.twilio.com/docs/content/content-api-resources)."""
        if sid not in self._templates:
            raise TwilioError(20404)
        return {
            "sid": sid,
            "friendly_name": "Fake template",
            "types": {"twilio/text": {"body": self._templates[sid]}},
            "url": f"https://content.twilio.com/v1/Content/{sid}",
        }

    def _fetch_approval(self, sid: str) -> dict[str, Any]:
        """Return a template's approval by WhatsApp; documented where the template is."""
        if sid not in self._templates:
            raise TwilioError(20404)
        fault = injected_fault(request.environ)
        return {
            "sid": sid,
            "whatsapp": {
                "type": "whatsapp",
                "name": "fake_template",
                "category": "MARKETING",
                "status": fault.code if fault else "approved",
                "rejection_reason": "",
            },
            "url": f"https://content.twilio.com/v1/Content/{sid}/ApprovalRequests",
        }

    def _delete(self, account_sid: str, sid: str) -> tuple[str, int]:
        self._store.delete(account_sid, sid, self.settings)
        return "", HTTPStatus.NO_CONTENT


def _account_resource(account_sid: str) -> dict[str, Any]:
    uri, epoch = f"{API}/Accounts/{account_sid}", formatdate(0)
    return {
        "sid": account_sid,
        "friendly_name": "Fake account",
        "status": "active",
        "type": "Full",
        "owner_account_sid": account_sid,
        "date_created": epoch,
        "date_updated": epoch,
        "uri": f"{uri}.json",
        "subresource_uris": {"messages": f"{uri}/Messages.json"},
    }
