"""Done once before workers are forked: what SDKs only do the first time, and take long for."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import httpx2
import openai
from botocore.config import Config
from twilio.rest import Client

from lambda_src import composition, index
from lambda_src.core.context import Engine
from lambda_src.core.message import Assignment
from lambda_src.core.openai_responses import write_with_responses
from lambda_src.core.openai_threads import write_with_threads
from lambda_src.utils.assistant_definitions import AssistantFiles
from local.stand_ins import OpenAISettings, OpenAIStandIn
from tests.faults.grid import worker  # noqa: F401 - what a worker runs, imported before the fork
from tests.faults.rivals import powertools, straightforward
from tests.services.channel import API_KEY, MODEL

AWS_SECONDS = 1.0
"""The real timeout of a call to AWS; with its repetition, a call that hangs takes twice as long."""
_ENVIRONMENT = {
    "CHANNEL": "whatsapp",
    "QUEUE_URL": "none",
    "CONVERSATIONS_TABLE": "none",
    "SECRET_PREFIXES": "none",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "made-up",
    "AWS_SECRET_ACCESS_KEY": "made-up",
}
_ASSIGNMENT = Assignment(
    engine=Engine.RESPONSES,
    assistant_id="first_contact",
    definition=AssistantFiles().find("first_contact"),
    briefing={},
    metadata={},
    timeout=60,
)


def warm_up() -> None:
    """Make the SDKs ready, and make AWS's timeouts short: they are real."""
    short = Config(connect_timeout=AWS_SECONDS, read_timeout=AWS_SECONDS)
    for module in (composition, straightforward, powertools):
        configured: Config = vars(module)["AWS_CLIENT"]
        patch.object(module, "AWS_CLIENT", configured.merge(short)).start()
    with _environment():
        index.batch_handler()
        index.batch_handler.cache_clear()
    _ = Client("none", "none").messages  # type: ignore[no-untyped-call]
    openai.DefaultHttpxClient().close()
    _let_the_ai_write()
    # What was made so far is never looked at again, and so stays shared with the workers.
    gc.collect()
    gc.freeze()


def _let_the_ai_write() -> None:
    stand_in = OpenAIStandIn(keys={API_KEY}, models={MODEL}, settings=OpenAISettings(run_polls=1))
    transport = httpx2.WSGITransport(app=stand_in.application)
    client = openai.OpenAI(
        api_key=API_KEY,
        base_url="http://stand-in/v1",
        http_client=openai.DefaultHttpxClient(transport=transport),
    )
    with client:
        write_with_responses(client, _ASSIGNMENT)
        write_with_threads(client, _ASSIGNMENT)


@contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(_ENVIRONMENT)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
