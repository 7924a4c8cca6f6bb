"""When an unknown send is looked for: the real queue hides and shows, Twilio's list lags."""

import json

import pytest

from lambda_src import index
from local.stand_ins.twilio import TwilioSettings
from tests.services.account import MAX_RECEIVE_COUNT
from tests.services.channel import RECIPIENT, context
from tests.services.event_source import EventSource
from tests.services.settling.sends import looks, lose_the_send, sends, sent_sid

DELAYS = (15, 60)
AN_INSTANT = 1.5
"""What a whole second, and the second of chance that is added to a wait, make of it."""


def test_a_message_found_is_recorded(source: EventSource) -> None:
    """Once its sender must have given up, it is looked for, found, recorded and deleted."""
    channel = source.channel
    lose_the_send(source, accepted=True)
    (hidden,) = source.visible_in()
    span = index.batch_handler().flow.timing.send_span
    assert span - 0.1 <= hidden <= span + AN_INSTANT

    source.run()

    (message,) = channel.twilio.messages()
    assert message["sid"] == sent_sid(channel)
    assert (1, 1) == (looks(channel), sends(channel))
    assert [] == source.dead_letters()


def test_a_message_absent_is_looked_for_with_growing_delays(source: EventSource) -> None:
    """The queue hides it for each delay in turn; then a person is called, and it is dead."""
    channel = source.channel
    lose_the_send(source, accepted=False)

    source.run()

    _, *waits = source.waits[: len(DELAYS) + 2]
    assert [True, True] == [
        delay <= wait <= delay + AN_INSTANT for delay, wait in zip(DELAYS, waits, strict=False)
    ]
    assert pytest.approx(0, abs=0.001) == waits[len(DELAYS)]
    assert (len(DELAYS) + 1, 1) == (looks(channel), sends(channel))
    line = channel.events()["send_outcome_unknown"]
    assert "CRITICAL" == line["level"]
    assert RECIPIENT not in json.dumps(line)
    assert "send_unknown" == channel.record()["conversation_status"]
    assert [context()] == source.dead_letters()
    assert [] == channel.phone()


def test_what_is_declared_unknown_is_dead_within_seconds(source: EventSource) -> None:
    """Each further receive is shown at once, and asks nobody anything."""
    lose_the_send(source, accepted=False)
    while "send_unknown" != source.channel.record()["conversation_status"]:
        source.clock.advance(max(source.visible_in()) + 0.01)
        source.poll()
    declared_at, calls = source.clock(), source.channel.vendor_calls()

    source.run()

    assert source.clock() - declared_at < 10
    assert calls == source.channel.vendor_calls()
    assert list(range(1, MAX_RECEIVE_COUNT + 1)) == source.receives


@pytest.mark.parametrize(("lag", "expected"), [(5, 1), (15, 2), (60, 3)])
def test_a_list_that_lags_is_looked_at_again(
    source: EventSource, lag: float, expected: int
) -> None:
    """However late it is within the delays, the message is found, and never sent again."""
    source.channel.twilio.settings = TwilioSettings(list_lag_seconds=lag)
    lose_the_send(source, accepted=True)

    source.run()

    assert expected == looks(source.channel)
    assert 1 == sends(source.channel)
    assert source.channel.twilio.messages()[0]["sid"] == sent_sid(source.channel)


def test_a_list_that_lags_beyond_all_delays_calls_a_person(source: EventSource) -> None:
    """A message that is listed too late is not sent again: a person decides."""
    source.channel.twilio.settings = TwilioSettings(list_lag_seconds=3_600)
    lose_the_send(source, accepted=True)

    source.run()

    assert "send_outcome_unknown" in source.channel.events()
    assert (1, 1) == (sends(source.channel), len(source.channel.phone()))
    assert [context()] == source.dead_letters()


def test_a_duplicate_on_the_queue_does_not_hasten_the_looks(source: EventSource) -> None:
    """Two messages of one conversation look no earlier than one, and declare it once."""
    began_at = source.clock()
    lose_the_send(source, accepted=False)
    source.put(context())

    source.run()

    assert source.clock() - began_at >= sum(DELAYS)
    assert len(DELAYS) == source.channel.record()["settle_looks"]
    assert [context(), context()] == source.dead_letters()
