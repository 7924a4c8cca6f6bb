"""The log as it leaves the function: one JSON object a line."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import Any

from lambda_src.utils import logging_config

Line = dict[str, Any]


class LogLines:
    """The log so far, parsed; `text` is the log as it was written."""

    def __init__(self, written: StringIO) -> None:
        self._written = written

    @property
    def text(self) -> str:
        return self._written.getvalue()

    @property
    def all(self) -> list[Line]:
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def events(self) -> list[str]:
        return [line["event"] for line in self.all]

    def of(self, event: str) -> Line:
        """Return the only line of that event."""
        [line] = [line for line in self.all if line["event"] == event]
        return line


@contextmanager
def configured(level: str = "INFO") -> Iterator[LogLines]:
    """Log as in Lambda inside the context, and return the lines."""
    with restore_loggers():
        with redirect_stdout(StringIO()) as written:
            logging_config.configure(level, "whatsapp-channel-processor", "1.2.3")
        yield LogLines(written)


@contextmanager
def restore_loggers() -> Iterator[None]:
    """Undo the changes of configuring the log."""
    loggers = map(logging.getLogger, (logging_config.PACKAGE, *logging_config.QUIET))
    before = [(logger, logger.handlers, logger.level, logger.propagate) for logger in loggers]
    try:
        yield
    finally:
        for logger, handlers, level, propagate in before:
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)


class Output:
    """Log lines and metrics on standard output, each returned once.

    Args:
        read: Returns what was written since the last call.
    """

    def __init__(self, read: Callable[[], str]) -> None:
        self._written = read
        self._unread: list[Line] = []

    def log(self) -> list[Line]:
        return self._take(are_metrics=False)

    def metrics(self) -> list[Line]:
        """Return the lines in the embedded metric format since the last call."""
        return self._take(are_metrics=True)

    def _take(self, *, are_metrics: bool) -> list[Line]:
        lines = self._unread + [json.loads(text) for text in self._written().splitlines()]
        self._unread = [line for line in lines if ("_aws" in line) is not are_metrics]
        return [line for line in lines if ("_aws" in line) is are_metrics]
