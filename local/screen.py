"""Terminal output of the local cloud's commands."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import rich.console
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from local.fakes import InboxMessage
from ops.console import Console, fields_table

INBOX_WIDTH = 52
RECORD_FIELDS = (
    "primary_channel",
    "conversation_id",
    "conversation_status",
    "hand_off_to_human_reason",
    "message_sid",
    "delivery_status",
    "delivery_error_code",
    "delivery_updated_at",
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


class Screen(Console):
    """Writes to a terminal, or plain text to any other standard output."""

    output_type = rich.console.Console  # ends if its output has no reader

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show that a step is running, and then how long it took."""
        start = time.monotonic()
        with self.output.status(f"{text} …"):
            yield
        duration = f"  {time.monotonic() - start:.1f} s"
        self._marked(Text("  ✓ ", "green"), Text.assemble(text, (duration, "dim")))

    def heading(self, text: str) -> None:
        """Begin a new section."""
        self.output.print()
        self.output.rule(Text(text, "bold"), align="left", style="dim")

    def say(self, text: str, style: str = "") -> None:
        """Print a sentence without markup; unless on a terminal, in one line."""
        if self.output.is_terminal:
            self.output.print(Padding(Text(text, style), (0, 0, 0, 2), expand=False))
        else:
            self.output.print(Text(f"  {text}", style), soft_wrap=True)

    def line(self, text: str, style: str = "") -> None:
        """Print one line without markup, whose end is cut off where a terminal is too narrow."""
        if self.output.is_terminal:
            self.output.print(Text(f"  {text}", style), no_wrap=True, overflow="ellipsis")
        else:
            self.say(text, style)

    def verdict(self, claim: str, *, holds: bool) -> None:
        """Print a claim with a tick or a cross."""
        mark = Text("  ✓ ", "bold green") if holds else Text("  ✗ ", "bold red")
        self._marked(mark, Text(claim, "" if holds else "red"))

    def inbox(self, address: str, messages: Sequence[InboxMessage]) -> None:
        """Draw what a recipient sees: a phone or a mailbox with messages."""
        bubbles = [_bubble(message) for message in messages]
        content: RenderableType = Group(*bubbles) if bubbles else Text("no messages", "dim")
        applications = sorted({message.application for message in messages})
        title = Text(f" {' · '.join([address, *applications])} ")
        self.output.print(Panel(content, title=title, width=INBOX_WIDTH, border_style="cyan"))

    def record(self, record: dict[str, Any]) -> None:
        """Draw the most important fields of a conversation's record."""
        if not record:
            self.say("no conversation record", "dim")
            return
        fields = [(name, str(record[name])) for name in RECORD_FIELDS if name in record]
        table = fields_table([*fields, *_nested_fields(record)])
        self.output.print(Panel(table, title="conversation record", border_style="blue"))

    def log_line(self, fields: dict[str, Any]) -> None:
        """Draw all fields of a log line."""
        title = f"log line, {fields.get('level', '')}"
        table = fields_table((name, str(value)) for name, value in fields.items())
        self.output.print(Panel(table, title=title, border_style="red"))

    def _marked(self, mark: Text, text: Text) -> None:
        line = Table.grid()
        line.add_row(mark, text)
        self.output.print(line)


def _bubble(message: InboxMessage) -> Panel:
    time_sent = datetime.fromtimestamp(message.at, UTC).astimezone().strftime("%H:%M")
    content = Group(
        Text(message.sender, "dim"),
        *([Text(message.subject, "bold")] if message.subject else []),
        Text(message.body),
        Text(f"{time_sent} ✓✓", "dim", justify="right"),
    )
    return Panel(content, border_style="green")


def _nested_fields(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for message in record.get("messages", []):
        tokens = f"{message['prompt_tokens']} + {message['completion_tokens']} tokens"
        yield f"messages · {message['role']}", f"{message['content']} ({tokens})"
    for report in record.get("delivery_events", []):
        code = f", {report['error_code']}" if "error_code" in report else ""
        yield "reported", f"{report['status']}{code} at {report['at']}"
    if failure := record.get("failure"):
        yield "failure", f"{failure['code']} at {failure['step']}"
        for problem in filter(None, failure.get("detail", "").split("; ")):
            yield "", f"· {problem}"
