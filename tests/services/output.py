"""What the handler writes to standard output: log lines and metrics, each a JSON object a line."""

import json
from collections.abc import Callable
from typing import Any

Line = dict[str, Any]


class Output:
    """Reads both as they come, each line once.

    Args:
        read: Gives what was written since it was last asked.
    """

    def __init__(self, read: Callable[[], str]) -> None:
        self._written = read
        self._log: list[Line] = []
        self._metrics: list[Line] = []

    def log(self) -> list[Line]:
        """The log lines that were not given before."""
        self._read()
        lines, self._log = self._log, []
        return lines

    def metrics(self) -> list[Line]:
        """The lines in the embedded metric format that were not given before."""
        self._read()
        lines, self._metrics = self._metrics, []
        return lines

    def _read(self) -> None:
        for text in self._written().splitlines():
            line = json.loads(text)
            (self._metrics if "_aws" in line else self._log).append(line)
