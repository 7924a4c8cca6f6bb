"""Prices in US dollars and their sources, read from prices.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


def _load(document: Mapping[str, Any]) -> Mapping[str, Price]:
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


_DOCUMENT = tomllib.loads(FILE.read_text("utf-8"))
PRICES = _load(_DOCUMENT)
"""All prices by their key in prices.toml."""
MODELS: Mapping[str, Mapping[str, str]] = _DOCUMENT["models"]
"""The keys of the prices of a model's `input` and `output` tokens, by the model."""


def dollars(name: str) -> float:
    """Return the price of one unit, by its key in prices.toml."""
    return PRICES[name].dollars


def answer_dollars(model: str, input_tokens: int, output_tokens: int) -> float | None:
    """Return the price of answers of a model; None if prices.toml has no price of it."""
    if (keys := MODELS.get(model)) is None:
        return None
    return input_tokens * dollars(keys["input"]) + output_tokens * dollars(keys["output"])
