"""Plans and comparisons as people read them."""

from collections.abc import Iterable, Sequence
from dataclasses import fields

from rich.console import Console
from rich.table import Table

from planner.comparison import Compared
from planner.cost import Cost
from planner.plan import Plan
from stacks.capacity.limits import Limit

ENDLESS = float("inf")


def show(plan: Plan, console: Console) -> None:
    """Print a plan."""
    console.print(_summary(plan))
    sources = list(dict.fromkeys(map(_source, plan.limits)))
    console.print(_limits(plan, sources))
    for number, source in enumerate(sources, 1):
        console.print(f"{number}: {source}", soft_wrap=True)
    console.print()
    console.print(_costs(plan.cost))
    if not plan.is_enough:
        limit = plan.first_limit
        console.print(
            f"Not carried as it comes: {plan.question.load.peak:,.1f} messages a second at the"
            f" peak, {plan.processors.per_second:,.1f} are worked off;"
            f" {limit.name} are reached at {limit.per_second:,.1f}.",
            style="bold yellow",
        )


def as_table(compared: Iterable[Compared]) -> Table:
    """Return comparisons as a table."""
    table = Table(title="The busiest hour: planned, and simulated message by message")
    for column in ("case", "at the peak", "oldest, planned", "seen", "batch, planned", "seen"):
        table.add_column(column, justify="left" if column == "case" else "right")
    for each in compared:
        table.add_row(*comparison_row(each))
    return table


def comparison_row(compared: Compared) -> tuple[str, ...]:
    """Return what was planned and what was seen, cell by cell."""
    return (
        compared.case.name,
        f"{compared.case.load.peak:,.2f}/s",
        seconds(compared.planned.seconds),
        seconds(compared.seen.oldest),
        f"{compared.planned_batch:.2f}",
        f"{compared.seen.mean_batch:.2f}",
    )


def seconds(value: float) -> str:
    """A time as a person reads it."""
    if value == ENDLESS:
        return "without end"
    return f"{value:,.1f} s" if value < 100 else f"{value:,.0f} s"  # noqa: PLR2004 - three digits


def _summary(plan: Plan) -> Table:
    table = Table(title="Plan", show_header=False)
    load, calls = plan.question.load, plan.processors
    for name, value in (
        ("messages a day", f"{load.messages_per_day:,.0f}"),
        ("at the peak", f"{load.peak:,.2f} a second"),
        ("batch_size", str(calls.batch_size)),
        ("maximum_concurrency", str(calls.maximum_concurrency)),
        ("worked off, at most", f"{calls.per_second:,.2f} a second"),
        ("a full batch takes", seconds(calls.work.call_seconds(calls.batch_size))),
        ("messages of a call at the peak", f"{calls.batch_at(load.peak):.1f}"),
        ("oldest message at the peak", f"no more than {seconds(plan.age.seconds)}"),
        ("nobody waits any more after", seconds(plan.age.drained_after)),
        ("write units of a message", str(plan.question.sizes.write_units)),
    ):
        table.add_row(name, value)
    return table


def _limits(plan: Plan, sources: Sequence[str]) -> Table:
    table = Table(title="What is reached, and when (first: next in the way)")
    table.add_column("limit")
    table.add_column("messages a second", justify="right")
    table.add_column("of the peak", justify="right")
    table.add_column("source", justify="right")
    for limit in plan.limits:
        times = limit.per_second / plan.question.load.peak
        number = str(sources.index(_source(limit)) + 1)
        table.add_row(limit.name, f"{limit.per_second:,.1f}", f"{times:,.1f} x", number)
    return table


def _source(limit: Limit) -> str:
    return limit.quota.source if limit.quota else "as given: the vendor's"


def _costs(cost: Cost) -> Table:
    table = Table(title="Dollars for 1,000 messages at AWS (us-east-1; docs/cost.md)")
    table.add_column("for")
    table.add_column("dollars", justify="right")
    for field in fields(cost):
        table.add_row(field.name, f"{getattr(cost, field.name):.5f}")
    table.add_row("total", f"{cost.total:.5f}", style="bold")
    return table
