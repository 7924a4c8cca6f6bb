"""The deployed channel: a context object becomes one notification, whatever the vendor does.

All messages are processed at once, each with its own fault, so that their waits overlap.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from ai_multi_comms.local_cloud import (
    Fault,
    LocalCloud,
    Match,
    MessageState,
    MessageTracker,
    RecordKey,
)

from push_vendor.cloud import ROOT, PushVendors

TIMEOUT_SECONDS = 150
DEVICES = {
    name: f"{number:064x}"
    for number, name in enumerate(("valid", "lost", "gone", "refused", "unavailable"), start=1)
}


@pytest.fixture(scope="module")
def trackers(cloud: LocalCloud, vendors: PushVendors) -> Mapping[str, MessageTracker]:
    """A message to each device; the vendor's response to three of them is a fault."""
    faults = {
        "lost": Fault.reset(effect_applied=True),
        "gone": Fault.error(410),
        "unavailable": Fault.error(503),
    }
    for name, fault in faults.items():
        vendors.push.fail_next(fault, match=Match(method="POST", contains=DEVICES[name]))
    return {name: _send(cloud, name) for name in DEVICES}


def _send(cloud: LocalCloud, name: str) -> MessageTracker:
    context = _context(name)
    key = RecordKey(DEVICES[name], context["conversation_data"]["conversation_id"])
    return MessageTracker(cloud.channel, cloud.channel.send(json.dumps(context)), key)


def _context(name: str) -> dict[str, Any]:
    context: dict[str, Any] = json.loads((ROOT / "contexts" / "push.json").read_text())
    context["conversation_data"]["conversation_id"] = f"acme#shift-alerts#{name}"
    recipient = context["frontend_payload"]["recipient_data"]
    recipient["recipient_device"] = DEVICES[name]
    recipient["comms_consent"] = name != "refused"
    return context


def test_a_context_object_becomes_a_notification(
    trackers: Mapping[str, MessageTracker], vendors: PushVendors
) -> None:
    """The device has the AI's text once, and the record says so."""
    end = trackers["valid"].wait(TIMEOUT_SECONDS)
    (shown,) = vendors.push.on_device(DEVICES["valid"])
    assert MessageState.SENT is end.state
    assert shown.id == end.record["message_sid"]
    assert ("com.example.shifts", end.record["messages"][0]["content"]) == (shown.app, shown.text)


def test_a_send_with_a_lost_response_is_not_repeated(
    trackers: Mapping[str, MessageTracker], vendors: PushVendors
) -> None:
    """A send whose response is lost is found at the vendor and recorded."""
    end = trackers["lost"].wait(TIMEOUT_SECONDS)
    (shown,) = vendors.push.on_device(DEVICES["lost"])
    assert (MessageState.SENT, shown.id) == (end.state, end.record["message_sid"])


@pytest.mark.parametrize(
    ("name", "code"), [("gone", "push_device_gone"), ("refused", "consent_not_given")]
)
def test_a_rejected_message_is_a_dead_letter_message(
    trackers: Mapping[str, MessageTracker], vendors: PushVendors, name: str, code: str
) -> None:
    """What the vendor rejects permanently, or has no consent, is not sent; the record says why."""
    end = trackers[name].wait(TIMEOUT_SECONDS)
    assert (MessageState.DEAD_LETTER, code) == (end.state, end.record["failure"]["code"])
    assert [] == vendors.push.on_device(DEVICES[name])


def test_a_send_with_an_unknown_outcome_is_not_repeated(
    trackers: Mapping[str, MessageTracker], vendors: PushVendors
) -> None:
    """After a response that leaves the outcome open, the vendor is only asked for the message."""
    first = trackers["unavailable"].status()
    trackers["lost"].wait(TIMEOUT_SECONDS)  # takes as long as the first lookup at the vendor
    record = trackers["unavailable"].status().record
    assert "sending" == record["conversation_status"], first
    assert [] == vendors.push.on_device(DEVICES["unavailable"])
