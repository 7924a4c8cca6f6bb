"""Everything that a run says, wherever it says it: output, any library's log, errors' texts."""

import io
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lambda_src.core.errors import ProcessingError

NOT_OURS = ("werkzeug", "moto", "responses", "local", "tests", "hypothesis")
"""Loggers of what stands in for the world; in Lambda there is none of them."""


class Listener:
    """What was said so far.

    Attributes:
        errors: Texts of all errors that the runtime made, logged or not.
    """

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.errors: list[str] = []
        self.libraries = io.StringIO()
        self._capsys = capsys
        self._said = ""

    @property
    def output(self) -> str:
        """What was written to standard output and standard error."""
        captured = self._capsys.readouterr()
        self._said += captured.out + captured.err
        return self._said

    @property
    def everything(self) -> str:
        """All of it."""
        return "\n".join([self.output, self.libraries.getvalue(), *self.errors])


@contextmanager
def listening(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Listener]:
    """Listen as Lambda does: whatever reaches the root logger is printed, from DEBUG on."""
    listener = Listener(capsys)
    handler = logging.StreamHandler(listener.libraries)
    handler.addFilter(lambda record: not record.name.startswith(NOT_OURS))
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    _note_errors(listener, monkeypatch)
    try:
        yield listener
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


def _note_errors(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = ProcessingError.__init__

    def noting(error: ProcessingError, *args: Any, **keywords: Any) -> None:
        begin(error, *args, **keywords)
        told = traceback.format_exception_only(error)
        listener.errors.append(f"{told} {error!r} {error.detail} {error.fields} {error.event}")

    monkeypatch.setattr(ProcessingError, "__init__", noting)
