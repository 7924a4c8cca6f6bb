"""What commands show: tables for people, or one JSON document for programs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import typer
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ops import tables
from ops.errors import Declined

Row = Mapping[str, object]

UNCHANGED = "nothing was changed"
GO_ON = "what is done stays done: run the same command again to go on"


class Screen:
    """Standard output takes the results, standard error everything about getting them.

    Args:
        as_json: Whether results are one JSON document instead of tables.

    Attributes:
        aftermath: How things stand should the command end at this moment, for whoever ends it.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.aftermath = UNCHANGED
        self.console = Console(highlight=False)
        self.errors = Console(highlight=False, stderr=True)

    def result(self, document: object) -> None:
        """Give out the result for programs; people are shown it by the other methods."""
        if self.as_json:
            typer.echo(json.dumps(document, default=_plain, ensure_ascii=False, indent=2))

    def heading(self, text: str) -> None:
        """Begin a new part."""
        if not self.as_json:
            self.console.print()
            self.console.print(Text(text, "bold"))

    def say(self, text: str, style: str = "") -> None:
        """Tell a person something, literally."""
        if not self.as_json:
            self.console.print(Padding(Text(text, style), (0, 0, 0, 2), expand=False))

    def rows(self, rows: Sequence[Row], nothing: str = "none") -> None:
        """Show rows of the same fields as a table, or one below the other on a narrow terminal."""
        if self.as_json:
            return
        if not rows:
            self.say(nothing, "dim")
            return
        columns = [_column(name, [row[name] for row in rows]) for name in rows[0]]
        if tables.fits(columns, self.console.width):
            self.console.print(tables.table(columns))
            return
        for number, row in enumerate(rows):
            if number:
                self.console.print()
            self.fields(row)

    def fields(self, fields: Mapping[str, object]) -> None:
        """Show named values, one a line; what is nested as JSON."""
        if self.as_json:
            return
        table = Table(show_header=False, box=None, padding=(0, 2, 0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in fields.items():
            table.add_row(Text(_words(name)), Text(_told(value)))
        self.console.print(table)

    def steps(self, texts: Iterable[str], title: str = "next") -> None:
        """Show what to do next."""
        texts = [] if self.as_json else list(texts)
        if texts:
            self.heading(title)
        for text in texts:  # whole lines, since the commands in them are copied
            self.console.print(Text(f"  → {text}"), soft_wrap=True)

    def error(self, text: str) -> None:
        """Say what went wrong; terminals fold it by themselves."""
        self.errors.print(Text(text, "red"), soft_wrap=True)

    def note(self, text: str) -> None:
        """Say something beside the result."""
        self.errors.print(Text(text, "dim"), soft_wrap=True)

    def progress(self) -> Progress:
        """A bar with counts and the time left; shown on a terminal only, and then removed."""
        return Progress(
            TextColumn("  {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.errors,
            transient=True,
            disable=not self.errors.is_terminal,
        )

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask before a change, unless the answer was given with the command.

        Raises:
            Declined: The answer is no.
            Abort: Nobody is there to answer, or Ctrl-C was the answer; typer's own.
        """
        if not yes and not typer.confirm(question, err=True):
            raise Declined(UNCHANGED)
        self.aftermath = GO_ON


def _column(name: str, values: Sequence[object]) -> tables.Column:
    is_number = isinstance(values[0], int | float)
    return tables.Column(_words(name), [_told(value) for value in values], is_number)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _told(value: object) -> str:
    if value is None or value == "" or value in ([], {}, ()):
        return "–"
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, default=_plain, ensure_ascii=False)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(_plain(value) if isinstance(value, Decimal | datetime) else value)


def _plain(value: Any) -> object:
    """What JSON has no word for."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return sorted(value) if isinstance(value, set | frozenset) else str(value)
