"""A channel with the real runtime, AWS in memory and the vendors' stand-ins."""

from functools import partial

import pytest

from lambda_src.services.secrets_manager_service import is_within
from lambda_src.utils.context_processor import ContextParser
from ops import letters
from ops.erasure import Erasure, Place
from ops.letters import Letters
from tests.services.channel import PREFIXES, Channel
from tests.services.conftest import (  # noqa: F401 - fixtures
    account,
    aws,
    channel,
    openai,
    openai_server,
    queue_url,
    secrets,
    table,
    twilio,
    twilio_server,
)


@pytest.fixture
def dead_letters_url(channel: Channel) -> str:  # noqa: F811 - a fixture
    """Where the channel's dead letters are."""
    return channel.sqs.get_queue_url(QueueName="dead-letters")["QueueUrl"]


@pytest.fixture
def erasure(
    channel: Channel,  # noqa: F811 - a fixture
    dead_letters_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Erasure:
    """The tool, over the one channel there is."""
    monkeypatch.setattr(letters, "POLL_SECONDS", 0)  # nobody else is at these queues
    queues = {
        "queue": Letters(channel.sqs, channel.queue_url),
        "dead letters": Letters(channel.sqs, dead_letters_url),
    }
    parse = ContextParser("whatsapp", partial(is_within, prefixes=PREFIXES))
    return Erasure(channel.dynamodb, channel.table, [Place("whatsapp", queues, parse)])
