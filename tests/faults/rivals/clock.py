"""The idempotency utility's clock, for whoever moves time: it asks `datetime`, not `time`."""

import datetime
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any, cast

from aws_lambda_powertools.utilities.idempotency import base as handling
from aws_lambda_powertools.utilities.idempotency.persistence import base, datarecord, dynamodb

ASKING: tuple[ModuleType, ...] = (handling, base, datarecord, dynamodb)
"""Modules that name `datetime` as `dt`."""


def go_by(clock: Callable[[], float]) -> None:
    """Let the utility go by a clock from now on, in this process.

    Args:
        clock: Gives the time, in epoch seconds.
    """
    moved = SimpleNamespace(timedelta=datetime.timedelta, datetime=_datetime_of(clock))
    for module in ASKING:
        cast("Any", module).dt = moved


def _datetime_of(clock: Callable[[], float]) -> type[datetime.datetime]:
    class Moved(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> "Moved":
            return cls.fromtimestamp(clock(), tz)

    return Moved
