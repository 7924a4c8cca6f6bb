"""Which listed message is taken for an open send: its own, or none."""

from dataclasses import replace

import pytest

from lambda_src.core.contract import Status
from lambda_src.core.errors import LedgerUnavailable
from lambda_src.core.flow import Outcome
from tests.unit.fakes.clock import START
from tests.unit.fakes.faults import Fault
from tests.unit.fakes.world import KEY, World
from tests.unit.open_sends import come_back, pending


def test_a_sid_of_another_conversation_is_not_taken(unsettled: World) -> None:
    """The same text to the same person from another conversation stays that one's."""
    first = unsettled.sender.sent[0]
    other = replace(unsettled.record, key=replace(KEY, conversation_id="other"), sid=first.sid)
    unsettled.conversations.records[other.key] = other
    assert "not_listed_yet" == pending(unsettled).code


def test_an_earlier_message_of_the_same_text_is_not_taken(unsettled: World) -> None:
    """What was sent before the intent cannot be what the intent announced."""
    unsettled.sender.sent = [replace(unsettled.sender.sent[0], at=START - 10)]
    assert "not_listed_yet" == pending(unsettled).code


def test_sids_that_cannot_be_read_settle_nothing(unsettled: World) -> None:
    """Without knowing whose sid it is, none is taken."""
    unsettled.conversations.fail("others", Fault.UNAVAILABLE)
    with pytest.raises(LedgerUnavailable):
        unsettled.process(receive_count=2)
    assert Status.SENDING is unsettled.record.status


def rival(world: World, **changes: object) -> None:
    """Another conversation with the same recipient, with the same text, unsettled too."""
    key = replace(KEY, conversation_id="other")
    world.conversations.records[key] = replace(world.record, key=key, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [Status.SENDING, Status.SEND_UNKNOWN])
def test_a_message_that_may_be_anothers_is_not_taken(unsettled: World, status: Status) -> None:
    """Two conversations wait for one listed message of their text: a person decides."""
    rival(unsettled, status=status)
    assert "not_listed_yet" == pending(unsettled).code


@pytest.mark.parametrize(("rivals_head_start", "place"), [(-1, 0), (1, 1)])
def test_enough_messages_for_all_are_taken(
    unsettled: World, rivals_head_start: float, place: int
) -> None:
    """Two conversations of the same text and two messages of it: each takes its own, in order."""
    intent = unsettled.record.intent
    assert intent
    rival(unsettled, intent=replace(intent, at=intent.at - rivals_head_start))
    unsettled.sender.sent.append(replace(unsettled.sender.sent[0], sid="SM2"))
    assert Outcome.SETTLED is unsettled.process(receive_count=2)
    assert unsettled.sender.sent[place].sid == unsettled.record.sid


def test_a_conversation_on_another_channel_is_no_rival(unsettled: World) -> None:
    """Its message is in another list: the one found here is this conversation's."""
    rival(unsettled, attributes={"channel_method": "sms"})
    assert Outcome.SETTLED is unsettled.process(receive_count=2)


def test_a_conversation_of_another_text_is_no_rival(unsettled: World) -> None:
    """Another unsettled message leaves this one alone."""
    assert unsettled.record.answer
    rival(unsettled, answer=replace(unsettled.record.answer, variables={"1": "Bo", "2": "Else."}))
    assert Outcome.SETTLED is unsettled.process(receive_count=2)


def test_a_message_that_may_be_one_that_says_more_is_not_taken(unsettled: World) -> None:
    """Another conversation's values hold ours: until it is settled, nobody knows whose it is."""
    assert unsettled.record.answer
    more = {name: f"{text} More." for name, text in unsettled.record.answer.variables.items()}
    rival(unsettled, answer=replace(unsettled.record.answer, variables=more))
    error = pending(unsettled)
    assert "not_listed_yet" == error.code

    other = replace(KEY, conversation_id="other")
    unsettled.conversations.alter(other, status=Status.SENT, sid="SM of the other")
    come_back(unsettled, error)
    assert Outcome.SETTLED is unsettled.process(receive_count=3)
