"""The operator's tool names nobody, unless it is asked to."""

import json

import pytest

from tests.ops.conftest import office  # noqa: F401 - a fixture
from tests.ops.office import Office
from tests.privacy.canaries import MARK, MESSAGE, found_in
from tests.privacy.messages import WORDS, body, misfit, quoting

CONVERSATION = "conversation-kept"
COMMANDS = (
    ("status",),
    ("conversation", "list"),
    ("conversation", "show", CONVERSATION),
    ("dlq", "list"),
    ("dlq", "list", "--letters"),
    ("dlq", "show", CONVERSATION),
    ("dlq", "redrive", "--dry-run"),
    ("unknown", "list"),
)


@pytest.fixture
def kept(office: Office) -> Office:  # noqa: F811 - a fixture
    """A channel with a sent message, a refused one, an unknown one, and dead letters of each."""
    channel = office.channel
    channel.openai.add_rule(channel.openai.rule(misfit(MESSAGE), times=None))
    identified = {"conversation_data.conversation_id": CONVERSATION}
    text = body(identified)
    channel.deliver(text)
    channel.twilio.fail_next(quoting(channel.twilio.rule("21211").fault))
    refused = body()
    channel.deliver(refused)
    office.bury(text, refused, json.dumps([WORDS]), f"{MARK} {{")
    office.lose_a_send()
    return office


def test_nobody_is_named_by_default(kept: Office) -> None:
    """Neither tables nor documents of any command that looks hold personal data."""
    for command in COMMANDS:
        for form in ((), ("--json",)):
            result = kept.run(*command, *form)
            assert 0 == result.exit_code, result.output
            assert [] == found_in(result.output), command


def test_who_asks_is_told(kept: Office) -> None:
    """What is masked is there: with --show-personal-data it is shown."""
    for command in (("conversation", "show"), ("dlq", "show")):
        shown = kept.run(*command, CONVERSATION, "--show-personal-data", "--json")
        assert found_in(shown.output)
