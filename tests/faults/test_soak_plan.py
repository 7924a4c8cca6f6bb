"""What a soak does is decided by its seed alone."""

import json

import pytest

from lambda_src.core.errors import PermanentFailure
from lambda_src.utils.context_processor import ContextParser
from tests.faults.soak.plan import LARGEST_SOAK, Blow, Fate, Plan

MESSAGES = 300
SEED = 5


def test_a_seed_repeats_its_plan() -> None:
    """The same seed draws the same plan, another one another."""
    assert Plan.drawn(MESSAGES, SEED) == Plan.drawn(MESSAGES, SEED)
    assert Plan.drawn(MESSAGES, SEED) != Plan.drawn(MESSAGES, SEED + 1)


def test_everything_is_in_a_plan() -> None:
    """Some are refused, some share a recipient, some come twice; processes die and freeze."""
    plan = Plan.drawn(MESSAGES, SEED)
    assert set(Fate) == {conversation.fate for conversation in plan.conversations}
    assert set(Blow) == {strike.blow for strike in plan.strikes}
    recipients = {conversation.recipient for conversation in plan.conversations}
    assert len(recipients) < MESSAGES == len({c.conversation_id for c in plan.conversations})
    again = [arrival.conversation for arrival in plan.arrivals if arrival.is_duplicate]
    assert MESSAGES + len(again) == len(plan.arrivals)
    assert again


@pytest.mark.parametrize("fate", Fate)
def test_a_context_object_is_what_its_fate_needs(fate: Fate) -> None:
    """Only what is refused for its consent is refused by the parser."""
    parse = ContextParser("whatsapp", lambda _: True)
    of_fate = next(c for c in Plan.drawn(MESSAGES, SEED).conversations if c.fate is fate)
    if fate is Fate.NO_CONSENT:
        with pytest.raises(PermanentFailure, match="comms_consent"):
            parse(of_fate.body)
    else:
        assert of_fate.conversation_id == parse(of_fate.body).key.conversation_id
        assert of_fate.conversation_id in json.dumps(parse(of_fate.body).briefing)


@pytest.mark.parametrize("messages", [0, LARGEST_SOAK + 1])
def test_an_impossible_number_is_refused(messages: int) -> None:
    """A soak has one message at least, and no more than there are made-up numbers."""
    with pytest.raises(ValueError, match=f"messages: {messages}"):
        Plan.drawn(messages, SEED)
