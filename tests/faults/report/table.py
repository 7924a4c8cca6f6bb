"""A table, for whoever draws it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a title; every row has as many cells as there are columns."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
