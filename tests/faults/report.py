"""Tables and progress, on a terminal and in the documentation."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from string import ascii_lowercase

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable

OnProgress = Callable[[int, int], None]
"""Called with how many cases are done, of how many."""

MAX_TERMINAL_COLUMNS = 8
"""A table with more is shortened to letters and signs, so that it fits a terminal."""
SIGNS = {"sent": "✓", "operator": "O", "refused": "R", "open": "?", "not reached": "–"}
MAX_OPEN_ROWS = 25
"""A table with more is collapsed in the documentation."""
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reliability-results.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a title; every row has as many cells as there are columns."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


def write(tables: Iterable[Table], said: str, document: Path = DOCUMENT) -> None:
    """Replace what is between a Markdown file's marks; `said` is what was run, in one line.

    Raises:
        ValueError: The document lacks a mark.
    """
    text = document.read_text("utf-8")
    if BEGIN not in text or END not in text:
        raise ValueError(f"{document.name}: expected the marks {BEGIN} and {END}")
    head, rest = text.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    parts = [BEGIN, said, *(markdown(table) for table in tables), END]
    document.write_text(head + "\n\n".join(parts) + tail, "utf-8")


def markdown(table: Table) -> str:
    """Return a table in Markdown, below its title."""
    lines = [table.columns, tuple("---" for _ in table.columns), *table.rows]
    drawn = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    text = (f"{table.caption}\n\n" if table.caption else "") + drawn
    if len(table.rows) > MAX_OPEN_ROWS:
        text = f"<details><summary>{len(table.rows)} rows</summary>\n\n{text}\n\n</details>"
    return f"### {table.title}\n\n{text}"


def show(console: Console, table: Table) -> None:
    table = table if len(table.columns) <= MAX_TERMINAL_COLUMNS else _shorten(table)
    drawn = RichTable(
        title=table.title,
        caption=table.caption or None,
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        title_justify="left",
        caption_justify="left",
        title_style="bold",
    )
    for column in table.columns:
        drawn.add_column(column, overflow="fold")
    for row in table.rows:
        drawn.add_row(*(_style(cell) for cell in row))
    console.print(drawn)


@contextmanager
def progress(console: Console, what: str) -> Iterator[OnProgress]:
    """Show the progress of a part, and yield what is to be called with it."""
    if not console.is_terminal:
        yield _print_tenths(console, what)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as shown:
        task = shown.add_task(what, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def _print_tenths(console: Console, what: str) -> OnProgress:
    """Print a line for every tenth: a file or a pipe cannot show a bar that moves."""
    printed = 0

    def on_progress(done: int, total: int) -> None:
        nonlocal printed
        tenths = 10 * done // max(1, total)
        if tenths > printed:
            printed = tenths
            console.print(f"{what}: {done:,} of {total:,}")

    return on_progress


def _shorten(table: Table) -> Table:
    first, *others = table.columns
    letters = dict(zip(ascii_lowercase, others, strict=False))
    columns = "; ".join(f"{letter}: {name}" for letter, name in letters.items())
    signs = ", ".join(f"{sign} {word}" for word, sign in SIGNS.items())
    return replace(
        table,
        columns=(first, *letters),
        rows=tuple((row[0], *(SIGNS.get(cell, cell) for cell in row[1:])) for row in table.rows),
        caption=f"{columns}\n{signs}, ✗ and the numbers of the rules broken",
    )


def _style(cell: str) -> str:
    if cell.startswith("✗") or cell == SIGNS["open"]:
        return f"[red]{cell}[/red]"
    return f"[yellow]{cell}[/yellow]" if cell == SIGNS["operator"] else cell
