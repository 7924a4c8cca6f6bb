"""The sender tells what is known of each outcome, and asks no vendor twice."""

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
from push_vendor.stand_in import PATH, PushStandIn

MESSAGE = OutgoingMessage("com.example.shifts", "a" * 64, body="A shift is free on Monday.")
CREDENTIALS = PushCredentials("made-up-push-key")


@pytest.fixture(scope="module")
def vendor() -> Iterator[PushStandIn]:
    """The vendor on loopback."""
    with PushStandIn(CREDENTIALS.app_key) as vendor:
        yield vendor


@pytest.fixture
def sender(vendor: PushStandIn) -> PushSender:
    """A sender for a vendor that knows of nothing yet."""
    vendor.reset()
    return PushSender(2, vendor.base_url)


def test_a_notification_is_sent_and_found(vendor: PushStandIn, sender: PushSender) -> None:
    """What was sent shows on the device, and is found by its text and time."""
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
def test_a_failed_send_says_what_is_known(
    vendor: PushStandIn, sender: PushSender, fault: Fault, expected: type[ProcessingError]
) -> None:
    """Each failure is the error that says what comes next, after one request."""
    vendor.fail_next(fault)
    with pytest.raises(ProcessingError) as failed:
        sender.send(CREDENTIALS, MESSAGE)
    assert (expected, 1) == (type(failed.value), len(vendor.requests))


@pytest.mark.parametrize("fault", [Fault.error(500), Fault.reset(), Fault.empty()])
def test_a_list_that_cannot_be_read_is_looked_at_again(
    vendor: PushStandIn, sender: PushSender, fault: Fault
) -> None:
    """Looking has no unknown outcome."""
    vendor.fail_next(fault, match=Match(method="GET", paths=(PATH,)))
    with pytest.raises(TransientFailure):
        sender.find(CREDENTIALS, MESSAGE, since=0)


def test_nothing_is_sent_where_nobody_listens() -> None:
    """A connection that is never made has certainly sent nothing."""
    gone = PushStandIn(CREDENTIALS.app_key)
    with gone:
        address = gone.base_url
    with pytest.raises(TransientFailure, match="push_unreachable"):
        PushSender(2, address).send(CREDENTIALS, MESSAGE)
