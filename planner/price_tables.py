"""The tables of docs/cost.md that are about prices alone."""

from urllib.parse import urlsplit

from planner import prices
from planner.markdown import table
from planner.price_sources import Source
from planner.prices import Price
from planner.standing import CHANNEL

TOKENS_READ, TOKENS_WRITTEN = 600, 150
"""Of a message like the example's, reckoned at four letters a token; a table tells so."""


def price_table() -> str:
    """Every price, with where it was read and of when that is."""
    return table(
        ("dollars", "for one", "read at", "as of"),
        (
            (_plain(p.dollars), f"[{p.unit}]({p.source.page})", _read_at(p.source), p.source.as_of)
            for p in prices.PRICES
        ),
    )


def standing_table() -> str:
    """What a channel costs a month by standing there."""
    items = [
        (number, price.unit, f"{number * price.dollars:.2f}") for number, price in CHANNEL.items()
    ]
    return table(
        ("number", "of", "dollars a month"), [*items, ("", "", f"**{CHANNEL.dollars:.2f}**")]
    )


def vendor_table() -> str:
    """What the vendors bill for 1,000 messages, beside AWS."""
    return table(
        ("billed by", "for 1,000", "dollars"),
        (
            ("Twilio", "WhatsApp messages, Meta's fee besides", _thousand(prices.TWILIO_WHATSAPP)),
            (
                "Twilio",
                "SMS of one segment, the carrier's fee besides",
                _thousand(prices.TWILIO_SMS),
            ),
            ("OpenAI", f"answers of {TOKENS_READ} tokens in and {TOKENS_WRITTEN} out", _answers()),
        ),
    )


def _plain(dollars: float) -> str:
    return f"{dollars:.10f}".rstrip("0").removesuffix(".")


def _read_at(source: Source) -> str:
    if source.is_the_vendors:
        return "the vendor's page"
    host = urlsplit(source.read_at).netloc.removeprefix("www.")
    return f"[{host}]({source.read_at})"


def _thousand(price: Price) -> str:
    return f"{1_000 * price.dollars:.2f}"


def _answers() -> str:
    one = TOKENS_READ * prices.OPENAI_INPUT.dollars + TOKENS_WRITTEN * prices.OPENAI_OUTPUT.dollars
    return f"{1_000 * one:.2f}"
