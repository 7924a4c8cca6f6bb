"""What the local cloud's commands show on the terminal."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from local.stand_ins import PhoneMessage

PHONE_WIDTH = 52
CHIEF_FIELDS = (
    "primary_channel",
    "conversation_id",
    "conversation_status",
    "message_sid",
    "thread_id",
    "company_name",
    "project_name",
    "task_complete",
    "initial_processing_time_ms",
    "processor_version",
    "router_version",
    "created_at",
    "updated_at",
)


class Screen:
    """Writes to a terminal, or plainly to whatever else standard output is.

    Args:
        console: where to write; by default standard output, and standard error for errors.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self._errors = console or Console(highlight=False, stderr=True)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show that something is being done, and then how long it took."""
        start = time.monotonic()
        with self.console.status(f"{text} …"):
            yield
        took = f"  {time.monotonic() - start:.1f} s"
        self._marked(Text("  ✓ ", "green"), Text.assemble(text, (took, "dim")))

    def heading(self, text: str) -> None:
        """Begin a new part."""
        self.console.print()
        self.console.rule(Text(text, "bold"), align="left", style="dim")

    def say(self, text: str, style: str = "") -> None:
        """Write a sentence, literally; what is not a terminal gets it in one line."""
        if self.console.is_terminal:
            self.console.print(Padding(Text(text, style), (0, 0, 0, 2), expand=False))
        else:
            self.console.print(Text(f"  {text}", style), soft_wrap=True)

    def verdict(self, claim: str, *, holds: bool) -> None:
        """Write a claim with a tick, or with a cross."""
        mark = Text("  ✓ ", "bold green") if holds else Text("  ✗ ", "bold red")
        self._marked(mark, Text(claim, "" if holds else "red"))

    def error(self, text: str) -> None:
        """Write what went wrong, unfolded: the terminal, if it is one, folds it by itself."""
        self._errors.print(Text(text, "red"), soft_wrap=True)

    def phone(self, number: str, messages: Sequence[PhoneMessage]) -> None:
        """Draw a recipient's phone."""
        bubbles = [_bubble(message) for message in messages]
        shown: RenderableType = Group(*bubbles) if bubbles else Text("no messages", "dim")
        applications = sorted({message.application for message in messages})
        title = Text(f" {' · '.join([number, *applications])} ")
        self.console.print(Panel(shown, title=title, width=PHONE_WIDTH, border_style="cyan"))

    def record(self, record: dict[str, Any]) -> None:
        """Draw the chief fields of a conversation's record, and what it says of a failure."""
        if not record:
            self.say("no conversation record", "dim")
            return
        chief = [(name, str(record[name])) for name in CHIEF_FIELDS if name in record]
        table = _table([*chief, *_details(record)])
        self.console.print(Panel(table, title="conversation record", border_style="blue"))

    def log_line(self, fields: dict[str, Any]) -> None:
        """Show a log line, field by field as it was logged."""
        title = f"log line, {fields.get('level', '')}"
        table = _table((name, str(value)) for name, value in fields.items())
        self.console.print(Panel(table, title=title, border_style="red"))

    def _marked(self, mark: Text, text: Text) -> None:
        line = Table.grid()
        line.add_row(mark, text)
        self.console.print(line)


def _table(rows: Iterable[tuple[str, str]]) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(name), Text(value))
    return table


def _bubble(message: PhoneMessage) -> Panel:
    time_sent = datetime.fromtimestamp(message.at, UTC).astimezone().strftime("%H:%M")
    content = Group(
        Text(message.number, "dim"),
        Text(message.body),
        Text(f"{time_sent} ✓✓", "dim", justify="right"),
    )
    return Panel(content, border_style="green")


def _details(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for message in record.get("messages", []):
        tokens = f"{message['prompt_tokens']} + {message['completion_tokens']} tokens"
        yield f"messages · {message['role']}", f"{message['content']} ({tokens})"
    if failure := record.get("failure"):
        yield "failure", f"{failure['code']} at {failure['step']}"
        for problem in filter(None, failure.get("detail", "").split("; ")):
            yield "", f"· {problem}"
