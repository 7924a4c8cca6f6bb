"""SES through botocore: one request per send, bounded in time, and the events about it."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from lambda_src.channels import email
from lambda_src.core import (
    AccountRefused,
    ConfigurationError,
    ConfigurationRefused,
    NoCredentials,
    OutgoingMessage,
    PermanentFailure,
    RateLimited,
    RecipientOptedOut,
    RejectedContext,
    SendOutcomeUnknown,
)
from lambda_src.services.ses_service import SesSender
from lambda_src.utils.context_processor import ContextParser
from local.fakes import FakeSes, Fault, SesSettings
from local.fakes.aws import CREDENTIALS
from local.fakes.clock import VirtualClock
from local.fakes.ses.events import EICAR
from tests.support import contexts

CONFIGURATION_SET, DOMAIN, OTHERS = "events", "mail.example.com", "others.example.com"
TEXT = "Dear Amara,\n\nyour <application> has arrived: https://example.com/a?b=1&c=2.\nTom\n"
MESSAGE = OutgoingMessage(
    f"jobs@{DOMAIN}",
    "amara@example.com",
    variables={"subject": "Your application", "text": TEXT},
    conversation_id="demo-company#req-1",
    intent_id="AbC_-123456789012345678",
    tenant="demo-company",
    company_name="Harbour Logistics",
)
SETTINGS = {
    "company_email_name": 'Möwe "Jobs"',
    "reply_to": "tom@example.com",
    "unsubscribe_url": "https://example.com/stop/{token}",
    "unsubscribe_mailto": "stop@example.com?subject={token}",
    "tags": {"campaign": "spring"},
}
COMPANY = "company_data_payload"
CONFIG = f"{COMPANY}.channel_config.email"
EXAMPLE = Path(__file__).parents[2] / "examples" / "contexts" / "email.json"
PARSE_EMAIL = ContextParser.for_channel("email", email.PARTS, lambda _: True)
REFERENCE = "ZGVtby1jb21wYW55I3JlcS0x"


@pytest.fixture(scope="module")
def server() -> Iterator[FakeSes]:
    """SES on loopback with two tenants."""
    tenants, names = {"demo-company": (DOMAIN,), "others": (OTHERS,)}, {CONFIGURATION_SET}
    with FakeSes(tenants=tenants, configuration_sets=names, clock=VirtualClock()) as fake:
        yield fake


@pytest.fixture
def ses(server: FakeSes) -> FakeSes:
    """SES, empty."""
    server.reset()
    return server


def _example() -> dict[str, Any]:
    """Return the shipped example, whose tenant has not chosen a name for the sender."""
    document: dict[str, Any] = json.loads(EXAMPLE.read_text())
    return contexts.without(f"{CONFIG}.company_email_name", document)


def _sender_to(url: str, timeout: float = 2.0) -> SesSender:
    with patch.dict("os.environ", {**CREDENTIALS, "AWS_ENDPOINT_URL_SESV2": url}):
        return SesSender(timeout, CONFIGURATION_SET)


def _send(url: str, message: OutgoingMessage = MESSAGE, timeout: float = 2.0) -> str:
    return _sender_to(url, timeout).send(NoCredentials(), message)


def test_a_send_is_one_request_with_all_parts(ses: FakeSes) -> None:
    """Subject, text, HTML, the sender's name, one-click unsubscribing, tags and the tenant."""
    message_id = _send(ses.base_url, replace(MESSAGE, channel_config=SETTINGS))
    (accepted,), (request,) = ses.messages(), ses.requests
    sent, token = accepted.email, f"{REFERENCE}.{MESSAGE.intent_id}"
    tags = {"conversation": REFERENCE, "intent": MESSAGE.intent_id, "campaign": "spring"}
    headers = {
        "List-Unsubscribe": f"<https://example.com/stop/{token}>,"
        f" <mailto:stop@example.com?subject={token}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    assert (message_id, headers, tags) == (accepted.message_id, sent.headers, sent.tags)
    assert f"=?utf-8?b?TcO2d2UgIkpvYnMi?= <jobs@{DOMAIN}>" == sent.source
    assert [*MESSAGE.variables.values()] == [sent.subject, sent.text]
    assert ("demo-company", MESSAGE.recipient) == (sent.tenant, sent.recipient)
    assert (
        '<p dir="auto">Dear Amara,</p><p dir="auto">your &lt;application&gt; has arrived: '
        '<a href="https://example.com/a?b=1&amp;c=2">https://example.com/a?b=1&amp;c=2</a>.<br>\n'
        "Tom</p>"
    ) in sent.html
    assert ["tom@example.com"] == request.body["ReplyToAddresses"]


def test_a_message_without_configuration_has_the_companys_name(ses: FakeSes) -> None:
    """And no header; a subject is one line; a long conversation id fits into a tag."""
    variables = {"subject": "Your\n application", "text": "Grüße"}
    long_id = "ü" * (email.MAX_CONVERSATION_ID_BYTES // 2)
    names: dict[str, Any] = {"company_name": 'A "B" \\ Ltd.', "conversation_id": long_id}
    _send(ses.base_url, replace(MESSAGE, variables=variables, **names))
    sent = ses.messages()[0].email
    assert ({}, "Your application", "Grüße") == (sent.headers, sent.subject, sent.text)
    assert rf'"A \"B\" \\ Ltd." <jobs@{DOMAIN}>' == sent.source


@pytest.mark.parametrize(
    ("message", "kind", "code"),
    [
        ({"tenant": "nobody"}, ConfigurationRefused, "ses_NotFoundException"),
        ({"sender": f"jobs@{OTHERS}"}, ConfigurationRefused, "ses_AccessDeniedException"),
        ({"sender": "jobs@example.net"}, ConfigurationRefused, "ses_MessageRejected"),
    ],
)
def test_a_tenants_resources_are_refused_with_an_alarm(
    ses: FakeSes, message: dict[str, Any], kind: type[Exception], code: str
) -> None:
    """SES does not know the tenant, or the sender is not theirs."""
    with pytest.raises(kind, match=code) as raised:
        _send(ses.base_url, replace(MESSAGE, **message))
    assert getattr(raised.value, "alarm", False)
    assert not re.search("jobs@|example.net", repr(raised.value))
    assert [] == ses.messages()


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        (f"{COMPANY}.company_id", "demo company", "1 to 64 ASCII letters"),
        (f"{COMPANY}.company_name", "n" * 129, "1 to 128 characters in one line"),
        (f"{CONFIG}.company_email_name", "Two\nlines", "1 to 128 characters in one line"),
        *((f"{CONFIG}.reply_to", value, "an e-mail address in ASCII") for value in (
            "secret@example.com, b@example.com", 1, "",
        )),
        *((f"{CONFIG}.unsubscribe_url", value, "an https URL with the part {token}") for value in (
            "http://example.com/{token}", "https://example.com/",
        )),
        (f"{CONFIG}.unsubscribe_url", f"https://example.com/{'a' * 990}{{token}}", "at most 995"),
        (f"{CONFIG}.unsubscribe_mailto", "mailto:", "an e-mail address, possibly with a query"),
        *((f"{CONFIG}.tags", value, "an object of names and values") for value in (
            {"intent": "mine"}, {"ses:a": "b"}, {"a": "b c"}, ["a"],
        )),
    ],
)  # fmt: skip
def test_a_tenants_configuration_is_refused_before_the_ai_is_asked(
    field: str, value: object, expected: str
) -> None:
    """While the context object is parsed, by a problem that names the field without its value."""
    with pytest.raises(RejectedContext) as raised:
        PARSE_EMAIL(contexts.body(contexts.changed(field, value, _example())))
    (problem,) = raised.value.problems
    assert ("email_configuration_invalid", field) == (problem.code, problem.field)
    assert expected in problem.expected
    assert not re.search("secret|Two|mine", str(problem))
    assert raised.value.key


def test_a_tenants_whole_configuration_is_valid() -> None:
    """Every setting, and the longest conversation id."""
    long_id = "ü" * (email.MAX_CONVERSATION_ID_BYTES // 2)
    document = contexts.changed("conversation_data.conversation_id", long_id, _example())
    for name, value in SETTINGS.items():
        document = contexts.changed(f"{CONFIG}.{name}", value, document)
    assert SETTINGS.items() <= PARSE_EMAIL(contexts.body(document)).channel_config.items()


@pytest.mark.parametrize(
    ("fault", "kind", "alarm"),
    [
        *((fault, RateLimited, False) for fault in (
            "TooManyRequestsException", "ThrottlingException", "LimitExceededException",
            Fault.error(429),
        )),
        *((fault, AccountRefused, True) for fault in (
            "AccountSuspendedException", "SendingPausedException", "ExpiredTokenException",
        )),
        ("MailFromDomainNotVerifiedException", ConfigurationRefused, True),
        (Fault.error(403), ConfigurationRefused, True),
        *((fault, PermanentFailure, True) for fault in (
            "MessageRejected", "BadRequestException", Fault.error(418),
        )),
        *((fault, SendOutcomeUnknown, False) for fault in (
            Fault.error(408), Fault.not_json(301), "InternalFailure", "ServiceUnavailable",
            Fault.error(500, "ThrottlingException", effect_applied=True), Fault.hang(),
            Fault.reset(), Fault.reset(effect_applied=True), Fault.empty(), Fault.not_json(502),
            Fault.not_json(200, effect_applied=True),
        )),
    ],
)  # fmt: skip
def test_a_failed_send_is_classified_and_not_repeated(
    ses: FakeSes, fault: Fault | str, kind: type[Exception], alarm: bool
) -> None:
    """Without the text of SES's answer, which contains addresses."""
    ses.fail_next(fault)
    with pytest.raises(kind) as raised:
        _send(ses.base_url, timeout=3)
    assert kind is type(raised.value)
    assert (alarm, 1) == (getattr(raised.value, "alarm", None), len(ses.requests))


def test_the_sender_needs_a_configuration_set() -> None:
    """Without one no event would report a delivery."""
    with pytest.raises(ConfigurationError, match="SES_CONFIGURATION_SET"):
        email.make_sender(Any)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("Amara.O+jobs@Example.COM", "amara.o+jobs@example.com"),
        (" mailto:amara@example.com ", "amara@example.com"),
        ("amara@bücher.example", "amara@xn--bcher-kva.example"),
        *((text, None) for text in (
            "amara@example", "a..b@example.com", "ämara@example.com", "A <a@example.com>",
            "a b@example.com", f"{'a' * 65}@example.com", f"a@{'.'.join(['b' * 63] * 4)}.com",
        )),
    ],
)  # fmt: skip
def test_an_address_has_one_spelling(typed: str, address: str | None) -> None:
    """In ASCII, as SES takes it; other text is refused."""
    normalize = email.PARTS.addressing.normalize
    if address:
        assert (address, address) == (normalize(typed), normalize(address))
    else:
        with pytest.raises(ValueError, match="expected an e-mail address"):
            normalize(typed)


@pytest.fixture(scope="module")
def event(server: FakeSes) -> dict[str, Any]:
    """SES's report that a message was delivered."""
    return _events(server, MESSAGE.recipient)["Delivery"]


def _events(ses: FakeSes, recipient: str, text: str = TEXT) -> dict[str, dict[str, Any]]:
    """Send a message, and return its events by type."""
    ses.settings = SesSettings(delivered_after_seconds=0)
    variables = {"subject": "Hello", "text": text}
    _send(ses.base_url, replace(MESSAGE, recipient=recipient, variables=variables))
    ses.publish_due_events()
    return {sent.document["eventType"]: dict(sent.document) for sent in ses.events()}


@pytest.mark.parametrize(
    ("mailbox", "text", "reports"),
    [
        ("success", TEXT, {"Send": None, "Delivery": "delivered"}),
        ("bounce", TEXT, {"Send": None, "Bounce": "undelivered"}),
        ("suppressionlist+1", TEXT, {"Send": None, "Bounce": "undelivered"}),
        ("ooto", TEXT, {"Send": None, "Delivery": "delivered", "Bounce": None}),
        ("complaint", TEXT, {"Send": None, "Delivery": "delivered", "Complaint": "opted out"}),
        ("success", f"X {EICAR}", {"Send": None, "Reject": "failed"}),
    ],
)  # fmt: skip
def test_events_are_read(ses: FakeSes, mailbox: str, text: str, reports: dict[str, Any]) -> None:
    """Each names its record and the intent; a complaint changes no status."""
    recipient, found = f"{mailbox}@simulator.amazonses.com", {}
    for kind, document in _events(ses, recipient, text).items():
        read = email.EVENTS.read(document)
        assert read
        ids = (read.conversation_id, read.intent_id, read.event.recipient)
        assert (MESSAGE.conversation_id, MESSAGE.intent_id, recipient) == ids
        assert read.at == pytest.approx(time.time(), abs=60)
        found[kind] = "opted out" if read.opted_out else read.event.status
    assert reports == found


def test_a_report_that_a_message_is_not_spam_is_no_complaint(event: dict[str, Any]) -> None:
    """It corrects an earlier one."""
    details = {"complaint": {"complaintFeedbackType": "not-spam"}}
    read = email.EVENTS.read({**event, "eventType": "Complaint", **details})
    assert (True, False) == (bool(read), bool(read and read.opted_out))


@pytest.mark.parametrize(
    ("kind", "details", "code", "error"),
    [
        ("Bounce", {"bounceType": "Permanent", "bounceSubType": "NoEmail"},
         "ses_bounce_no_email", RecipientOptedOut),
        ("Bounce", {"bounceType": "Permanent", "bounceSubType": {"new": "x"}},
         "ses_bounce_permanent", RecipientOptedOut),
        ("Reject", {"reason": "Bad content"}, "ses_reject", PermanentFailure),
        ("Rendering Failure", {"errorMessage": "x"}, "ses_rendering_failure", PermanentFailure),
    ],
)  # fmt: skip
def test_a_message_that_was_not_delivered_is_classified(
    event: dict[str, Any], kind: str, details: dict[str, Any], code: str, error: type[Exception]
) -> None:
    """After a permanent bounce the address is suppressed."""
    name = "failure" if kind == "Rendering Failure" else kind.lower()
    read = email.EVENTS.read({"eventType": kind, "mail": event["mail"], name: details})
    assert read
    failure = email.EVENTS.classify(read.event)
    assert (error, code) == (type(failure), failure.code)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("destination", []), ("destination", ["a@example.com", "b@example.com"]),
        ("destination", ["Amara"]), ("destination", [1]), ("destination", "a"),
        ("messageId", ""), ("messageId", None), ("timestamp", "yesterday"), ("timestamp", 1),
        ("tags", {}), ("tags", None), ("tags", {"conversation": ["x"], "intent": ["i"]}),
        ("tags", {"conversation": [""], "intent": ["i"]}),
        ("tags", {"conversation": [f"{REFERENCE}="], "intent": ["i"]}),
        ("tags", {"conversation": [REFERENCE], "intent": ["a", "b"]}),
        ("tags", {"conversation": [REFERENCE], "intent": ["a b"]}),
    ],
)  # fmt: skip
def test_another_event_is_unreadable(event: dict[str, Any], part: str, value: object) -> None:
    """Such as one of a message that another program sent; nothing raises."""
    document = {"eventType": "Send", "send": {}, "mail": event["mail"] | {part: value}}
    assert email.EVENTS.read(document) is None
