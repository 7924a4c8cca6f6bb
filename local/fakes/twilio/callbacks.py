"""Status callbacks: their parameters and signature, when they are sent, and how often.

https://www.twilio.com/docs/messaging/guides/track-outbound-message-status and
https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides. There is no callback for
a message's first status, and concurrent callbacks may arrive in any order.
"""

import dataclasses
import heapq
import http.client
import itertools
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs, urldefrag, urlencode, urlsplit

from twilio.request_validator import RequestValidator

from local.fakes.faults import Fault, FaultKind, FaultPlan, RecordedRequest
from local.fakes.history import History
from local.fakes.server import HOST
from local.fakes.twilio.messages import API, Delivery, Message, TwilioSettings
from local.fakes.twilio.requests import is_whatsapp, number_of

TOTAL_SECONDS = 15.0
"""How long one callback may take, with all its attempts."""
CONCURRENT_CALLBACKS = 8
MAX_RETRIES = 5
RETRY_SECONDS = 0.1
"""The pause before the first retry; it doubles with each."""
UNANNOUNCED = {"AddedWithoutNotice": ""}
"""Twilio adds parameters without notice, also empty ones, and signs all of them."""
FAILURES = frozenset({"undelivered", "failed"})
STRANGER = (f"AC{'f' * 32}", "a-strangers-token")
"""Account and token with which callbacks are forged."""


@dataclass(frozen=True, slots=True)
class SentCallback:
    """One callback, with all its attempts.

    Attributes:
        sid: The message.
        status: The status that it reports.
        url: The requested URL, without the fragment.
        parameters: The form.
        at: When its first attempt was due, in seconds since the epoch.
        responses: HTTP status of the response to each attempt; None where there was none.
        fault: The injected fault, if any.
    """

    sid: str
    status: str
    url: str
    parameters: Mapping[str, str] = field(repr=False)
    at: float
    responses: tuple[int | None, ...] = ()
    fault: FaultKind | None = None


@dataclass(frozen=True, slots=True, order=True)
class _Scheduled:
    due: float
    number: int
    message: Message = field(compare=False)
    delivery: Delivery = field(compare=False)
    delayed: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class _Retries:
    """How often a callback is repeated, as the fragment of its URL says: `rc` and `rp`."""

    count: int
    policy: frozenset[str]

    @classmethod
    def of(cls, url: str) -> "_Retries":
        values = parse_qs(urldefrag(url).fragment)
        count, policy = values.get("rc", ["1"])[-1], values.get("rp", ["ct"])[-1]
        return cls(
            min(int(count), MAX_RETRIES) if count.isdecimal() else 1, frozenset(policy.split(","))
        )

    def apply_to(self, outcome: str) -> bool:
        """Return whether an attempt is repeated: `ct`, `rt`, `4xx` or `5xx`; `2xx` never is."""
        return outcome in self.policy or ("all" in self.policy and outcome != "2xx")


class CallbackSender:
    """Sends the callbacks of messages when they are due, to loopback addresses only.

    Any other host counts as unreachable.

    Args:
        accounts: Auth token of each account by its sid.
        clock: Returns seconds since the epoch.
        plan: Rules for callbacks; a callback has the path, the query and the form of its request.

    Attributes:
        sent: Every callback so far, in the order of their ends.
    """

    def __init__(
        self, accounts: Mapping[str, str], clock: Callable[[], float], plan: FaultPlan
    ) -> None:
        self._accounts = accounts
        self._clock = clock
        self._plan = plan
        self._changed = threading.Condition()
        self._scheduled: list[_Scheduled] = []
        self._numbers = itertools.count()
        self.sent = History[SentCallback]()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._connections: set[http.client.HTTPConnection] = set()

    def schedule(self, message: Message, settings: TwilioSettings) -> None:
        """Schedule the callbacks of a new message, if its request named a URL."""
        if not message.request.status_callback:
            return
        _, *later = message.deliveries(settings)
        with self._changed:
            for delivery in later:
                self._add(_Scheduled(delivery.updated, next(self._numbers), message, delivery))
            self._changed.notify_all()

    def clear(self) -> None:
        """Remove the callbacks that are scheduled, and the list of those sent."""
        with self._changed:
            self._scheduled.clear()
        self.sent.clear()

    def start(self) -> None:
        """Send callbacks when they are due, until `stop`."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="twilio-callbacks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Abort callbacks and join every thread; a second call does nothing."""
        with self._changed:
            self._stopping.set()
            connections = list(self._connections)
            self._changed.notify_all()
        for connection in connections:
            with suppress(OSError):
                if connection.sock:
                    connection.sock.shutdown(socket.SHUT_RDWR)
        if self._thread is not None:
            self._thread.join()
        self._thread = None

    def send_due(self) -> None:
        """Send the callbacks that are due, one after the other in the order of their times."""
        while scheduled := self._next_due():
            self._handle(scheduled)

    def _run(self) -> None:
        with ThreadPoolExecutor(CONCURRENT_CALLBACKS, "twilio-callback") as executor:
            while not self._stopping.is_set():
                if scheduled := self._next_due():
                    executor.submit(self._handle, scheduled)
                    continue
                with self._changed:
                    if not self._stopping.is_set():
                        self._changed.wait(self._seconds_to_next())
            executor.shutdown(wait=False, cancel_futures=True)

    def _seconds_to_next(self) -> float | None:
        return max(0.0, self._scheduled[0].due - self._clock()) if self._scheduled else None

    def _next_due(self) -> _Scheduled | None:
        with self._changed:
            if self._scheduled and self._scheduled[0].due <= self._clock():
                return heapq.heappop(self._scheduled)
        return None

    def _add(self, scheduled: _Scheduled) -> None:
        heapq.heappush(self._scheduled, scheduled)

    def _handle(self, scheduled: _Scheduled) -> None:
        message, form = scheduled.message, parameters(scheduled.message, scheduled.delivery)
        fault = None if scheduled.delayed else self._plan.next_fault(_request(scheduled, form))
        match fault.kind if fault else None:
            case FaultKind.CALLBACK_DELAYED if fault:
                later = dataclasses.replace(
                    scheduled, due=scheduled.due + fault.seconds, delayed=True
                )
                with self._changed:
                    self._add(later)
                    self._changed.notify_all()
                return
            case FaultKind.CALLBACK_LOST:
                self._record(scheduled, form, (), FaultKind.CALLBACK_LOST)
                return
            case FaultKind.CALLBACK_FORGED if fault:
                self._send_forged(scheduled, form, fault)
                fault = None
            case FaultKind.CALLBACK_WITHOUT_CODE:
                form.pop("ErrorCode", None)
        kind = fault.kind if fault else None
        if scheduled.delayed:
            kind = FaultKind.CALLBACK_DELAYED
        signature = self._signature(message, form, self._accounts[message.account_sid])
        for _ in range(2 if kind is FaultKind.CALLBACK_REPEATED else 1):
            self._record(scheduled, form, self._attempts(message, form, signature), kind)

    def _send_forged(self, scheduled: _Scheduled, genuine: Mapping[str, str], fault: Fault) -> None:
        message = scheduled.message
        own_token = self._accounts[message.account_sid]
        stranger, token = next(
            (each for each in self._accounts.items() if each[0] != message.account_sid), STRANGER
        )
        status = "read" if genuine["MessageStatus"] in FAILURES else "failed"
        form = {**genuine, "MessageStatus": status, "SmsStatus": status, "ErrorCode": "30008"}
        match fault.code:
            case "unsigned":
                signature = None
            case "body":
                signature = self._signature(message, genuine, own_token)
            case "account":
                form["AccountSid"] = stranger
                signature = self._signature(message, form, token)
            case _:
                signature = self._signature(message, form, STRANGER[1])
        responses = self._attempts(message, form, signature)
        self._record(scheduled, form, responses, FaultKind.CALLBACK_FORGED)

    def _signature(self, message: Message, form: Mapping[str, str], token: str) -> str:
        url = urldefrag(message.request.status_callback).url
        validator = RequestValidator(token)  # type: ignore[no-untyped-call]  # the SDK has no types here
        signature: str = validator.compute_signature(url, form)  # type: ignore[no-untyped-call]  # the same
        return signature

    def _record(
        self,
        scheduled: _Scheduled,
        form: Mapping[str, str],
        responses: tuple[int | None, ...],
        fault: FaultKind | None,
    ) -> None:
        url = urldefrag(scheduled.message.request.status_callback).url
        sent = SentCallback(
            scheduled.message.sid,
            form["MessageStatus"],
            url,
            form,
            scheduled.due,
            responses,
            fault,
        )
        self.sent.append(lambda _: sent)

    def _attempts(
        self, message: Message, form: Mapping[str, str], signature: str | None
    ) -> tuple[int | None, ...]:
        """Send a callback, again if its URL says so; return the status of each response."""
        url = message.request.status_callback
        retries, deadline = _Retries.of(url), time.monotonic() + TOTAL_SECONDS
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "User-Agent": "TwilioProxy/1.1",
            "I-Twilio-Idempotency-Token": str(uuid.uuid4()),
        } | ({} if signature is None else {"X-Twilio-Signature": signature})
        responses: list[int | None] = []
        for attempt in range(retries.count + 1):
            outcome, status = self._attempt(url, urlencode(form), headers, deadline)
            responses.append(status)
            pause = RETRY_SECONDS * 2**attempt
            if not retries.apply_to(outcome) or time.monotonic() + pause > deadline:
                break
            if self._stopping.wait(pause if attempt < retries.count else 0):
                break
        return tuple(responses)

    def _attempt(
        self, url: str, body: str, headers: Mapping[str, str], deadline: float
    ) -> tuple[str, int | None]:
        parts = urlsplit(urldefrag(url).url)
        name = parts.hostname or ""
        is_loopback = name in {HOST, "localhost"} or name.endswith(".localhost")
        if parts.scheme != "http" or not is_loopback:
            return "ct", None
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        seconds = max(0.01, deadline - time.monotonic())
        connection = http.client.HTTPConnection(HOST, parts.port or 80, timeout=seconds)
        try:
            connection.connect()
            with self._changed:
                if self._stopping.is_set():
                    return "ct", None
                self._connections.add(connection)
            connection.request("POST", target, body, {**headers, "Host": parts.netloc})
            status = connection.getresponse().status
        except TimeoutError:
            return "rt", None
        except (OSError, http.client.HTTPException):
            return "ct", None
        finally:
            connection.close()
            with self._changed:
                self._connections.discard(connection)
        is_error = status >= HTTPStatus.BAD_REQUEST
        return (f"{status // 100}xx" if is_error else "2xx"), status


def parameters(message: Message, delivery: Delivery) -> dict[str, str]:
    """Return the form of a callback."""
    request, status = message.request, delivery.status
    form = {
        "AccountSid": message.account_sid,
        "ApiVersion": API.strip("/"),
        "From": request.sender,
        "MessageSid": message.sid,
        "MessageStatus": status,
        "SmsSid": message.sid,
        "SmsStatus": status,
        "To": request.to,
        **UNANNOUNCED,
    }
    if request.service:
        form["MessagingServiceSid"] = request.service
    if is_whatsapp(request.to):
        form |= {"ChannelPrefix": "whatsapp", "ChannelToAddress": number_of(request.to)}
    if delivery.error_code is not None:
        form["ErrorCode"] = str(delivery.error_code)
    return form


def _request(scheduled: _Scheduled, form: Mapping[str, str]) -> RecordedRequest:
    parts = urlsplit(scheduled.message.request.status_callback)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    return RecordedRequest(scheduled.number, "POST", parts.path, query, form, scheduled.due)
