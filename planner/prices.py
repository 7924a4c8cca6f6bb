"""Prices in US dollars and their sources, read from prices.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("prices.toml")
UNDATED = "undated"


@dataclass(frozen=True)
class Source:
    """The origin of a price.

    Attributes:
        page: The vendor's own page.
        read_at: The page the figure was read on: the vendor's, or one that quotes it.
        as_of: Date of that text (ISO), or `UNDATED`.
    """

    page: str
    read_at: str
    as_of: str

    @property
    def is_vendor(self) -> bool:
        """Whether the figure was read on the vendor's own page."""
        return self.page == self.read_at


@dataclass(frozen=True)
class Price:
    """US dollars for one unit."""

    dollars: float
    unit: str
    source: Source


def _load(text: str) -> Mapping[str, Price]:
    document = tomllib.loads(text)
    sources = {
        name: Source(
            page=entry["page"], read_at=entry.get("read_at", entry["page"]), as_of=entry["as_of"]
        )
        for name, entry in document["sources"].items()
    }
    return {
        name: Price(entry["dollars"], entry["unit"], sources[entry["source"]])
        for name, entry in document["prices"].items()
    }


PRICES = _load(FILE.read_text("utf-8"))
"""All prices by their key in prices.toml."""


def dollars(name: str) -> float:
    """Return the price of one unit, by its key in prices.toml."""
    return PRICES[name].dollars
