"""Which handler a worker runs: ours, ours with one mistake, or a rival."""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from lambda_src import index
from lambda_src.core import openai_deadline
from lambda_src.utils import sqs_heartbeat
from tests.faults.grid.virtual_time import WorkerTime
from tests.faults.variants import VARIANTS

LambdaHandler = Callable[[Mapping[str, Any], Any], dict[str, Any]]

OURS = "ours"
RIVALS = ("original", "powertools")
_RIVALS = "tests.faults.rivals"


def names() -> tuple[str, ...]:
    """Every handler's name: ours, the variants, the rivals."""
    return (OURS, *VARIANTS, *RIVALS)


def load(name: str) -> LambdaHandler:
    """The handler of that name, for this process."""
    if name == OURS:
        return index.lambda_handler
    if name in VARIANTS:
        return _variant(name)
    handler: LambdaHandler = import_module(f"{_RIVALS}.{name}").lambda_handler
    return handler


def go_by(name: str, clock: WorkerTime) -> None:
    """Let what measures time by other means than `time.time` go by a worker's clock.

    That is a heart, which waits for an event, the end of the time for an answer, which goes by a
    clock of its own, and the idempotency utility, which asks `datetime`.
    """
    patch.object(openai_deadline, "time", SimpleNamespace(monotonic=clock.time)).start()
    if name == "powertools":
        import_module(f"{_RIVALS}.clock").go_by(clock.time)
        return
    heart = f"{_RIVALS}.{name}" if name in RIVALS else sqs_heartbeat.__name__
    patch(f"{heart}.Event", clock.event).start()


def _variant(name: str) -> LambdaHandler:
    build = index.batch_handler
    index.batch_handler = cache(lambda: VARIANTS[name].alter(build()))
    return index.lambda_handler
