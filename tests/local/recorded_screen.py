"""A screen for tests."""

import io

from rich.console import Console

from local.screen import Screen


class RecordedScreen(Screen):
    """A screen that is not a terminal, and whose output can be read."""

    def __init__(self) -> None:
        self._output = io.StringIO()
        console = Console(file=self._output, width=120)
        super().__init__(output=console, errors=console)

    def text(self) -> str:
        """Return the output so far."""
        return self._output.getvalue()
