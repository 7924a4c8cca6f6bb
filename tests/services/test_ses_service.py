"""SES through botocore: one request per send, bounded in time, and the events about it."""

import re
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from werkzeug.serving import generate_adhoc_ssl_context

from lambda_src.channels import email
from lambda_src.core import (
    AccountRefused,
    ConfigurationError,
    ConfigurationRefused,
    NoCredentials,
    OutgoingMessage,
    PermanentFailure,
    RateLimited,
    SendOutcomeUnknown,
    TransientFailure,
)
from lambda_src.services.ses_service import MAX_IDLE_SECONDS, SesSender
from local.fakes import FakeSes, Fault
from local.fakes.aws import CREDENTIALS
from tests.support.servers import RawServer, json_answer

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
REFERENCE = "ZGVtby1jb21wYW55I3JlcS0x"
ACCEPTED = json_answer({"MessageId": "m-1"})


@pytest.fixture
def ses() -> Iterator[FakeSes]:
    """SES on loopback with two tenants."""
    tenants = {"demo-company": (DOMAIN,), "others": (OTHERS,)}
    with FakeSes(tenants=tenants, configuration_sets={CONFIGURATION_SET}) as fake:
        yield fake


def _sender_to(url: str, timeout: float = 2.0) -> SesSender:
    with patch.dict("os.environ", {**CREDENTIALS, "AWS_ENDPOINT_URL_SESV2": url}):
        return SesSender(timeout, CONFIGURATION_SET)


def _send(url: str, message: OutgoingMessage = MESSAGE, timeout: float = 2.0) -> str:
    with patch.dict("os.environ", CREDENTIALS):
        return _sender_to(url, timeout).send(NoCredentials(), message)


def test_a_send_is_one_request_with_all_parts(ses: FakeSes) -> None:
    """Subject, text, HTML, the sender's name, one-click unsubscribing, tags and the tenant."""
    config = {
        "company_email_name": 'Möwe "Jobs"',
        "reply_to": "tom@example.com",
        "unsubscribe_url": "https://example.com/stop/{token}",
        "unsubscribe_mailto": "stop@example.com?subject={token}",
        "tags": {"campaign": "spring"},
        "unknown": 1,
    }
    message_id = _send(ses.base_url, replace(MESSAGE, channel_config=config))
    (accepted,) = ses.messages()
    sent, token = accepted.email, f"{REFERENCE}.{MESSAGE.intent_id}"
    assert (message_id, 1) == (accepted.message_id, len(ses.requests))
    assert f"=?utf-8?b?TcO2d2UgIkpvYnMi?= <jobs@{DOMAIN}>" == sent.source
    assert (MESSAGE.recipient, "Your application", TEXT) == (
        sent.recipient,
        sent.subject,
        sent.text,
    )
    assert (
        '<p dir="auto">Dear Amara,</p><p dir="auto">your &lt;application&gt; has arrived: '
        '<a href="https://example.com/a?b=1&amp;c=2">https://example.com/a?b=1&amp;c=2</a>.<br>\n'
        "Tom</p>"
    ) in sent.html
    assert {
        "List-Unsubscribe": f"<https://example.com/stop/{token}>,"
        f" <mailto:stop@example.com?subject={token}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    } == sent.headers
    tags = {"conversation": REFERENCE, "intent": MESSAGE.intent_id, "campaign": "spring"}
    assert tags == sent.tags
    assert ("demo-company", DOMAIN) == (sent.tenant, sent.identity)
    assert ["tom@example.com"] == ses.requests[0].body["ReplyToAddresses"]


def test_a_message_without_configuration_has_the_companys_name(ses: FakeSes) -> None:
    """And no header; a subject is one line; a long conversation id fits into a tag."""
    variables = {"subject": "Your\n application", "text": "Grüße"}
    long_id = "ü" * (email.MAX_CONVERSATION_ID_BYTES // 2)
    name = 'A "B" \\ Ltd.'
    _send(
        ses.base_url,
        replace(MESSAGE, company_name=name, conversation_id=long_id, variables=variables),
    )
    sent = ses.messages()[0].email
    assert ({}, "Your application", "Grüße") == (sent.headers, sent.subject, sent.text)
    assert rf'"A \"B\" \\ Ltd." <jobs@{DOMAIN}>' == sent.source


@pytest.mark.parametrize(
    ("message", "kind", "code"),
    [
        ({"tenant": "nobody"}, ConfigurationRefused, "ses_NotFoundException"),
        ({"sender": f"jobs@{OTHERS}"}, ConfigurationRefused, "ses_AccessDeniedException"),
        ({"sender": "jobs@example.net"}, ConfigurationRefused, "ses_MessageRejected"),
        ({"tenant": "demo company"}, PermanentFailure, "email_configuration_invalid"),
        ({"company_name": ""}, PermanentFailure, "email_configuration_invalid"),
        ({"variables": {"subject": "Hello"}}, PermanentFailure, "email_configuration_invalid"),
        *(
            ({"channel_config": config}, PermanentFailure, "email_configuration_invalid")
            for config in (
                {"company_email_name": "Two\nlines"},
                {"reply_to": "secret@example.com, b@example.com"},
                {"reply_to": 1},
                {"unsubscribe_url": "http://example.com/{token}"},
                {"unsubscribe_url": "https://example.com/"},
                {"unsubscribe_url": f"https://example.com/{'a' * 990}{{token}}"},
                {"unsubscribe_mailto": "mailto:"},
                {"tags": {"intent": "mine"}},
                {"tags": {"ses:a": "b"}},
                {"tags": {"a": "b c"}},
                {"tags": ["a"]},
            )
        ),
    ],
)
def test_a_tenants_configuration_is_refused_with_an_alarm(
    ses: FakeSes, message: dict[str, Any], kind: type[Exception], code: str
) -> None:
    """By SES where it concerns the tenant's resources, before the request otherwise."""
    with pytest.raises(kind, match=code) as raised:
        _send(ses.base_url, replace(MESSAGE, **message))
    assert getattr(raised.value, "alarm", False)
    assert not re.search("secret|jobs@|example.net", repr(raised.value))
    assert [] == ses.messages()
    assert (code != "email_configuration_invalid") == bool(ses.requests)


@pytest.mark.parametrize(
    ("fault", "kind", "alarm"),
    [
        ("TooManyRequestsException", RateLimited, False),
        ("ThrottlingException", RateLimited, False),
        ("LimitExceededException", RateLimited, False),
        ("AccountSuspendedException", AccountRefused, True),
        ("SendingPausedException", AccountRefused, True),
        ("ExpiredTokenException", AccountRefused, True),
        ("MailFromDomainNotVerifiedException", ConfigurationRefused, True),
        ("MessageRejected", PermanentFailure, True),
        ("BadRequestException", PermanentFailure, True),
        (Fault.error(403), ConfigurationRefused, True),
        (Fault.error(429), RateLimited, False),
        (Fault.error(418), PermanentFailure, True),
        (Fault.error(408), SendOutcomeUnknown, False),
        (Fault.not_json(301), SendOutcomeUnknown, False),
        ("InternalFailure", SendOutcomeUnknown, False),
        ("ServiceUnavailable", SendOutcomeUnknown, False),
        (Fault.error(500, "ThrottlingException", effect_applied=True), SendOutcomeUnknown, False),
        (Fault.hang(), SendOutcomeUnknown, False),
        (Fault.reset(), SendOutcomeUnknown, False),
        (Fault.reset(effect_applied=True), SendOutcomeUnknown, False),
        (Fault.empty(), SendOutcomeUnknown, False),
        (Fault.not_json(502), SendOutcomeUnknown, False),
        (Fault.not_json(200, effect_applied=True), SendOutcomeUnknown, False),
    ],
)  # fmt: skip
def test_a_failed_send_is_classified_and_not_repeated(
    ses: FakeSes, fault: Fault | str, kind: type[Exception], alarm: bool
) -> None:
    """Without the text of SES's answer, which contains addresses."""
    ses.fail_next(fault)
    with pytest.raises(kind) as raised:
        _send(ses.base_url, timeout=0.5)
    assert kind is type(raised.value)
    assert (alarm, 1) == (getattr(raised.value, "alarm", None), len(ses.requests))


def test_without_a_connection_or_a_trusted_certificate_nothing_was_sent() -> None:
    """It may be attempted again."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(TransientFailure, match="ses_unreachable"):
            _send(f"http://127.0.0.1:{unused.getsockname()[1]}")
    with RawServer(ACCEPTED, tls=generate_adhoc_ssl_context()) as server:
        with pytest.raises(TransientFailure, match="ses_unreachable"):
            _send(server.base_url)
        assert [] == server.headers


def test_a_slow_answer_ends_at_the_timeout() -> None:
    """Which is the whole request's, however many bytes arrive."""
    parts = [b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n", *([b" "] * 300)]
    with RawServer(*parts, pause=0.05) as server:
        started = time.monotonic()
        with pytest.raises(SendOutcomeUnknown, match="ses_answer_lost"):
            _send(server.base_url, timeout=0.4)
    assert time.monotonic() - started < 10


def test_an_idle_connection_is_not_used_again() -> None:
    """A reset on it would leave the outcome unknown."""
    with RawServer(ACCEPTED) as server, patch.dict("os.environ", CREDENTIALS):
        sender = _sender_to(server.base_url)
        for _ in range(2):
            sender.send(NoCredentials(), MESSAGE)
        assert 1 == server.connections
        later = time.monotonic() + MAX_IDLE_SECONDS + 1
        with patch("lambda_src.services.ses_service.time.monotonic", return_value=later):
            sender.send(NoCredentials(), MESSAGE)
    assert 2 == server.connections


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
        ("amara@example", None),
        ("a..b@example.com", None),
        ("ämara@example.com", None),
        (f"{'a' * 65}@example.com", None),
        (f"a@{'b' * 63}.{'c' * 63}.{'d' * 63}.{'e' * 63}.com", None),
        ("Amara <amara@example.com>", None),
        ("a@b@example.com", None),
    ],
)
def test_an_address_has_one_spelling(typed: str, address: str | None) -> None:
    """In ASCII, as SES takes it; other text is refused."""
    addressing = email.PARTS.addressing
    if address:
        assert address == addressing.normalize(typed)
        assert address == addressing.normalize(address)
    else:
        with pytest.raises(ValueError, match="expected an e-mail address"):
            addressing.normalize(typed)
