"""E-mail through the real processor and the real events worker, on moto and SES on loopback."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local import paths
from local.fakes.ses import FakeSes, SesSettings
from tests.support import contexts
from tests.support.callbacks import Callbacks
from tests.support.channel import API_KEY, Channel

OPENAI_SECRET = "ai-multi-comms/dev/openai-api-key/email"
CONFIG = "company_data_payload.channel_config.email"
ADDRESS = "frontend_payload.recipient_data.recipient_email"
TENANT, IDENTITY = "demo-company", "mail.harbour-logistics.example"
CONFIGURATION_SET = "ai-multi-comms-email-dev"
MAILBOX = "{}@simulator.amazonses.com"


@pytest.fixture
def ses(
    channel: Channel, callbacks: Callbacks, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FakeSes]:
    """SES, with the channel's functions connected to it; events go to the events queue."""
    channel.secretsmanager.create_secret(
        Name=OPENAI_SECRET, SecretString=json.dumps({"ai_api_key": API_KEY})
    )
    tenants, names = {TENANT: (IDENTITY,)}, (CONFIGURATION_SET,)
    with FakeSes(tenants=tenants, configuration_sets=names, clock=lambda: 0.0) as vendor:
        vendor.settings = SesSettings(delivered_after_seconds=0)
        vendor.publish_to(
            lambda event: channel.sqs.send_message(
                QueueUrl=callbacks.queue_url, MessageBody=json.dumps(event)
            )
        )
        variables = {
            "AWS_ENDPOINT_URL_SESV2": vendor.base_url,
            "CHANNEL": "email",
            "SECRET_PREFIXES": OPENAI_SECRET,
            "SES_CONFIGURATION_SET": CONFIGURATION_SET,
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield vendor


def _document(mailbox: str = "success", **changes: object) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((paths.EXAMPLE_CONTEXTS / "email.json").read_text())
    for name, value in changes.items():
        document = contexts.changed(f"{CONFIG}.{name}", value, document)
    return contexts.changed(ADDRESS, MAILBOX.format(mailbox), document)


def _record(channel: Channel, document: dict[str, Any]) -> Any:
    recipient = document["frontend_payload"]["recipient_data"]["recipient_email"]
    return channel.record(document["conversation_data"]["conversation_id"], recipient)


def test_an_email_is_sent_once_and_reported(
    channel: Channel, callbacks: Callbacks, ses: FakeSes
) -> None:
    """The redelivery is acknowledged; SES's events reach the record through the events queue."""
    document = _document()
    body = json.dumps(document)
    assert [[], []] == [channel.deliver(body), channel.deliver(body)]
    (accepted,) = ses.messages()
    record = _record(channel, document)
    assert ("initial_message_sent", accepted.message_id) == (
        record["conversation_status"],
        record["message_sid"],
    )
    ses.publish_due_events()
    assert 0 == callbacks.work()
    assert "delivered" == _record(channel, document)["delivery_status"]
    assert "open_work" not in _record(channel, document)


@pytest.mark.parametrize(
    ("mailbox", "status"), [("bounce", "undelivered"), ("complaint", "delivered")]
)
def test_nothing_is_sent_after_a_bounce_or_a_complaint(
    channel: Channel, callbacks: Callbacks, ses: FakeSes, mailbox: str, status: str
) -> None:
    """The recipient is suppressed, in any spelling, and the AI is not asked again."""
    document = _document(mailbox)
    assert [] == channel.deliver(json.dumps(document))
    ses.publish_due_events()
    assert 0 == callbacks.work()
    assert status == _record(channel, document)["delivery_status"]
    requests = len(channel.openai.requests)
    another = contexts.changed("conversation_data.conversation_id", "another", _document(mailbox))
    typed = json.dumps(another).replace(f"{mailbox}@simulator", f"{mailbox.title()}@Simulator")
    assert [typed] == channel.deliver(typed)
    record = _record(channel, another)
    assert ("failed", "recipient_suppressed") == (
        record["conversation_status"],
        record["failure"]["code"],
    )
    assert (1, requests) == (len(ses.messages()), len(channel.openai.requests))
