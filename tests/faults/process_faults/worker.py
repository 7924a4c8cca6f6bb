"""A worker: a process that runs the real handler on one SQS event, and may be killed."""

import gc
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import httpx2
import openai
from botocore.config import Config
from twilio.rest import Client

from lambda_src import bootstrap, index
from lambda_src.core.ai import request
from lambda_src.core.ai.responses import generate_with_responses
from lambda_src.core.ai.threads import generate_with_threads
from lambda_src.core.models import Engine, GenerationRequest
from lambda_src.utils import sqs_heartbeat
from lambda_src.utils.assistant_definitions import AssistantFiles
from local.fakes import FakeOpenAI, OpenAISettings
from tests.faults.competitors import powertools, straightforward
from tests.faults.mutants.catalogue import MUTANTS
from tests.faults.parallel import end_with_parent
from tests.faults.process_faults._clock import SharedTime, WorkerTime, bind
from tests.support.aws_account import without_certificates
from tests.support.channel import API_KEY, MODEL

LambdaHandler = Callable[[Mapping[str, Any], Any], dict[str, Any]]

OURS = "ours"
COMPETITORS = {
    "original": "the public original's algorithm",
    "powertools": "Powertools' idempotency around the same flow",
}
"""Other designs, run through the same cells."""
_PACKAGE = "tests.faults.competitors"
AWS_SECONDS = 1.0
"""The real timeout of a call to AWS; with its retry, a call that hangs takes twice as long."""


def load(name: str) -> LambdaHandler:
    if name in MUTANTS:
        build = index.batch_handler
        index.batch_handler = cache(lambda: MUTANTS[name].alter(build()))
    if name in COMPETITORS:
        handler: LambdaHandler = import_module(f"{_PACKAGE}.{name}").lambda_handler
        return handler
    return index.lambda_handler


def use_clock(name: str, clock: WorkerTime) -> None:
    """Let what does not call `time.time` use the worker's clock, too.

    That is the heartbeat, which waits for an event, the deadline of OpenAI's answer, which has a
    clock of its own, and Powertools' idempotency utility, which calls `datetime`.
    """
    patch.object(request, "time", SimpleNamespace(monotonic=clock.time)).start()
    if name == "powertools":
        powertools.use_clock(clock.time)
        return
    heartbeat = f"{_PACKAGE}.{name}" if name in COMPETITORS else sqs_heartbeat.__name__
    patch(f"{heartbeat}.Event", clock.event).start()


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker is started for."""

    handler: str  # its name
    environment: Mapping[str, str]
    event: Mapping[str, Any]
    ends_at: float  # when Lambda ends the function, in epoch seconds
    log: str  # path of the file that gets its log


@dataclass(frozen=True, slots=True)
class LambdaContext:
    clock: WorkerTime
    ends_at: float
    function_name: str = "whatsapp-channel-processor-dev"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:processor"
    aws_request_id: str = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the function."""
        return round((self.ends_at - self.clock.time()) * 1000)


def run(task: Task, shared: SharedTime, slot: int, result: Connection) -> None:
    """Handle the event and send what the handler returns; None if it raises."""
    end_with_parent()
    clock = WorkerTime(shared, slot)
    bind(clock)
    use_clock(task.handler, clock)
    os.environ.update(task.environment)
    with open(task.log, "w", buffering=1, encoding="utf-8") as sys.stdout:  # noqa: PTH123
        result.send(_handle(task, LambdaContext(clock, task.ends_at)))


def _handle(task: Task, context: LambdaContext) -> dict[str, Any] | None:
    try:
        return load(task.handler)(task.event, cast("Any", context))
    except Exception:  # noqa: BLE001 - as Lambda does: the invocation has failed
        traceback.print_exc()
        return None


def warm_up() -> None:
    """Do once before workers are forked what SDKs only do the first time, and take long for."""
    short = Config(connect_timeout=AWS_SECONDS, read_timeout=AWS_SECONDS)
    for module in (bootstrap, straightforward, powertools):
        configured: Config = vars(module)["AWS_CLIENT"]
        patch.object(module, "AWS_CLIENT", configured.merge(short)).start()
    session = vars(bootstrap)["get_session"]()  # shared: a new one reads AWS's models again
    patch.object(bootstrap, "get_session", lambda: session).start()
    names = ("CHANNEL", "QUEUE_URL", "CONVERSATIONS_TABLE", "SECRET_PREFIXES")
    aws = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    environment = dict.fromkeys((*names, *aws), "none") | {"AWS_DEFAULT_REGION": "eu-west-1"}
    with patch.dict(os.environ, environment | {"CHANNEL": "whatsapp"}):
        index.batch_handler()
        index.batch_handler.cache_clear()
    patch("httpcore2.default_ssl_context", without_certificates).start()
    _ = Client("none", "none").messages  # type: ignore[no-untyped-call]
    openai.DefaultHttpxClient().close()
    _generate()
    # What exists now is not looked at by the garbage collector, and so stays shared by the workers.
    gc.collect()
    gc.freeze()


def _generate() -> None:
    fake = FakeOpenAI(keys={API_KEY}, models={MODEL}, settings=OpenAISettings(run_polls=1))
    transport = httpx2.WSGITransport(app=fake.application)
    generation = GenerationRequest(
        engine=Engine.RESPONSES,
        assistant_id="first_contact",
        definition=AssistantFiles().find("first_contact"),
        prompt_context={},
        metadata={},
        timeout=60,
    )
    with openai.OpenAI(
        api_key=API_KEY,
        base_url="http://openai/v1",
        http_client=openai.DefaultHttpxClient(transport=transport),
    ) as client:
        generate_with_responses(client, generation, [])
        generate_with_threads(client, generation, [])
