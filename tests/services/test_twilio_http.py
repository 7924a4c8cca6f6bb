"""Twilio's HTTP client: bounded in time, without cookies, closed when idle; what never left."""

import datetime
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lambda_src.channels.whatsapp import addresses
from lambda_src.core.drafting import with_secret
from lambda_src.core.errors import CredentialsRefused, Step, TransientFailure
from lambda_src.core.message import OutgoingMessage
from lambda_src.core.send_errors import SendOutcomeUnknown
from lambda_src.services import twilio_http
from lambda_src.services.secret_forms import TwilioCredentials
from lambda_src.services.twilio_http import PhasedHttpClient
from lambda_src.services.twilio_service import TwilioSender
from tests.services.channel import ACCOUNT, TOKEN
from tests.services.raw_server import RawServer, http_answer, json_answer

CREDENTIALS = TwilioCredentials(ACCOUNT, TOKEN, None)
TEXT = OutgoingMessage("+15550100001", "+15550100002", body="Good morning.")
ACCEPTED = json_answer({"sid": "SM1"}, status=201)


@pytest.mark.parametrize(
    "parts",
    [
        [b"HTTP/1.1 201 Created\r\n", *(b"X-Late-%d: 1\r\n" % number for number in range(300))],
        [b"HTTP/1.1 201 Created\r\nContent-Length: 300\r\n\r\n", *([b" "] * 300)],
    ],
    ids=["headers", "body"],
)
def test_answer_that_trickles_in_ends_in_time(parts: list[bytes]) -> None:
    """The timeout is the whole request's: bytes that keep coming do not prolong it."""
    with RawServer(*parts, pause=0.1) as server:
        sender = TwilioSender(0.6, server.base_url, addresses)
        begun = time.monotonic()

        with pytest.raises(SendOutcomeUnknown, match="twilio_answer_lost"):
            sender.send(CREDENTIALS, TEXT)

    assert time.monotonic() - begun < 20


def test_kept_connection_has_the_whole_time_again() -> None:
    """What is left of one request's time is not the next one's."""
    with RawServer(ACCEPTED[:20], ACCEPTED[20:], pause=0.3) as server:
        sender = TwilioSender(2.0, server.base_url, addresses)

        sids = [sender.send(CREDENTIALS, TEXT) for _ in range(4)]

    assert ["SM1"] * 4 == sids
    assert 1 == server.connections


def test_no_cookie_is_kept() -> None:
    """The client serves every tenant: what one was told is not sent along by another."""
    answer = http_answer(201, b'{"sid": "SM1"}', "Set-Cookie: tenant=one; Path=/")
    with RawServer(answer) as server:
        sender = TwilioSender(2.0, server.base_url, addresses)
        for _ in range(2):
            sender.send(CREDENTIALS, TEXT)

    assert 2 == len(server.headers)
    assert "cookie" not in "".join(server.headers).lower()


def test_idle_connection_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that idled for long is closed first: a reset on it would say nothing."""
    with RawServer(ACCEPTED) as server:
        sender = TwilioSender(2.0, server.base_url, addresses)
        for _ in range(2):
            sender.send(CREDENTIALS, TEXT)
        assert 1 == server.connections
        later = time.monotonic() + twilio_http.IDLE_SECONDS + 1
        monkeypatch.setattr("lambda_src.services.twilio_http.time.monotonic", lambda: later)

        sender.send(CREDENTIALS, TEXT)

    assert 2 == server.connections


def test_idle_connections_are_closed_by_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of a batch alone: a second would close what the first has begun to use."""
    client = PhasedHttpClient(2.0, "")
    closed: list[None] = []
    monkeypatch.setattr(client.session, "close", lambda: closed.append(None))
    monkeypatch.setattr(twilio_http, "IDLE_SECONDS", 0.2)
    time.sleep(0.3)

    with ThreadPoolExecutor(10) as pool:
        for _ in range(10):
            pool.submit(client._close_idle)

    assert 1 == len(closed)


def test_server_without_a_trusted_certificate_was_sent_nothing(tmp_path: Path) -> None:
    """The handshake comes before the request: it may be tried again."""
    with (
        RawServer(ACCEPTED, tls=self_signed(tmp_path / "own.pem")) as server,
        pytest.raises(TransientFailure, match="twilio_unreachable at send"),
    ):
        TwilioSender(2.0, server.base_url, addresses).send(CREDENTIALS, TEXT)

    assert [] == server.headers


def test_earlier_request_tells_nothing_of_this_one() -> None:
    """What an error of our own was caused by lies behind it, and is no part of the next."""

    def send(is_second: bool) -> str:
        if is_second:
            return TwilioSender(2.0, server.base_url, addresses).send(CREDENTIALS, TEXT)
        raise CredentialsRefused("twilio_401", Step.SEND) from ssl.SSLCertVerificationError()

    with RawServer(json_answer([], status=201)) as server, pytest.raises(SendOutcomeUnknown):
        with_secret(lambda fresh: fresh, send)


def self_signed(path: Path) -> ssl.SSLContext:
    """A server's TLS with a certificate that it signed itself, kept at `path`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
