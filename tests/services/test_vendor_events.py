"""Events that a vendor itself puts on the events queue: from its body to the worker's write."""

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from lambda_src.channels import whatsapp
from lambda_src.core import (
    DeliveryEvent,
    DeliveryStatus,
    PermanentFailure,
    ProcessingError,
    RecipientOptedOut,
    Step,
    VendorEvent,
)
from local.fakes.faults import Fault
from ops.delivery_events import EventKind, QueuedEvent
from tests.support.callbacks import Callbacks
from tests.support.channel import CONVERSATION, RECIPIENT, context


class PigeonPost:
    """A vendor's events: `{"to", "conversation", "intent", "id", "says"}`."""

    def read(self, document: Mapping[str, Any]) -> VendorEvent | None:
        """Return the event; None without a recipient."""
        if "to" not in document:
            return None
        says = document["says"]
        status = DeliveryStatus(says) if says in set(DeliveryStatus) else None
        code = "gone" if status is DeliveryStatus.UNDELIVERED else ""
        return VendorEvent(
            document["conversation"],
            document["intent"],
            DeliveryEvent(document["to"], document["id"], status, code),
            time.time(),
            opted_out=says == "complaint",
        )

    def classify(self, event: DeliveryEvent) -> ProcessingError:
        """Return an opt-out if the recipient is gone."""
        kind = RecipientOptedOut if event.error_code else PermanentFailure
        return kind(f"pigeon_{event.error_code}", Step.DELIVERY)


@pytest.fixture
def sid(callbacks: Callbacks, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a message sent by a channel with vendor events only."""
    parts = replace(
        whatsapp.PARTS, callbacks=None, make_status_lookup=None, vendor_events=PigeonPost()
    )
    monkeypatch.setattr(whatsapp, "PARTS", parts)
    return callbacks.send()


def _body(callbacks: Callbacks, sid: str, says: str, **other: str) -> str:
    intent = callbacks.channel.record()["intent_id"]
    event = {"to": RECIPIENT, "conversation": CONVERSATION, "intent": intent, "id": sid}
    return json.dumps(event | {"says": says} | other)


def _state(callbacks: Callbacks) -> tuple[Any, ...]:
    """Return the record's state, and whether another message to the recipient is refused."""
    record = callbacks.channel.record()
    refused = callbacks.channel.deliver(context(conversation_id="another"))
    return record["conversation_status"], *callbacks.delivery(), bool(refused)


SENT = "initial_message_sent"
OUTCOMES: dict[str, tuple[list[tuple[str, dict[str, str]]], tuple[Any, ...], int]] = {
    "delivered": ([("delivered", {})], ("delivered", None, False), 0),
    "never regresses": ([("read", {}), ("sent", {})], ("read", None, False), 0),
    "a hard bounce suppresses": ([("undelivered", {})], ("undelivered", "gone", True), 0),
    "a failure": ([("failed", {})], ("failed", None, False), 0),
    "a complaint suppresses only": (
        [("delivered", {}), ("complaint", {}), ("complaint", {})],
        ("delivered", None, True),
        0,
    ),
    "another status": ([("dreaming", {})], ("queued", None, False), 1),
    "unreadable": ([("delivered", {"to": ""})], ("queued", None, False), 1),
    "no record": ([("delivered", {"conversation": "none"})], ("queued", None, False), 1),
    "no such intent": ([("delivered", {"intent": "none"})], ("queued", None, False), 1),
    "a complaint about no intent": (
        [("complaint", {"intent": "none"})],
        ("queued", None, False),
        1,
    ),
}


@pytest.mark.parametrize("case", OUTCOMES)
def test_an_event_is_recorded(callbacks: Callbacks, sid: str, case: str) -> None:
    """A vendor's event has the effects of a callback; what is not ours is dropped and counted."""
    reports, expected, dropped = OUTCOMES[case]
    callbacks.channel.read_metrics()
    bodies = [_body(callbacks, sid, says, **other) for says, other in reports]
    assert 0 == callbacks.work(*bodies)
    assert dropped == callbacks.counts().get("DeliveryEventsDropped", 0)
    assert (SENT, *expected) == _state(callbacks)
    log = json.dumps(callbacks.channel.read_log())
    assert RECIPIENT[1:] not in log


@pytest.mark.usefixtures("sid")
@pytest.mark.parametrize("body", ["{}", "[]", '"text"', '{"to": 1'])
def test_a_body_that_is_no_event_is_dropped(callbacks: Callbacks, body: str) -> None:
    """It is counted, and not delivered again."""
    callbacks.channel.read_metrics()
    assert 0 == callbacks.work(body)
    assert 1 == callbacks.counts()["DeliveryEventsDropped"]
    assert ("queued", None) == callbacks.delivery()


def test_an_event_proves_a_send(callbacks: Callbacks, sid: str) -> None:
    """A send whose answer was lost is recorded as sent, with the vendor's id."""
    callbacks.channel.twilio.fail_next(Fault.reset(effect_applied=True))
    assert 1 == len(callbacks.channel.deliver(context(conversation_id="lost")))
    lost = callbacks.channel.record("lost")
    assert "sending" == lost["conversation_status"]
    names = {"conversation": "lost", "intent": lost["intent_id"], "id": f"{sid}-2"}
    assert 0 == callbacks.work(_body(callbacks, sid, "delivered", **names))
    found = callbacks.channel.record("lost")
    assert (SENT, f"{sid}-2") == (found["conversation_status"], found["message_sid"])
    assert "open_work" not in found


def test_a_channel_without_lookup_opens_no_work(callbacks: Callbacks, sid: str) -> None:
    """Neither the send nor an event marks a record for the scheduled job."""
    assert "open_work" not in callbacks.channel.record()
    callbacks.work(_body(callbacks, sid, "sent"))
    assert "open_work" not in callbacks.channel.record()
    assert ("sent", None) == callbacks.delivery()


def test_operators_find_whom_an_event_is_about(callbacks: Callbacks, sid: str) -> None:
    """For the dead-letter queue of events, and for an erasure."""
    event = QueuedEvent.parse(_body(callbacks, sid, "sent"), "whatsapp", whatsapp.PARTS)
    assert QueuedEvent(EventKind.VENDOR_EVENT, RECIPIENT, CONVERSATION) == event
    assert EventKind.UNREADABLE is QueuedEvent.parse("{}", "whatsapp", whatsapp.PARTS).kind
