"""The decision table of delivery events."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.core.contract import DeliveryStatus, Metric, Status
from lambda_src.core.delivery.events import parse_address
from lambda_src.core.delivery.status import (
    FAILURES,
    MAX_REPORTS,
    EventAction,
    advance,
    event_action,
    reached,
)
from lambda_src.core.ledger import DeliveryRecord, DeliveryReport, DeliveryState, Intent
from lambda_src.core.models import callback_path
from tests.support.records import ledger_record

CURRENT, EARLIER = "intent-2", "intent-1"
RECORD = DeliveryRecord(
    ledger_record(intent=Intent(1.0, 2.0, CURRENT), vendor_id="SM1"),
    (EARLIER, CURRENT),
    DeliveryState(),
    "",
)
ACTIONS = {
    Status.PROCESSING: EventAction.CONTRADICT,
    Status.RETRY: EventAction.CONTRADICT,
    Status.SENDING: EventAction.PROVE_SEND,
    Status.SENT: EventAction.ADVANCE,
    Status.SEND_UNKNOWN: EventAction.PROVE_SEND,
    Status.FAILED: EventAction.CONTRADICT,
    Status.AWAITING_APPROVAL: EventAction.CONTRADICT,
}
reports = st.builds(
    DeliveryReport,
    st.sampled_from(DeliveryStatus),
    st.sampled_from(["", "63049", "63024"]),
    st.just(1.0),
)


@pytest.mark.parametrize("status", Status)
def test_an_event_does_what_the_table_says(status: Status) -> None:
    """By the record's status and the event's intent; no status of the record is left out."""
    record = replace(RECORD, ledger=replace(RECORD.ledger, status=status))
    assert ACTIONS[status] is event_action(record, CURRENT, "SM1")
    for unknown in ("", "another"):
        assert EventAction.DROP is event_action(record, unknown, "SM1")
    assert EventAction.SUSPECT_SECOND_MESSAGE is event_action(record, EARLIER, "SM1")
    released = replace(record, ledger=replace(record.ledger, intent=None))
    assert ACTIONS[status] is event_action(released, CURRENT, "SM1")
    of_1x = replace(record, ledger=replace(record.ledger, intent=Intent(1.0, 2.0)), intent_ids=())
    assert EventAction.DROP is event_action(of_1x, "", "SM1")


def test_another_messages_event_is_suspicious() -> None:
    """A second message of the same intent changes nothing."""
    record = replace(RECORD, ledger=replace(RECORD.ledger, status=Status.SENT))
    assert EventAction.SUSPECT_SECOND_MESSAGE is event_action(record, CURRENT, "SM2")


Q, S, D, R, U, F = DeliveryStatus


@pytest.mark.parametrize(
    ("reported", "status", "code"),
    [
        ([(Q, ""), (S, ""), (D, ""), (R, "")], R, ""),
        ([(R, ""), (D, ""), (S, ""), (Q, "")], R, ""),
        ([(S, ""), (U, "63049"), (D, "")], U, "63049"),
        ([(U, "63049"), (F, "63024")], U, "63049"),
        ([(F, ""), (U, "63024"), (U, "63049")], F, "63024"),
        ([(D, ""), (U, "63024")], U, "63024"),
        ([(S, "30008"), (D, "")], D, ""),
    ],
)
def test_statuses_advance(
    reported: list[tuple[DeliveryStatus, str]], status: DeliveryStatus, code: str
) -> None:
    """None regresses, the first failure stays, and its code may follow."""
    state = DeliveryState()
    for each, error in reported:
        state = advance(state, DeliveryReport(each, error, 1.0))
    assert (status, code) == (state.status, state.error_code)


def test_a_history_is_bounded() -> None:
    """Reports beyond it still count, but are not kept."""
    state = DeliveryState()
    for code in range(63100, 63100 + MAX_REPORTS + 5):
        state = advance(state, DeliveryReport(F, str(code), 1.0))
    assert (MAX_REPORTS, F, "63100") == (len(state.history), state.status, state.error_code)


@given(st.lists(reports, max_size=60))
def test_any_order_gives_a_status_that_was_reported(reported: list[DeliveryReport]) -> None:
    """Repetition changes nothing, and only failures depend on the order."""
    state = DeliveryState()
    counted: list[Metric] = []
    for report in reported:
        after = advance(state, report)
        assert after == advance(after, report)
        counted += reached(state.status, after.status)
        state = after
    assert len(counted) == len(set(counted))
    statuses = {report.status for report in reported}
    failures = statuses & FAILURES
    furthest = {max(statuses, key=list(DeliveryStatus).index)} if statuses else {None}
    assert state.status in (failures or furthest)


@given(st.text(min_size=1).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text)))
def test_a_callbacks_url_names_its_conversation(conversation_id: str) -> None:
    """Whatever characters its id has."""
    url = f"https://host.example/stage{callback_path('sms', conversation_id, 'an_-id')}"
    address = parse_address(url, "sms")
    assert (conversation_id, "an_-id") == (address.conversation_id, address.intent_id)
