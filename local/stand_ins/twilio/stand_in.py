"""Stand-in for Twilio's Messages API, version 2010-04-01."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from flask import Flask, jsonify, request
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.wrappers import Response

from local.stand_ins.fault_plan import ANY_REQUEST, Match
from local.stand_ins.faults import Fault, FaultKind
from local.stand_ins.faulty_application import CONTROL_PREFIX, fault_to_play
from local.stand_ins.stand_in import StandIn
from local.stand_ins.twilio.addresses import number_of
from local.stand_ins.twilio.directory import Directory
from local.stand_ins.twilio.errors import NAMED_FAULTS, TwilioError, error_answer, refusal
from local.stand_ins.twilio.listing import list_request, page_of_messages
from local.stand_ins.twilio.messages import MessageStore, PhoneMessage
from local.stand_ins.twilio.orders import checked_order
from local.stand_ins.twilio.resources import API, account_resource, message_resource
from local.stand_ins.twilio.settings import TwilioSettings

_CREATE = Match(method="POST", paths=(f"{API}/Accounts/*/Messages.json",))


class TwilioStandIn(StandIn[TwilioSettings]):
    """Twilio on loopback: send, fetch and list messages, check credentials.

    Args:
        accounts: Auth token of each account, by its sid.
        templates: Text of each content template, with `{{1}}` or `{{name}}`, by its sid.
        senders: Addresses that may send, `whatsapp:` before those of WhatsApp; None for any.
        services: The senders of each messaging service, by its sid.
        settings: Delays.
        clock: Seconds since the epoch.
        port: Where to listen; 0 for any free port.
    """

    own_faults = frozenset({FaultKind.UNDELIVERED})

    def __init__(
        self,
        *,
        accounts: Mapping[str, str],
        templates: Mapping[str, str] | None = None,
        senders: Collection[str] | None = None,
        services: Mapping[str, Sequence[str]] | None = None,
        settings: TwilioSettings | None = None,
        clock: Callable[[], float] = time.time,
        port: int = 0,
    ) -> None:
        self._directory = Directory(accounts, templates or {}, senders, services or {})
        self._store = MessageStore(clock)
        super().__init__(
            self._application(),
            settings=settings or TwilioSettings(),
            named_faults=NAMED_FAULTS,
            port=port,
        )

    @property
    def base_url(self) -> str:
        """What stands in place of `https://api.twilio.com`."""
        return self.origin

    def phone(self, number: str) -> list[PhoneMessage]:
        """The messages on a recipient's phone, oldest first; `number` is E.164, bare or not."""
        return self._store.on_phone(number_of(number))

    def messages(self) -> list[dict[str, Any]]:
        """Every message that was accepted, as Twilio shows it, oldest first, whatever lists lag."""
        now = self._store.clock()
        return [
            message_resource(message, now, self.settings)
            for message in reversed(self._store.newest_first())
        ]

    def forget(self) -> None:
        """Forget all messages."""
        self._store.clear()

    def state(self) -> dict[str, Any]:
        """The messages accepted (`messages`), and what each phone shows (`phones`)."""
        messages = self.messages()
        numbers = sorted({number_of(message["to"]) for message in messages})
        return {
            "messages": messages,
            "phones": {number: [asdict(m) for m in self.phone(number)] for number in numbers},
        }

    def usual_match(self, fault: Fault) -> Match:
        """Late failures are of messages; anything else can befall every request."""
        return _CREATE if fault.kind in self.own_faults else ANY_REQUEST

    def error_answer(self, fault: Fault) -> Response:
        """The error answer that a fault asks for."""
        with self._flask.app_context():
            return error_answer(fault.status, fault.code, fault.message)

    def _application(self) -> Flask:
        self._flask = Flask("twilio", static_folder=None)
        self._flask.before_request(self._check_credentials)
        account = f"{API}/Accounts/<account_sid>"
        self._flask.get(f"{account}.json")(account_resource)
        self._flask.post(f"{account}/Messages.json")(self._create)
        self._flask.get(f"{account}/Messages.json")(self._list)
        self._flask.get(f"{account}/Messages/<sid>.json")(self._fetch)
        self._flask.register_error_handler(TwilioError, refusal)
        self._flask.register_error_handler(NotFound, lambda _: refusal(TwilioError(20404)))
        self._flask.register_error_handler(MethodNotAllowed, lambda _: refusal(TwilioError(20004)))
        return self._flask

    def _check_credentials(self) -> None:
        if request.path.startswith(CONTROL_PREFIX):
            return
        given = request.authorization
        if given is None or given.type != "basic":
            raise TwilioError(20003)
        sid = given.username or ""
        self._directory.check_credentials(sid, given.password or "")
        if (request.view_args or {}).get("account_sid", sid) != sid:
            raise TwilioError(20404)

    def _create(self, account_sid: str) -> tuple[Response, int]:
        order = checked_order(request.form, self._directory)
        fault = fault_to_play(request.environ)
        late_error = int(fault.code) if fault else None
        message = self._store.accept(account_sid, order, late_error)
        created = message_resource(message, message.created, self.settings)
        return jsonify(created), HTTPStatus.CREATED

    def _list(self, account_sid: str) -> dict[str, Any]:
        wanted = list_request(account_sid, request.args.to_dict())
        return page_of_messages(wanted, self._store, self.settings)

    def _fetch(self, account_sid: str, sid: str) -> dict[str, Any]:
        message = self._store.get(account_sid, sid)
        return message_resource(message, self._store.clock(), self.settings)
