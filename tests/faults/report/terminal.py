"""The proof's tables and progress on a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from string import ascii_lowercase

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable

from tests.faults.report.table import Table

OnProgress = Callable[[int, int], None]

MOST_COLUMNS = 8
"""With more, a table is told in letters and signs, so that it fits a terminal."""
SIGNS = {"sent": "✓", "person": "P", "refused": "R", "open": "?", "not reached": "–"}


def show(console: Console, table: Table) -> None:
    """Draw a table."""
    table = table if len(table.columns) <= MOST_COLUMNS else _shortened(table)
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
        drawn.add_row(*(_styled(cell) for cell in row))
    console.print(drawn)


@contextmanager
def progress(console: Console, what: str) -> Iterator[OnProgress]:
    """Show how far a part of the proof is, for a `with` block that is given what to tell."""
    if not console.is_terminal:
        yield _in_lines(console, what)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as shown:
        task = shown.add_task(what, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def _in_lines(console: Console, what: str) -> OnProgress:
    """Tell every tenth in a line of its own: a file or a pipe has no bar that moves."""
    told = 0

    def tell(done: int, total: int) -> None:
        nonlocal told
        tenths = 10 * done // max(1, total)
        if tenths > told:
            told = tenths
            console.print(f"{what}: {done:,} of {total:,}")

    return tell


def _shortened(table: Table) -> Table:
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


def _styled(cell: str) -> str:
    if cell.startswith("✗") or cell == SIGNS["open"]:
        return f"[red]{cell}[/red]"
    return f"[yellow]{cell}[/yellow]" if cell == SIGNS["person"] else cell
