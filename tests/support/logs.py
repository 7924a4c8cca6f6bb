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
        """The whole text."""
        return self._written.getvalue()

    @property
    def all(self) -> list[Line]:
        """Every line."""
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def events(self) -> list[str]:
        """Every line's event."""
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
    logger = logging.getLogger(logging_config.PACKAGE)
    before = logger.handlers, logger.level, logger.propagate
    levels = {name: logging.getLogger(name).level for name in logging_config.QUIET}
    try:
        yield
    finally:
        logger.handlers, logger.propagate = before[0], before[2]
        logger.setLevel(before[1])
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


class Output:
    """Log lines and metrics on standard output, each returned once.

    Args:
        read: Returns what was written since the last call.
    """

    def __init__(self, read: Callable[[], str]) -> None:
        self._written = read
        self._log: list[Line] = []
        self._metrics: list[Line] = []

    def log(self) -> list[Line]:
        """Return the log lines since the last call."""
        self._read()
        lines, self._log = self._log, []
        return lines

    def metrics(self) -> list[Line]:
        """Return the lines in the embedded metric format since the last call."""
        self._read()
        lines, self._metrics = self._metrics, []
        return lines

    def _read(self) -> None:
        for text in self._written().splitlines():
            line = json.loads(text)
            (self._metrics if "_aws" in line else self._log).append(line)
