"""The lines that the runtime really logs, against the filters that the template really has."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from local.filter_pattern import FilterPattern
from local.stand_ins.faults import Fault
from tests.infra.synthesis import Synthesized
from tests.services.channel import Channel, context
from tests.services.test_handler_faults import lapse_the_sender, refused


def fail_the_final_update(channel: Channel) -> None:
    """A message is sent and its record cannot be written."""
    with refused(channel, "UpdateItem", "AccessDeniedException", containing="message_sid"):
        channel.deliver(context(conversation_id="unrecorded"))


def lose_a_send(channel: Channel) -> None:
    """A send stays unaccounted for until the last delivery."""
    channel.twilio.fail_next(Fault.reset())
    channel.deliver(context(conversation_id="lost"))
    lapse_the_sender(channel, "lost")
    channel.deliver(context(conversation_id="lost"), receive_count=10)


def run_out_of_money(channel: Channel) -> None:
    """OpenAI refuses the account."""
    channel.openai.fail_next("insufficient_quota")
    channel.deliver(context())


def send_and_fail_without_alarm(channel: Channel) -> None:
    """A message is sent, one is refused, and one is to be tried again."""
    channel.deliver(context(), "no context object")
    channel.openai.fail_next("rate_limit_exceeded")
    channel.deliver(context(conversation_id="another"))


STORIES: dict[str, Callable[[Channel], None]] = {
    "FinalDbUpdateFailureFilter-Dev": fail_the_final_update,
    "SendOutcomeUnknownFilter-Dev": lose_a_send,
    "VendorAccountRefusedFilter-Dev": run_out_of_money,
}


def filters(dev: Synthesized) -> dict[str, FilterPattern]:
    """The template's metric filters by name."""
    resources = dev.resources("WhatsApp", "AWS::Logs::MetricFilter")
    return {
        resource["Properties"]["FilterName"]: FilterPattern(resource["Properties"]["FilterPattern"])
        for resource in resources
    }


def matching(dev: Synthesized, lines: list[dict[str, Any]]) -> list[str]:
    """The names of the filters that match, once for each line."""
    return [
        name
        for line in lines
        for name, pattern in filters(dev).items()
        if pattern.matches(json.dumps(line))
    ]


@pytest.mark.parametrize("name", STORIES)
def test_story_makes_its_filter_match_once(channel: Channel, dev: Synthesized, name: str) -> None:
    """What must wake a person logs one line that its own filter matches, and no other filter."""
    STORIES[name](channel)

    assert [name] == matching(dev, channel.read_log())


def test_every_filter_has_a_story(dev: Synthesized) -> None:
    """No filter of the template waits for a line that nothing here logs."""
    assert set(STORIES) == set(filters(dev))


def test_everyday_lines_match_no_filter(channel: Channel, dev: Synthesized) -> None:
    """Sent, refused and retried messages wake nobody."""
    send_and_fail_without_alarm(channel)

    assert [] == matching(dev, channel.read_log())
