"""A context object becomes one notification, whatever the vendor does on the way.

All messages are under way at once, each with a fault of its own, so that their waits overlap.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from ai_multi_comms.local_cloud import Fault, Journey, Match, Milestone, RecordKey, World

from push_vendor.cloud import ROOT, PushVendors

PATIENCE_SECONDS = 150
DEVICES = {
    name: f"{number:064x}"
    for number, name in enumerate(("good", "lost", "gone", "refused", "silent"), start=1)
}


@pytest.fixture(scope="module")
def journeys(world: World, vendors: PushVendors) -> Mapping[str, Journey]:
    """Send a context object to each device, and let the vendor fail three of them."""
    faults = {
        "lost": Fault.reset(effect_applied=True),
        "gone": Fault.error(410),
        "silent": Fault.error(503),
    }
    for name, fault in faults.items():
        vendors.push.fail_next(fault, match=Match(method="POST", contains=DEVICES[name]))
    return {name: _begin(world, name) for name in DEVICES}


def _begin(world: World, name: str) -> Journey:
    context = _context(name)
    key = RecordKey(DEVICES[name], context["conversation_data"]["conversation_id"])
    return Journey(world.channel, world.channel.send(json.dumps(context)), key)


def _context(name: str) -> dict[str, Any]:
    context: dict[str, Any] = json.loads((ROOT / "contexts" / "push.json").read_text())
    context["conversation_data"]["conversation_id"] = f"acme#shift-alerts#{name}"
    recipient = context["frontend_payload"]["recipient_data"]
    recipient["recipient_device"] = DEVICES[name]
    recipient["comms_consent"] = name != "refused"
    return context


def test_a_context_object_becomes_a_notification(
    journeys: Mapping[str, Journey], vendors: PushVendors
) -> None:
    """The device shows what the AI wrote, once, and the record says so."""
    end = journeys["good"].end(PATIENCE_SECONDS)
    (shown,) = vendors.push.on_device(DEVICES["good"])
    assert Milestone.SENT is end.milestone
    assert shown.id == end.record["message_sid"]
    assert ("com.example.shifts", end.record["messages"][0]["content"]) == (shown.app, shown.text)


def test_an_answer_that_is_lost_sends_nothing_twice(
    journeys: Mapping[str, Journey], vendors: PushVendors
) -> None:
    """A send whose answer is lost is found at the vendor and recorded, never repeated."""
    end = journeys["lost"].end(PATIENCE_SECONDS)
    (shown,) = vendors.push.on_device(DEVICES["lost"])
    assert (Milestone.SENT, shown.id) == (end.milestone, end.record["message_sid"])


def test_a_device_that_is_gone_ends_among_the_dead_letters(
    journeys: Mapping[str, Journey], vendors: PushVendors
) -> None:
    """What the vendor refuses for good is not tried again, and the record says why."""
    end = journeys["gone"].end(PATIENCE_SECONDS)
    assert (Milestone.DEAD_LETTER, "push_device_gone") == (
        end.milestone,
        end.record["failure"]["code"],
    )
    assert [] == vendors.push.on_device(DEVICES["gone"])


def test_without_consent_nothing_is_sent(
    journeys: Mapping[str, Journey], vendors: PushVendors
) -> None:
    """A context object without consent is refused before anything is asked of a vendor."""
    end = journeys["refused"].end(PATIENCE_SECONDS)
    assert (Milestone.DEAD_LETTER, "consent_not_given") == (
        end.milestone,
        end.record["failure"]["code"],
    )
    assert [] == vendors.push.on_device(DEVICES["refused"])


def test_a_send_that_nobody_can_account_for_is_not_repeated(
    journeys: Mapping[str, Journey], vendors: PushVendors
) -> None:
    """After an answer that leaves the outcome open, the vendor is asked, and not sent to again."""
    seen = journeys["silent"].sighting()
    journeys["lost"].end(PATIENCE_SECONDS)  # which takes as long as the first look at the vendor
    assert "sending" == journeys["silent"].sighting().record["conversation_status"], seen
    assert [] == vendors.push.on_device(DEVICES["silent"])
