"""The fake of Twilio's status callbacks: what they contain, when and how often they are sent."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from twilio.request_validator import RequestValidator
from twilio.rest import Client
from werkzeug.wrappers import Request, Response

from local.fakes import FakeTwilio, Fault, Match, TwilioSettings
from local.fakes.clock import VirtualClock
from local.fakes.faults import FORGERIES
from local.fakes.server import LoopbackServer
from local.lifecycle import wait_for
from tests.local.fakes.clients import (
    ACCOUNT,
    RECIPIENT,
    SENDER,
    SERVICE,
    TIMEOUT,
    TOKEN,
    twilio_client,
)

PLAIN = {"to": "+15550100002", "from_": "+15550100001"}
ALL_READ = TwilioSettings(sent_after_seconds=1, delivered_after_seconds=2, read_after_seconds=3)
STATUS = "MessageStatus"


@dataclass
class Receiver:
    """The customer's server, and the account whose messages name it.

    Attributes:
        fake: Twilio's fake.
        client: The account's client.
        clock: The fake's clock.
        url: Where callbacks are sent.
        responses: Status of each response; afterwards, and 0 for a reset connection, 204.
        received: URL, form and signature of each request.
    """

    fake: FakeTwilio
    client: Client
    clock: VirtualClock
    url: str = ""
    responses: list[int] = field(default_factory=list)
    received: list[tuple[str, dict[str, str], str | None]] = field(default_factory=list)

    def respond(self, request: Request) -> Response:
        """Record a request, and return the next response."""
        assert "application/x-www-form-urlencoded" == request.mimetype
        signature = request.headers.get("X-Twilio-Signature")
        self.received.append((request.url, request.form.to_dict(), signature))
        status = self.responses.pop(0) if self.responses else 204
        if not status:
            raise ConnectionResetError("as a test needs it")
        return Response(status=status)

    @property
    def statuses(self) -> list[str]:
        """The reported statuses, in the order of arrival."""
        return [form[STATUS] for _, form, _ in self.received]

    def genuine(self, token: str = TOKEN) -> list[bool]:
        """Return whether each request was signed by the account that it names."""
        validator = RequestValidator(token)  # type: ignore[no-untyped-call]  # the SDK has no types
        return [
            form["AccountSid"] == ACCOUNT and bool(validator.validate(url, form, signature or ""))  # type: ignore[no-untyped-call]  # the same
            for url, form, signature in self.received
        ]

    def send(self, fragment: str = "", **parameters: Any) -> str:
        """Send a message with a callback URL; return its sid."""
        given = {"to": RECIPIENT, "from_": SENDER, "body": "x"} | parameters
        sent = self.client.messages.create(**given, status_callback=self.url + fragment)
        return str(sent.sid)

    def wait(self) -> None:
        """Advance the time until nothing more is due, and let the callbacks be sent."""
        for _ in range(9):
            self.clock.advance(1)
            self.fake.send_due_callbacks()


@pytest.fixture
def receiver(twilio: FakeTwilio, sms: Client, clock: VirtualClock) -> Iterator[Receiver]:
    """A running customer's server."""
    receiver = Receiver(twilio, sms, clock)
    with LoopbackServer(Request.application(receiver.respond), name="receiver") as server:
        receiver.url = f"{server.origin}/callbacks/whatsapp/cmVm/aWQ"
        yield receiver


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [({}, ["sent", "delivered", "read"]), (PLAIN, ["sent", "delivered"])],
)
def test_each_later_status_is_reported(
    receiver: Receiver,
    parameters: dict[str, str],
    expected: list[str],
) -> None:
    """Each status but the first is reported when the message has it; an SMS is never read."""
    receiver.fake.settings = ALL_READ
    sid, seen = receiver.send(**parameters), []
    for _ in expected:
        receiver.clock.advance(1)
        receiver.fake.send_due_callbacks()
        seen.append(str(receiver.client.messages(sid).fetch().status))
    assert [expected, expected] == [seen, receiver.statuses]
    receiver.wait()
    assert len(expected) == len(receiver.received)


def test_a_callback_has_twilios_format(twilio: FakeTwilio, receiver: Receiver) -> None:
    """The signature covers the URL without its fragment and every parameter, also an empty one."""
    receiver.url += "?attempt=1&empty="
    sid = receiver.send("#rc=5&rp=all", messaging_service_sid=SERVICE, from_="")
    twilio.send_due_callbacks()
    url, form, _ = receiver.received[0]
    expected = {"MessageSid": sid, "SmsSid": sid, STATUS: "sent", "SmsStatus": "sent"} | {
        "AccountSid": ACCOUNT,
        "ApiVersion": "2010-04-01",
        "From": SENDER,
        "To": RECIPIENT,
        "MessagingServiceSid": SERVICE,
    }
    assert (receiver.url, expected) == (url, {name: form[name] for name in expected})
    assert "" in form.values()
    assert [True, True] == receiver.genuine()
    assert [False, False] == receiver.genuine("another token")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.undelivered(63049), ["sent", "undelivered"]),
        (Fault.delivery_failed(30008), ["failed"]),
    ],
)
def test_a_failure_ends_the_message(
    receiver: Receiver,
    fault: Fault,
    expected: list[str],
) -> None:
    """A failure is reported with its code, also by lists, and nothing follows it."""
    receiver.fake.settings = ALL_READ
    receiver.fake.fail_next(fault)
    sid = receiver.send()
    receiver.wait()
    codes = [form.get("ErrorCode") for _, form, _ in receiver.received]
    assert (expected, fault.code) == (receiver.statuses, codes[-1])
    message = receiver.client.messages(sid).fetch()
    assert (expected[-1], int(fault.code)) == (str(message.status), message.error_code)
    assert ["sent" in expected, False] == [
        bool(message.date_sent),
        bool(receiver.fake.inbox(RECIPIENT)),
    ]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.callback_lost(), ["sent", "read"]),
        (Fault.callback_delayed(5), ["sent", "read", "delivered"]),
        (Fault.callback_repeated(), ["sent", "delivered", "delivered", "read"]),
        *(
            (Fault.callback_forged(forgery), ["sent", "failed", "delivered", "read"])
            for forgery in FORGERIES
        ),
    ],
    ids=lambda value: value.code or value.kind if isinstance(value, Fault) else "",
)
def test_callbacks_can_go_wrong(
    receiver: Receiver,
    fault: Fault,
    expected: list[str],
) -> None:
    """A selected callback is lost, late, sent twice, or preceded by a false one."""
    receiver.fake.settings = ALL_READ
    receiver.fake.fail_next(fault, match=Match(contains="delivered"))
    receiver.send()
    receiver.wait()
    assert expected == receiver.statuses
    assert [status != "failed" for status in expected] == receiver.genuine()
    assert {None, fault.kind} == {callback.fault for callback in receiver.fake.callbacks()}
    assert [] == receiver.fake.pending_faults


@pytest.mark.parametrize(
    ("fragment", "responses", "attempts"),
    [
        ("", [500], 1),
        ("#rc=5&rp=all", [500, 404, 0, 503], 5),
        ("#rc=2&rp=all", [500, 500, 500, 500], 3),
        ("#rc=5&rp=4xx,ct", [404, 500], 2),
    ],
)
def test_a_callback_is_repeated_as_its_url_says(
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    fragment: str,
    responses: list[int],
    attempts: int,
) -> None:
    """By default once after a connection fault; `rc` and `rp` say how often after which faults."""
    monkeypatch.setattr("local.fakes.twilio.callbacks.RETRY_SECONDS", 0)
    receiver.fake.fail_next(Fault.callback_lost(), match=Match(contains="delivered"))
    receiver.responses = list(responses)
    receiver.send(fragment)
    receiver.fake.send_due_callbacks()
    assert ["sent"] * attempts == receiver.statuses
    seen = [status or None for status in [*responses, 204][:attempts]]
    assert seen == [*receiver.fake.callbacks()[0].responses]


@pytest.mark.parametrize("host", ["callbacks.example.com", "192.0.2.1", "127.0.0.1:1"])
def test_only_loopback_is_called(twilio: FakeTwilio, receiver: Receiver, host: str) -> None:
    """Any other host is unreachable, as is a port on which nothing listens."""
    receiver.url = f"http://{host}/callbacks"
    receiver.send()
    twilio.send_due_callbacks()
    assert [(None, None)] * 2 == [callback.responses for callback in twilio.callbacks()]


def test_callbacks_are_sent_in_time(receiver: Receiver) -> None:
    """With the system's clock they are sent without a call, also before the send has returned."""
    with FakeTwilio(accounts={ACCOUNT: TOKEN}) as twilio:
        twilio.fail_next(Fault.slow(0.5, effect_applied=True))
        receiver.client = twilio_client(twilio.base_url)
        receiver.send()
        assert ["delivered", "sent"] == sorted(receiver.statuses)


def test_a_fake_stops_during_a_callback(receiver: Receiver) -> None:
    """Stopping aborts a callback without a response, and drops those that are not due."""
    settings = TwilioSettings(sent_after_seconds=0, delivered_after_seconds=3_600)
    with FakeTwilio(accounts={ACCOUNT: TOKEN}, settings=settings) as twilio:
        with FakeTwilio(accounts={}) as silent:
            silent.add_rule(silent.rule(Fault.hang(), times=None))
            receiver.url = silent.origin
            receiver.client = twilio_client(twilio.base_url)
            receiver.send()
            assert wait_for(lambda: silent.requests, TIMEOUT)
            started = time.monotonic()
            twilio.stop()
        assert time.monotonic() - started < TIMEOUT / 10
