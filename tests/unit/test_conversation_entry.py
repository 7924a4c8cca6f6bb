"""What a record says of its conversation's state, also where it is not as we write it."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.core.contract import Status
from lambda_src.core.errors import RecordForeign, Redelivery, Step
from lambda_src.core.ledger import Entry
from lambda_src.services import conversation_item as item
from lambda_src.services.conversation_entry import ENTRY_ATTRIBUTES, to_entry
from lambda_src.services.dynamodb_values import serialized
from tests.unit.fakes.clock import START
from tests.unit.fakes.world import KEY
from tests.unit.fakes.writer import ANSWER
from tests.unit.samples import failure

KEY_ONLY = item.key_attributes(KEY)
UNSETTLED = {
    "conversation_status": "sending",
    "lease_owner": "owner-1",
    "attempt": 2,
    "lease_expires_at": item.number(START + 90),
    "ai_answer": item.from_answer(ANSWER),
    "send_intent_at": item.number(START),
    "send_deadline": item.number(START + 15),
    "settle_looks": 1,
    "created_at": item.timestamp(START - 5),
    "failure": item.from_failure(failure(Status.RETRY)),
}


def entry(**attributes: Any) -> Entry:
    """What a record of those attributes says."""
    return to_entry(serialized(KEY_ONLY | attributes), Step.CLAIM)


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.SENT])
def test_a_record_of_nothing_but_a_status_is_read(status: Status) -> None:
    """A record that a tool made has no lease, no answer and no intent, which is no error."""
    expected = Entry(
        key=KEY,
        status=status,
        owner="",
        attempt=0,
        lease_expires_at=0.0,
        answer=None,
        intent=None,
        looks=0,
        sid="",
        created_at=0.0,
    )
    assert expected == entry(conversation_status=status)


@pytest.mark.parametrize("status", ["pending", "", "SENT", 7, None, ["sent"]])
def test_an_unknown_status_is_not_ours(status: object) -> None:
    """A record in a state that the ledger does not know is reported, and not quoted."""
    with pytest.raises(RecordForeign) as met:
        entry(conversation_status=status)
    assert ("record_foreign", Redelivery.AT_ONCE) == (met.value.code, met.value.redelivery)
    assert met.value.recorded_status is None
    assert "pending" not in str(met.value)


def test_a_record_without_a_status_is_not_ours() -> None:
    """Nor is one that has no state at all."""
    with pytest.raises(RecordForeign, match="record_foreign at claim: conversation_status"):
        entry()


def test_a_record_with_a_sid_was_sent_whatever_became_of_it() -> None:
    """Others may carry a conversation on in states of their own: its first message is sent."""
    told = entry(conversation_status="replied", message_sid="SM1")
    assert (Status.SENT, "SM1") == (told.status, told.sid)


def test_a_record_begins_no_later_than_its_send() -> None:
    """Where its creation is not told, the intent is the earliest that is known."""
    unsettled = {name: value for name, value in UNSETTLED.items() if name != "created_at"}
    assert START == entry(**unsettled).created_at


@given(st.sampled_from(sorted(UNSETTLED.keys() - {"conversation_status"})), st.data())
def test_a_part_that_is_not_as_we_write_it_is_none(name: str, data: st.DataObject) -> None:
    """Whatever kind of value stands in an attribute, the record can be read."""
    odd = st.sampled_from([None, True, "", "soon", Decimal("1.5"), [], ["x"], {}, {"x": None}])
    told = entry(**UNSETTLED | {name: data.draw(odd)})
    assert (KEY, Status.SENDING) == (told.key, told.status)


@pytest.mark.parametrize("missing", [*item.from_answer(ANSWER)])
def test_an_answer_that_lacks_a_part_is_none(missing: str) -> None:
    """Half an answer cannot be sent, and an answer that cannot be read is asked for again."""
    stored = {name: part for name, part in item.from_answer(ANSWER).items() if name != missing}
    assert entry(**UNSETTLED | {"ai_answer": stored}).answer is None


def test_a_querys_attributes_tell_the_whole_state() -> None:
    """What a query asks for says the same as the whole record, but for its failure."""
    asked = {name: value for name, value in UNSETTLED.items() if name in ENTRY_ATTRIBUTES}
    whole = entry(**UNSETTLED)
    assert whole == entry(**asked, failure=UNSETTLED["failure"])
    assert "openai_500" == whole.failure_code
