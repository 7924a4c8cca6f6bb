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
from ops.audit import AuditContext
from ops.delivery_events import EventKind, QueuedEvent
from ops.suppressions import Suppressions
from tests.support.callbacks import Callbacks
from tests.support.channel import CONVERSATION, RECIPIENT, context


class PigeonPost:
    """A vendor's events: `{"to", "conversation", "intent", "id", "says"}`."""

    def read(self, document: Mapping[str, Any]) -> VendorEvent | None:
        """Return the event; None without words."""
        says = document.get("says")
        if not says:
            return None
        status = DeliveryStatus(says) if says in set(DeliveryStatus) else None
        code = "gone" if status is DeliveryStatus.UNDELIVERED else ""
        return VendorEvent(
            document["conversation"],
            document["intent"],
            DeliveryEvent(document["to"], document["id"], status, code),
            document.get("at", time.time()),
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


def _body(callbacks: Callbacks, sid: str, says: str, **other: object) -> str:
    intent = callbacks.channel.record()["intent_id"]
    event = {"to": RECIPIENT, "conversation": CONVERSATION, "intent": intent, "id": sid}
    return json.dumps(event | {"says": says} | other)


SENT = "initial_message_sent"
OTHER = {"id": "other"}
OUTCOMES: dict[str, tuple[list[tuple[str, dict[str, str]]], tuple[Any, ...], int]] = {
    "a hard bounce suppresses": ([("undelivered", {})], ("undelivered", "gone", True), 0),
    "a complaint suppresses only": ([("complaint", {})] * 2, ("queued", None, True), 0),
    "unreadable": ([("", {})], ("queued", None, False), 1),
    "no record": ([("delivered", {"conversation": "none"})], ("queued", None, False), 1),
    "a complaint about no intent": ([("complaint", {"intent": "-"})], ("queued", None, False), 1),
    "its complaint": ([("complaint", OTHER)], ("queued", None, True), 0),
}


@pytest.mark.parametrize("case", OUTCOMES)
def test_an_event_is_recorded(callbacks: Callbacks, sid: str, case: str) -> None:
    """A vendor's event has the effects of a callback; what is not ours is dropped and counted."""
    reports, expected, dropped = OUTCOMES[case]
    callbacks.channel.read_metrics()
    assert 0 == callbacks.work(*(_body(callbacks, sid, says, **other) for says, other in reports))
    assert dropped == callbacks.counts().get("DeliveryEventsDropped", 0)
    record = callbacks.channel.record()
    assert (SENT, False) == (record["conversation_status"], "open_work" in record)
    is_refused = bool(callbacks.channel.deliver(context(conversation_id="another")))
    assert expected == (*callbacks.delivery(), is_refused)
    log = json.dumps(callbacks.channel.read_log())
    assert RECIPIENT[1:] not in log
    assert (reports[0][1] == OTHER) == ("second_message_suspected" in log)


@pytest.mark.parametrize("changes", [{}, OTHER], ids=["a complaint", "another message's"])
@pytest.mark.parametrize("is_new", [False, True])
def test_an_old_opt_out_does_not_undo_what_an_operator_allowed(
    callbacks: Callbacks, sid: str, is_new: bool, changes: dict[str, str]
) -> None:
    """Events are delivered more than once; only one that happened later suppresses again."""
    says = "undelivered" if changes else "complaint"
    reported = [_body(callbacks, sid, says, at=time.time() - 60, **changes)]
    assert 0 == callbacks.work(*reported)
    channel = callbacks.channel
    suppressions = Suppressions(channel.dynamodb, channel.table, "whatsapp")
    assert suppressions.lift(RECIPIENT, AuditContext("operator", "asked for", time.time() - 30))
    later = [_body(callbacks, sid, says, **changes)] if is_new else []
    assert 0 == callbacks.work(*reported, *later)
    assert is_new == bool(channel.deliver(context(conversation_id="another")))


def test_operators_find_whom_an_event_is_about(callbacks: Callbacks, sid: str) -> None:
    """For the dead-letter queue of events, and for an erasure."""
    event = QueuedEvent.parse(_body(callbacks, sid, "sent"), "whatsapp", whatsapp.PARTS)
    assert QueuedEvent(EventKind.VENDOR_EVENT, RECIPIENT, CONVERSATION) == event
    assert EventKind.UNREADABLE is QueuedEvent.parse("{}", "whatsapp", whatsapp.PARTS).kind
