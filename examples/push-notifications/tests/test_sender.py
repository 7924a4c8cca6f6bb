"""The sender classifies each outcome and never repeats a request."""

from collections.abc import Iterator

import pytest
from ai_multi_comms.local_cloud import Fault, Match
from lambda_src.processors import (
    CredentialsRefused,
    OutgoingMessage,
    PermanentFailure,
    ProcessingError,
    RateLimited,
    SendOutcomeUnknown,
    TransientFailure,
)

from push_processor.parts import PushCredentials
from push_processor.sender import PushSender
from push_vendor.fake import KEY, PATH, FakePushVendor

MESSAGE = OutgoingMessage("com.example.shifts", "a" * 64, body="A shift is free on Monday.")
CREDENTIALS = PushCredentials(KEY)


@pytest.fixture(scope="module")
def vendor() -> Iterator[FakePushVendor]:
    """The vendor on loopback."""
    with FakePushVendor() as vendor:
        yield vendor


@pytest.fixture
def sender(vendor: FakePushVendor) -> PushSender:
    """A sender for the vendor, which has no notifications."""
    vendor.reset()
    return PushSender(1, vendor.base_url)


def test_a_notification_is_sent_and_found(vendor: FakePushVendor, sender: PushSender) -> None:
    """A sent notification is on the device, and is found by its text and time."""
    sent = sender.send(CREDENTIALS, MESSAGE)
    (shown,) = vendor.on_device(MESSAGE.recipient)
    assert (sent, MESSAGE.body) == (shown.id, shown.text)
    assert (sent,) == sender.find(CREDENTIALS, MESSAGE, since=shown.created_at)
    assert () == sender.find(CREDENTIALS, MESSAGE, since=shown.created_at + 1)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.error(400), PermanentFailure),
        (Fault.error(401), CredentialsRefused),
        (Fault.error(410), PermanentFailure),
        (Fault.error(429), RateLimited),
        (Fault.error(500), SendOutcomeUnknown),
        (Fault.error(503, effect_applied=True), SendOutcomeUnknown),
        (Fault.empty(), SendOutcomeUnknown),
        (Fault.not_json(200), SendOutcomeUnknown),
        (Fault.reset(effect_applied=True), SendOutcomeUnknown),
        (Fault.hang(), SendOutcomeUnknown),
    ],
    ids=lambda value: getattr(value, "kind", getattr(value, "__name__", None)),
)
def test_a_failed_send_is_classified(
    vendor: FakePushVendor, sender: PushSender, fault: Fault, expected: type[ProcessingError]
) -> None:
    """Each failure raises the error for what happens next, after one request."""
    vendor.fail_next(fault)
    with pytest.raises(ProcessingError) as failed:
        sender.send(CREDENTIALS, MESSAGE)
    assert (expected, 1) == (type(failed.value), len(vendor.requests))


@pytest.mark.parametrize("fault", [Fault.error(500), Fault.reset(), Fault.empty()])
def test_a_failed_lookup_is_transient(
    vendor: FakePushVendor, sender: PushSender, fault: Fault
) -> None:
    """A lookup has no unknown outcome."""
    vendor.fail_next(fault, match=Match(method="GET", paths=(PATH,)))
    with pytest.raises(TransientFailure):
        sender.find(CREDENTIALS, MESSAGE, since=0)


def test_without_a_connection_nothing_is_sent() -> None:
    """A refused connection is a transient failure."""
    with FakePushVendor() as stopped:
        address = stopped.base_url
    with pytest.raises(TransientFailure, match="push_unreachable"):
        PushSender(1, address).send(CREDENTIALS, MESSAGE)
