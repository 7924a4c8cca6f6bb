"""The tables of docs/capacity.md and docs/cost.md, written by `python -m planner check --write`."""

import re
from collections.abc import Iterable
from dataclasses import astuple
from pathlib import Path

from planner.comparison import Compared
from planner.cost import Function
from planner.markdown import table
from planner.plan import Plan, Question, plan
from planner.price_tables import price_table, standing_table, vendor_table
from planner.report import comparison_row, seconds
from planner.usage import CALLS, EXAMPLE
from stacks.capacity import quotas
from stacks.capacity.limits import Vendors
from stacks.capacity.load import Load
from stacks.capacity.quotas import Quota
from stacks.capacity.work import Work

DOCS = Path(__file__).parents[1] / "docs"
CAPACITY, COST = DOCS / "capacity.md", DOCS / "cost.md"

LOADS = (1e3, 1e4, 1e5, 1e6, 5e6, 1e7, 5e7)
"""Messages a day that the documents show plans for."""

MEMORY_MB = 512


def with_table(text: str, name: str, drawn: str) -> str:
    """Return a document's text with a table put between the marks of that name.

    Raises:
        ValueError: The document has no such marks.
    """
    marked = re.compile(rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)", re.DOTALL)
    if not marked.search(text):
        raise ValueError(f"no marks for the table {name!r}")
    return marked.sub(lambda found: f"{found[1]}\n{drawn}\n\n{found[2]}", text)


def with_tables(text: str) -> str:
    """Return a document's text with all of the tables that need no simulation."""
    for name, drawn in (
        ("quotas", quota_table()),
        ("calls", call_table()),
        ("prices", price_table()),
        ("standing", standing_table()),
        ("vendors", vendor_table()),
        ("loads", load_table()),
        ("costs", cost_table()),
    ):
        if f"<!-- {name}: begin -->" in text:
            text = with_table(text, name, drawn)
    return text


def write(compared: Iterable[Compared]) -> None:
    """Write both documents anew."""
    capacity = with_table(CAPACITY.read_text("utf-8"), "simulated", comparison_table(compared))
    CAPACITY.write_text(with_tables(capacity), "utf-8")
    COST.write_text(with_tables(COST.read_text("utf-8")), "utf-8")


def quota_table() -> str:
    """AWS's quotas, in the order in which they are defined."""
    found = [value for value in vars(quotas).values() if isinstance(value, Quota)]
    return table(
        ("quota", "what", "raised when asked"),
        (
            (f"{each.value:,.0f}", f"[{each.what}]({each.source})", _yes(each.is_adjustable))
            for each in found
        ),
    )


def call_table() -> str:
    """The calls of a clean run."""
    return table(
        ("call", "by", "once a", "what for", "without it", "shown by the broken variants"),
        ((f"`{c.action}`", c.by, c.per, c.purpose, c.without, c.shown_by or "–") for c in CALLS),
    )


def load_table() -> str:
    """Plans for loads from a thousand to fifty million a day."""
    return table(
        (
            "messages a day",
            "at the peak",
            "batch_size",
            "maximum_concurrency",
            "oldest at most",
            "first limit",
            "reached at",
            "then",
        ),
        (_load_row(answer) for answer in map(_plan, LOADS)),
    )


def cost_table() -> str:
    """What 1,000 messages cost at these loads."""
    return table(
        ("messages a day", "function", "table", "queue", "secrets", "log", "dollars for 1,000"),
        (_cost_row(answer) for answer in map(_plan, LOADS)),
    )


def comparison_table(compared: Iterable[Compared]) -> str:
    """What was planned, and what a simulation saw."""
    return table(
        ("case", "at the peak", "oldest: planned", "seen", "messages of a call: planned", "seen"),
        map(comparison_row, compared),
    )


def _plan(messages_per_day: float) -> Plan:
    return plan(
        Question(
            load=Load(messages_per_day=messages_per_day),
            work=Work(ai_seconds=2),
            vendors=Vendors(),
            function=Function(memory_mb=MEMORY_MB),
            sizes=EXAMPLE,
        )
    )


def _load_row(answer: Plan) -> tuple[str, ...]:
    load, calls, (limit, then, *_) = answer.question.load, answer.processors, answer.limits
    return (
        f"{load.messages_per_day:,.0f}",
        f"{load.peak:,.2f}/s",
        str(calls.batch_size),
        f"{calls.maximum_concurrency:,}",
        seconds(answer.age.seconds),
        limit.name,
        f"{limit.per_second:,.0f}/s",
        f"{then.name}, {then.per_second:,.0f}/s",
    )


def _cost_row(answer: Plan) -> tuple[str, ...]:
    parts = (f"{dollars:.4f}" for dollars in astuple(answer.cost))
    load = f"{answer.question.load.messages_per_day:,.0f}"
    return (load, *parts, f"**{answer.cost.total:.4f}**")


def _yes(value: bool) -> str:  # noqa: FBT001 - a word for a truth value
    return "yes" if value else "no"
