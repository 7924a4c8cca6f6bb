"""The log as it leaves the function: one JSON object a line."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import Any

from lambda_src.utils import logging_config

Line = dict[str, Any]


class LogLines:
    """What was logged so far, parsed; `text` is the same as it was written."""

    def __init__(self, written: StringIO) -> None:
        self._written = written

    @property
    def text(self) -> str:
        """Everything that was written."""
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
        """The only line of that event."""
        [line] = [line for line in self.all if line["event"] == event]
        return line


@contextmanager
def configured(level: str = "INFO") -> Iterator[LogLines]:
    """Log as in Lambda, onto a page of one's own, while the context lasts."""
    with restored_loggers():
        with redirect_stdout(StringIO()) as written:
            logging_config.configure(level, "whatsapp-channel-processor", "1.2.3")
        yield LogLines(written)


@contextmanager
def restored_loggers() -> Iterator[None]:
    """Undo what configuring the log changes."""
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
