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

from ops.errors import Declined, OperatorError

Row = Mapping[str, object]


class Screen:
    """Standard output takes the results, standard error everything about getting them.

    Args:
        as_json: Whether results are one JSON document instead of tables.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
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
        """Show rows of the same fields as a table."""
        if self.as_json:
            return
        if not rows:
            self.say(nothing, "dim")
            return
        table = Table(box=None, padding=(0, 1, 0, 2), header_style="dim")
        for name in rows[0]:
            is_number = isinstance(rows[0][name], int | float)
            table.add_column(
                Text(_words(name)), justify="right" if is_number else "left", overflow="fold"
            )
        for row in rows:
            table.add_row(*(Text(_told(value)) for value in row.values()))
        self.console.print(table)

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
        texts = list(texts)
        if texts:
            self.heading(title)
        for text in texts:
            self.say(f"→ {text}")

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
            OperatorError: Nobody is there to answer.
        """
        if yes:
            return
        try:
            agreed = typer.confirm(question, err=True)
        except typer.Abort:
            raise OperatorError(
                "nobody answered: add --yes to go on without being asked, or --dry-run to look"
            ) from None
        if not agreed:
            raise Declined("nothing was changed")


def _words(name: str) -> str:
    return name.replace("_", " ")


def _told(value: object) -> str:
    if value is None or value == "":
        return "–"
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
