"""The generated tables of docs/capacity.md and docs/cost.md (`python -m planner check --write`)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import astuple
from pathlib import Path
from urllib.parse import urlsplit

from ops.prices import PRICES, Source, dollars
from planner.plan import Function, Plan, PlanRequest, plan
from planner.usage import CALLS, CHANNEL_RESOURCES, EXAMPLE
from stacks.capacity import Load, Quota, ServiceTime, VendorLimits, limits

DOCS = Path(__file__).parents[1] / "docs"
CAPACITY, COST = DOCS / "capacity.md", DOCS / "cost.md"

LOADS = (1e3, 1e4, 1e5, 1e6, 5e6, 1e7, 5e7)
"""Messages per day of the plans in the documents."""
MEMORY_MB = 512
INPUT_TOKENS, OUTPUT_TOKENS = 600, 150
"""Tokens of the example's message, at four letters per token."""


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def with_table(text: str, name: str, table: str) -> str:
    """Return a document's text with a table inserted between the marks of that name.

    Raises:
        ValueError: The document has no such marks.
    """
    marked = re.compile(rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)", re.DOTALL)
    if not marked.search(text):
        raise ValueError(f"no marks for the table {name!r}")
    return marked.sub(lambda found: f"{found[1]}\n{table}\n\n{found[2]}", text)


def with_tables(text: str) -> str:
    """Return a document's text with all of its tables but that of the simulation."""
    plans = [standard_plan(messages) for messages in LOADS]
    for name, table in (
        ("quotas", quota_table()),
        ("calls", call_table()),
        ("prices", price_table()),
        ("standing", monthly_table()),
        ("vendors", vendor_table()),
        ("loads", load_table(plans)),
        ("costs", cost_table(plans)),
    ):
        if f"<!-- {name}: begin -->" in text:
            text = with_table(text, name, table)
    return text


def quota_table() -> str:
    """Return AWS's quotas, in the order of their definition."""
    found = [value for value in vars(limits).values() if isinstance(value, Quota)]
    rows = (
        (f"{q.value:,.0f}", f"[{q.what}]({q.source})", "yes" if q.is_adjustable else "no")
        for q in found
    )
    return markdown_table(("quota", "what", "adjustable"), rows)


def call_table() -> str:
    """Return the AWS calls of a message that succeeds."""
    return markdown_table(
        ("call", "by", "once per", "purpose", "without it", "shown by broken variants"),
        ((f"`{c.action}`", c.by, c.per, c.purpose, c.without, c.shown_by or "–") for c in CALLS),
    )


def price_table() -> str:
    """Return every price with its source and date."""
    rows = (
        (_plain(p.dollars), f"[{p.unit}]({p.source.page})", _read_at(p.source), p.source.as_of)
        for p in PRICES.values()
    )
    return markdown_table(("dollars", "unit", "read on", "as of"), rows)


def monthly_table() -> str:
    """Return the monthly cost of a channel's resources."""
    items = [(n, p.unit, f"{n * p.dollars:.2f}") for n, p in CHANNEL_RESOURCES.items()]
    total = ("", "", f"**{CHANNEL_RESOURCES.dollars:.2f}**")
    return markdown_table(("number", "unit", "dollars per month"), [*items, total])


def vendor_table() -> str:
    """Return what the vendors bill for 1,000 messages."""
    tokens = (INPUT_TOKENS, "openai_input_token"), (OUTPUT_TOKENS, "openai_output_token")
    answer = sum(number * dollars(name) for number, name in tokens)
    rows = (
        ("Twilio", "WhatsApp messages, without Meta's fee", dollars("twilio_whatsapp")),
        ("Twilio", "SMS of one segment, without the carrier's fee", dollars("twilio_sms")),
        (
            "Amazon SES",
            "e-mails, each with one event through SNS",
            dollars("ses_email") + dollars("event_published"),
        ),
        ("OpenAI", f"answers of {INPUT_TOKENS} input and {OUTPUT_TOKENS} output tokens", answer),
    )
    return markdown_table(
        ("billed by", "for 1,000", "dollars"),
        ((vendor, what, f"{1_000 * each:.2f}") for vendor, what, each in rows),
    )


def load_table(plans: Iterable[Plan]) -> str:
    """Return the plans for a thousand to fifty million messages per day."""
    return markdown_table(
        (
            *("messages per day", "at the peak", "batch_size", "maximum_concurrency"),
            *("oldest at most", "lowest limit", "reached at", "next"),
        ),
        map(_load_row, plans),
    )


def cost_table(plans: Iterable[Plan]) -> str:
    """Return the cost of 1,000 messages at these loads."""
    return markdown_table(
        ("messages per day", "function", "table", "queue", "secrets", "log", "total"),
        (
            (
                f"{each.request.load.messages_per_day:,.0f}",
                *(f"{amount:.4f}" for amount in astuple(each.cost)),
                f"**{each.cost.total:.4f}**",
            )
            for each in plans
        ),
    )


def format_seconds(value: float) -> str:
    """Return a duration in seconds as text."""
    if value == float("inf"):
        return "unbounded"
    return f"{value:,.1f} s" if value < 100 else f"{value:,.0f} s"  # noqa: PLR2004 - three digits


def standard_plan(messages_per_day: float) -> Plan:
    """Return the documents' plan for that many messages per day."""
    return plan(
        PlanRequest(
            load=Load(messages_per_day=messages_per_day),
            work=ServiceTime(ai_seconds=2),
            vendors=VendorLimits(),
            function=Function(memory_mb=MEMORY_MB),
            sizes=EXAMPLE,
        )
    )


def _load_row(answer: Plan) -> tuple[str, ...]:
    load, processors, (limit, following, *_) = answer.request.load, answer.processors, answer.limits
    return (
        f"{load.messages_per_day:,.0f}",
        f"{load.peak:,.2f}/s",
        str(processors.batch_size),
        f"{processors.maximum_concurrency:,}",
        format_seconds(answer.age.seconds),
        limit.name,
        f"{limit.per_second:,.0f}/s",
        f"{following.name}, {following.per_second:,.0f}/s",
    )


def _plain(amount: float) -> str:
    return f"{amount:.10f}".rstrip("0").removesuffix(".")


def _read_at(source: Source) -> str:
    if source.is_vendor:
        return "the vendor's page"
    host = urlsplit(source.read_at).netloc.removeprefix("www.")
    return f"[{host}]({source.read_at})"
