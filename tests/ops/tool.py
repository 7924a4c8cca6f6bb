"""The operator's tool, called in this process as people and programs call it."""

import json
from typing import Any

from typer.testing import CliRunner, Result

from ops.cli import app
from ops.command import INTERRUPTED


class Tool:
    """Calls commands, and looks at how they ended."""

    def run(self, *arguments: str, answer: str | None = None) -> Result:
        """Call the tool; `answer` is what is typed, or piped into it."""
        return CliRunner().invoke(app, list(arguments), input=answer)

    def done(self, *arguments: str, answer: str | None = None) -> Any:
        """Call the tool with --json and return the document of a call that succeeds."""
        result = self.run(*arguments, "--json", answer=answer)
        assert 0 == result.exit_code, result.output
        return json.loads(result.stdout)

    def refused(self, *arguments: str, answer: str | None = None) -> str:
        """Call the tool and return what a call that fails says."""
        return self._ended(1, *arguments, answer=answer)

    def interrupted(self, *arguments: str, answer: str | None = None) -> str:
        """Call the tool and return what a call says that Ctrl-C ends."""
        return self._ended(INTERRUPTED, *arguments, answer=answer)

    def _ended(self, exit_code: int, *arguments: str, answer: str | None) -> str:
        result = self.run(*arguments, answer=answer)
        assert exit_code == result.exit_code, result.output
        assert "Traceback" not in result.output
        return " ".join(result.output.split())
