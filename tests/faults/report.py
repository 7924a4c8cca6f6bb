"""Tables and progress, on a terminal and in the documentation."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

OnProgress = Callable[[int, int], None]
"""Called with how many cases are done, of how many."""

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
    """Replace what is between a Markdown file's marks; `said` is what was run, in one line."""
    head, rest = document.read_text("utf-8").split(BEGIN)
    _, tail = rest.split(END)
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
        drawn.add_row(*row)
    console.print(drawn)


@contextmanager
def progress(console: Console, what: str) -> Iterator[OnProgress]:
    """Yield what is to be called with the progress of a part: it prints a line for every tenth."""
    printed = 0

    def on_progress(done: int, total: int) -> None:
        nonlocal printed
        tenths = 10 * done // max(1, total)
        if tenths > printed:
            printed = tenths
            console.print(f"{what}: {done:,} of {total:,}")

    yield on_progress
