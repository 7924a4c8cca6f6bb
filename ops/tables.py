"""Tables for terminals: what may have to be copied, an id or a code, is never broken."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

BEFORE, BEHIND = 2, 1
"""Columns of space at a cell's sides."""


@dataclass(frozen=True)
class Column:
    """One column of texts.

    Attributes:
        name: Its heading.
        cells: Its texts.
        is_number: Whether it is aligned as numbers are.
    """

    name: str
    cells: Sequence[str]
    is_number: bool

    @property
    def is_prose(self) -> bool:
        """Whether a text in it has several words, and so may be folded between them."""
        return any(" " in cell for cell in self.cells)

    @property
    def least_width(self) -> int:
        """The longest word."""
        words = [word for text in (self.name, *self.cells) for word in text.split()]
        return max(map(len, words), default=0)

    @property
    def heading(self) -> str:
        """The name, above words folded to the width that these need."""
        return self.name if self.is_prose else "\n".join(wrap(self.name, self.least_width))


def fits(columns: Sequence[Column], width: int) -> bool:
    """Whether a table can be shown in that width without a word broken."""
    return sum(column.least_width + BEFORE + BEHIND for column in columns) <= width


def table(columns: Sequence[Column]) -> Table:
    """The columns side by side; only prose is folded."""
    made = Table(box=None, padding=(0, BEHIND, 0, BEFORE), header_style="dim")
    for column in columns:
        made.add_column(
            Text(column.heading),
            justify="right" if column.is_number else "left",
            no_wrap=not column.is_prose,
            vertical="top",
        )
    for cells in zip(*(column.cells for column in columns), strict=True):
        made.add_row(*map(Text, cells))
    return made
