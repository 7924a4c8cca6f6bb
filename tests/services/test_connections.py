"""The connections of both vendors' adapters: what was certainly not sent, time limits, reuse."""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest
from werkzeug.serving import generate_adhoc_ssl_context

from lambda_src.channels.whatsapp import addresses
from lambda_src.core import NoCredentials, OutgoingMessage, SendOutcomeUnknown, TransientFailure
from lambda_src.services import ses_service
from lambda_src.services.secrets_manager_service import TwilioCredentials
from lambda_src.services.ses_service import SesSender
from lambda_src.services.twilio import http
from lambda_src.services.twilio_service import TwilioSender
from local.fakes.aws import CREDENTIALS
from tests.support.channel import ACCOUNT, RECIPIENT, TOKEN
from tests.support.servers import RawServer, json_answer

SLOW_HEADERS = [b"HTTP/1.1 200 OK\r\n", *(b"X-Late-%d: 1\r\n" % number for number in range(300))]
SLOW_BODY = [b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n", *([b" "] * 300)]


@dataclass(frozen=True)
class Vendor:
    """One adapter: how it is made and called, what it accepts, and where its clock is."""

    name: str
    make: Callable[[str, float], Any]
    credentials: Any
    message: OutgoingMessage
    accepted: bytes
    module: ModuleType

    def send(self, url: str, timeout: float = 2.0) -> None:
        """Send one message on a new connection."""
        self.make(url, timeout).send(self.credentials, self.message)


def _ses(url: str, timeout: float) -> SesSender:
    with patch.dict("os.environ", {**CREDENTIALS, "AWS_ENDPOINT_URL_SESV2": url}):
        return SesSender(timeout, "events")


VENDORS = [
    Vendor(
        name="twilio",
        make=lambda url, timeout: TwilioSender(timeout, url, addresses),
        credentials=TwilioCredentials(ACCOUNT, TOKEN, None),
        message=OutgoingMessage("+15550100001", RECIPIENT, body="Good morning."),
        accepted=json_answer({"sid": "SM1"}, status=201),
        module=http,
    ),
    Vendor(
        name="ses",
        make=_ses,
        credentials=NoCredentials(),
        message=OutgoingMessage(
            "jobs@example.com",
            "amara@example.com",
            variables={"subject": "Your application", "text": "Good morning."},
            conversation_id="c-1",
            intent_id="i-1",
            tenant="harbour",
            company_name="Harbour Logistics",
        ),
        accepted=json_answer({"MessageId": "m-1"}),
        module=ses_service,
    ),
]
each_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)


@each_vendor
def test_without_a_connection_or_a_trusted_certificate_nothing_was_sent(vendor: Vendor) -> None:
    """It may be attempted again."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(TransientFailure, match=f"{vendor.name}_unreachable at send"):
            vendor.send(f"http://127.0.0.1:{unused.getsockname()[1]}")
    with RawServer(vendor.accepted, tls=generate_adhoc_ssl_context()) as server:
        with pytest.raises(TransientFailure, match=f"{vendor.name}_unreachable at send"):
            vendor.send(server.base_url)
        assert [] == server.headers


@pytest.mark.parametrize("parts", [SLOW_HEADERS, SLOW_BODY], ids=["headers", "body"])
@each_vendor
def test_a_slow_answer_ends_at_the_timeout(vendor: Vendor, parts: list[bytes]) -> None:
    """Which is the whole request's, however many bytes arrive."""
    with RawServer(*parts, pause=0.05) as server:
        started = time.monotonic()
        with pytest.raises(SendOutcomeUnknown, match=f"{vendor.name}_answer_lost"):
            vendor.send(server.base_url, timeout=0.6)
    assert time.monotonic() - started < 10


@each_vendor
def test_an_idle_connection_is_not_used_again(vendor: Vendor) -> None:
    """A reset on it would leave the outcome unknown."""
    with RawServer(vendor.accepted) as server:
        sender = vendor.make(server.base_url, 2.0)
        for _ in range(2):
            sender.send(vendor.credentials, vendor.message)
        assert 1 == server.connections
        later = time.monotonic() + vendor.module.MAX_IDLE_SECONDS + 1
        with patch(f"{vendor.module.__name__}.time.monotonic", return_value=later):
            sender.send(vendor.credentials, vendor.message)
    assert 2 == server.connections
