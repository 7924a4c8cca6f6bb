"""The proof's tables in the documentation."""

from collections.abc import Iterable
from pathlib import Path

from tests.faults.report.table import Table

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "reliability.md"
MOST_ROWS = 25
"""With more, a table is folded away."""
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def write(tables: Iterable[Table], said: str, document: Path = DOCUMENT) -> None:
    """Put the tables between the document's marks, in place of those of the last run.

    Args:
        tables: What to write, in this order.
        said: What was run, in one line.
        document: The Markdown file.

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
    """A table in Markdown, below its title."""
    lines = [table.columns, tuple("---" for _ in table.columns), *table.rows]
    drawn = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    told = (f"{table.caption}\n\n" if table.caption else "") + drawn
    if len(table.rows) > MOST_ROWS:
        told = f"<details><summary>{len(table.rows)} rows</summary>\n\n{told}\n\n</details>"
    return f"### {table.title}\n\n{told}"
