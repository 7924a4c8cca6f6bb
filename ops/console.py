"""Console output: tables for people or one JSON document for programs; personal data is masked."""

from __future__ import annotations

import codecs
import json
import math
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from textwrap import wrap
from typing import TYPE_CHECKING, Any, BinaryIO

import rich.console
import typer
import typer.core
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ops.errors import Declined, OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.progress import Progress

BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Encodings by the bytes that a text begins with; those of UTF-16 are a part of UTF-32's."""

ASCII = {"…": "...", "•": "*", "·": "-", "–": "-", "→": "->", "✓": "+", "✗": "x", "█": "#"}
"""What characters become that a terminal's encoding lacks; all others become a question mark."""

UNCHANGED = "nothing was changed"
RESUMABLE = "completed work is kept: run the same command again to continue"

PADDING = 2
"""Columns of space before a cell."""
UNITS = (("s", 1, 120), ("min", 60, 120), ("h", 3600, 48), ("days", 86400, math.inf))
"""Units of durations: name, seconds, and from how many of them on the next unit is used."""

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Characters by which a text could hide or change what a terminal shows of another one."""
NO_VALUE = "–"
MASK = "•••"
PUBLIC_FIELDS = frozenset(
    {
        "conversation_id",
        "conversation_status",
        "company_id",
        "project_id",
        "project_status",
        "request_id",
        "channel_method",
        "comms_consent",
        "message_sid",
        "thread_id",
        "message_id",
        "response_id",
        "task_complete",
        "initial_processing_time_ms",
        "processor_version",
        "router_version",
        "hand_off_to_human",
        "hand_off_to_human_reason",
        "draft_id",
        "draft_template_id",
        "function_call",
        "attempt",
        "settle_looks",
        "lease_expires_at",
        "send_intent_at",
        "send_deadline",
        "created_at",
        "updated_at",
        "expires_at",
        "delivery_status",
        "delivery_error_code",
        "delivery_updated_at",
        "intent_id",
        "open_work",
        "open_since",
        "failure",
        "operator_actions",
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "timestamp",
        "role",
        "messages",
    }
)
"""Fields without personal data; all others are masked, including fields that are added later."""
PUBLIC_TREES = frozenset(
    {
        "failure",
        "operator_actions",
        "delivery_events",
        "intent_ids",
        "written_by",
        "discarded_threads",
    }
)
"""Fields that are shown with everything in them."""

_PHONE_NUMBER = re.compile(r"\+\d{4,}")


def decode_text(content: bytes, name: str) -> str:
    """Decode a text file: UTF-8, or another encoding of Unicode with a byte order mark.

    Args:
        content: The file's bytes.
        name: The file's name, for the error.

    Raises:
        OperatorError: It is in another encoding.
    """
    found = (name for mark, name in BYTE_ORDER_MARKS.items() if content.startswith(mark))
    try:
        return content.decode(next(found, "utf-8"))
    except UnicodeDecodeError as error:
        raise OperatorError(
            f"{name}: expected a text in UTF-8, found another encoding (byte {error.start + 1})"
        ) from None


def read_text(file: BinaryIO) -> str:
    """Read a text from a file that is open, or from standard input.

    Raises:
        OperatorError: It cannot be read, or has no encoding of Unicode.
    """
    name = getattr(file, "name", "standard input")
    try:
        content = file.read()
    except OSError as error:
        raise OperatorError(f"{name}: cannot be read: {error.strerror}") from None
    return decode_text(content, str(name))


def replace_unencodable(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that an output cannot encode, as an error handler of `codecs`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(ASCII.get(each, "?") for each in text), error.end


def print_in_any_encoding() -> None:
    """Let standard output replace characters that its encoding lacks instead of failing."""
    codecs.register_error(replace_unencodable.__name__, replace_unencodable)
    sys.stdout.reconfigure(errors=replace_unencodable.__name__)  # type: ignore[union-attr]


class CommandGroup(typer.core.TyperGroup):
    """The commands of a program, which print in any encoding."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command that the arguments name."""
        print_in_any_encoding()
        return super().main(*args, **kwargs)


class Hours(float):
    """A duration in hours, with one decimal in JSON; people see a fitting unit.

    Attributes:
        seconds: The exact duration.
    """

    seconds: float

    @classmethod
    def of(cls, seconds: float) -> Hours:
        """Return a duration that is given in seconds."""
        hours = cls(round(seconds / 3600, 1))
        hours.seconds = seconds
        return hours


@dataclass(frozen=True)
class NextStep:
    """What to do next, and the command that does it, to be pasted into a shell unchanged."""

    text: str
    command: str

    def __str__(self) -> str:
        return f"{self.text}: {self.command}"


class UninterruptedOutput(rich.console.Console):
    """A console whose commands continue if the program that reads the output has ended."""

    def on_broken_pipe(self) -> None:
        """Discard further output: a command that changes something must not stop half-way."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Console:
    """Writes results to standard output, and everything else to standard error.

    Args:
        as_json: Whether to print results as one JSON document instead of tables.
        output: Replaces standard output.
        errors: Replaces standard error.

    Attributes:
        as_json: As given.
        output: The rich console of the results.
        errors: The rich console of everything else.
        if_interrupted: What the operator reads if the command ends at this moment.
    """

    output_type: type[rich.console.Console] = UninterruptedOutput

    def __init__(
        self,
        *,
        as_json: bool = False,
        output: rich.console.Console | None = None,
        errors: rich.console.Console | None = None,
    ) -> None:
        self.as_json = as_json
        self.output = output or self.output_type(highlight=False)
        self.errors = errors or rich.console.Console(highlight=False, stderr=True)
        self.if_interrupted = UNCHANGED

    def result(self, document: object) -> None:
        """Print the result for programs; the other methods show it to people."""
        if self.as_json:
            is_ascii = not sys.stdout.encoding.lower().startswith("utf")
            text = json.dumps(document, default=to_json, ensure_ascii=is_ascii, indent=2)
            self.output.out(text, highlight=False)

    def heading(self, text: str) -> None:
        """Begin a new section."""
        if not self.as_json:
            self.output.print()
            self.output.print(_visible_text(text, "bold"))

    def say(self, text: str, style: str = "") -> None:
        """Print a sentence, without markup."""
        if not self.as_json:
            self.output.print(Padding(_visible_text(text, style), (0, 0, 0, 2), expand=False))

    def rows(self, rows: Sequence[Mapping[str, object]], empty: str = "none") -> None:
        """Print rows with the same fields as a table, or as blocks on a narrow terminal."""
        if self.as_json:
            return
        if not rows:
            self.say(empty, "dim")
            return
        columns = {name: _column(name, [row[name] for row in rows]) for name in rows[0]}
        # A column without any value only takes the place of others.
        columns = {name: each for name, each in columns.items() if not each.is_empty} or columns
        width = self.output.width
        if sum(each.min_width + PADDING for each in columns.values()) <= width:
            is_wide = sum(each.full_width + PADDING for each in columns.values()) <= width
            self.output.print(_table([*columns.values()], wraps_headings=not is_wide))
            return
        for number, row in enumerate(rows):
            if number:
                self.output.print()
            self.fields({name: row[name] for name in columns})

    def fields(self, fields: Mapping[str, object]) -> None:
        """Print named values, one a line; nested values as JSON."""
        if not self.as_json:
            pairs = ((_words(name, value), _to_text(value)) for name, value in fields.items())
            self.output.print(fields_table(pairs))

    def steps(self, steps: Iterable[str | NextStep], title: str = "next steps") -> None:
        """Print what to do next; a command has a line of its own, to be copied and pasted."""
        steps = [] if self.as_json else list(steps)
        if steps:
            self.heading(title)
        for step in steps:
            text, command = (step.text, step.command) if isinstance(step, NextStep) else (step, "")
            if text:
                self.output.print(_visible_text(f"  → {text}"), soft_wrap=True)
            if command:
                self.output.print(_visible_text(f"    {command}"), soft_wrap=True)

    def error(self, text: str) -> None:
        """Print what went wrong; the terminal wraps it."""
        self.errors.print(_visible_text(text, "red"), soft_wrap=True)

    def note(self, text: str) -> None:
        """Print a remark beside the result."""
        self.errors.print(_visible_text(text, "dim"), soft_wrap=True)

    def progress(self) -> Progress:
        """Return a transient progress bar, which only terminals show."""
        # Imported here: most commands have none.
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

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
        """Ask before a change, unless the command line has the answer.

        Raises:
            Declined: The answer is no.
            Abort: Standard input has ended, or Ctrl-C was pressed; typer's own.
        """
        if not yes and not typer.confirm(question, err=True):
            raise Declined(UNCHANGED)
        self.if_interrupted = RESUMABLE


def duration(seconds: float) -> str:
    """Return a duration in a fitting unit: `90 s`, `15 min`, `3 h`, `2 days`."""
    fitting = (unit for unit in UNITS if round(seconds / unit[1]) < unit[2])
    name, size, _ = next(fitting)
    return f"{round(seconds / size)} {name}"


def format_dollars(dollars: float | None) -> str:
    """Return an amount with enough digits for one answer; the price of some models is not known."""
    return "not known" if dollars is None else f"${dollars:.6f}"


def fields_table(pairs: Iterable[tuple[str, str]]) -> Table:
    """Return a table of named values, one a line."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(Text(name), _visible_text(value))
    return table


def mask_number(value: str) -> str:
    """Mask a phone number except its ends, such as `+4…23`; mask other text completely."""
    return f"{value[:2]}…{value[-2:]}" if _PHONE_NUMBER.fullmatch(value) else MASK


def mask_recipient(value: str, *, show: bool) -> str:
    """Mask a recipient unless `show`."""
    return value if show else mask_number(value)


def mask_record(attributes: Mapping[str, Any], *, show: bool) -> dict[str, Any]:
    """Mask the personal data of a record's attributes unless `show`."""
    if show:
        return dict(attributes)
    return {name: _mask_field(name, value) for name, value in attributes.items()}


def _mask_field(name: str, value: Any) -> Any:
    if name in PUBLIC_TREES:
        return value
    if name == "primary_channel":
        return mask_number(str(value))
    if name not in PUBLIC_FIELDS:
        return MASK
    if isinstance(value, list):
        return [
            mask_record(each, show=False) if isinstance(each, Mapping) else MASK for each in value
        ]
    return value


@dataclass(frozen=True)
class _Column:
    """One column of a table, whose ids and codes are never broken.

    Attributes:
        name: Its heading.
        cells: Its texts.
        is_number: Whether it is right-aligned.
    """

    name: str
    cells: Sequence[str]
    is_number: bool

    @property
    def is_empty(self) -> bool:
        """Whether no cell has a value."""
        return all(cell == NO_VALUE for cell in self.cells)

    @property
    def is_prose(self) -> bool:
        """Whether a cell has several words, and may be wrapped between them."""
        return not self.is_number and any(" " in cell for cell in self.cells)

    @property
    def min_width(self) -> int:
        """Length of the longest word."""
        cells = [[cell] if self.is_number else cell.split() for cell in self.cells]
        words = [word for texts in (self.name.split(), *cells) for word in texts]
        return max(map(len, words), default=0)

    @property
    def full_width(self) -> int:
        """Length of the longest line if nothing is wrapped."""
        return max(map(len, (self.name, *self.cells)))


def _column(name: str, values: Sequence[object]) -> _Column:
    example = next((value for value in values if value is not None), None)
    is_number = isinstance(example, int | float)
    return _Column(_words(name, example), [_to_text(value) for value in values], is_number)


def _table(columns: Sequence[_Column], *, wraps_headings: bool) -> Table:
    table = Table(box=None, padding=(0, 0, 0, PADDING), header_style="dim")
    for column in columns:
        heading = column.name
        if wraps_headings and not column.is_prose:
            heading = "\n".join(wrap(heading, column.min_width))
        table.add_column(
            Text(heading),
            justify="right" if column.is_number else "left",
            no_wrap=not column.is_prose,
            vertical="top",
        )
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(_visible_text, cells))
    return table


def _visible_text(text: str, style: str = "") -> Text:
    """Return a text of which no part controls the terminal: it may be of any origin."""
    return Text(_CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text), style)


def _words(name: str, value: object) -> str:
    if isinstance(value, Hours):  # shown with its unit
        name = name.removesuffix("_hours").removeprefix("hours_")
    return name.replace("_", " ")


def _to_text(value: object) -> str:
    if value is None or value == "" or value in ([], {}, ()):
        return NO_VALUE
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, default=to_json, ensure_ascii=False)
    return _scalar_to_text(value)


def _scalar_to_text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Hours):
        return duration(value.seconds)
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return str(to_json(value) if isinstance(value, Decimal) else value)


def to_json(value: Any) -> object:
    """Convert what JSON has no type for."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return str(value)
