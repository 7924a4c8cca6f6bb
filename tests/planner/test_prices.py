"""The table of prices leaves none out, and says of each where it was read."""

from datetime import date

import pytest

from planner import prices
from planner.price_sources import UNDATED
from planner.prices import PRICES, Price


def test_every_price_stands_in_the_table() -> None:
    """A price that is reckoned with can be looked up."""
    defined = {value for value in vars(prices).values() if isinstance(value, Price)}
    assert defined | {*prices.GB_SECONDS.values()} == set(PRICES)


@pytest.mark.parametrize("price", PRICES, ids=lambda price: price.unit)
def test_a_price_says_where_and_when_it_was_read(price: Price) -> None:
    """The vendor's page, the page that was read, and its day, unless it names none."""
    source = price.source
    assert source.page.startswith("https://")
    assert source.read_at.startswith("https://")
    assert source.as_of == UNDATED or date.fromisoformat(source.as_of.removeprefix("after "))
