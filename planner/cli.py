"""The planner's command line."""

from dataclasses import fields
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from planner.document import CAPACITY, COST, format_seconds, with_tables
from planner.plan import Architecture, Cost, Function, Plan, PlanRequest, plan
from planner.usage import EXAMPLE, Sizes
from stacks.capacity import (
    DEFAULT_OWN_SECONDS,
    DEFAULT_PEAK_HOUR_SHARE,
    DEFAULT_SPREAD,
    HOURS,
    MAX_BATCH_SIZE,
    Limit,
    Load,
    Processors,
    ServiceTime,
    VendorLimits,
)

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="Plan concurrency, limits and the cost at AWS for a load.",
)

Rate = Annotated[float | None, typer.Option(min=0.001)]


@app.command("plan")
def plan_load(
    *,
    messages_per_day: Annotated[float, typer.Option(min=1, help="Of one channel.")],
    peak_hour_share: Annotated[
        float, typer.Option(min=1 / HOURS, max=1, help="Share of the busiest hour.")
    ] = DEFAULT_PEAK_HOUR_SHARE,
    ai_seconds: Annotated[float, typer.Option(min=0.01, help="Mean AI time of a message.")] = 2.0,
    ai_spread: Annotated[
        float, typer.Option(min=0, help="Standard deviation of the AI time, relative to its mean.")
    ] = DEFAULT_SPREAD,
    own_seconds: Annotated[
        float, typer.Option(min=0, help="Other time of a message.")
    ] = DEFAULT_OWN_SECONDS,
    messages_per_second: Rate = None,
    openai_requests_per_minute: Rate = None,
    openai_tokens_per_minute: Rate = None,
    tokens_per_message: Rate = None,
    tenants: Annotated[int, typer.Option(min=0, help="Companies with credentials.")] = 1,
    memory_mb: Annotated[int, typer.Option(min=128, max=10_240)] = 512,
    architecture: Annotated[Architecture, typer.Option()] = Architecture.ARM_64,
    record_bytes: Annotated[
        int, typer.Option(min=200, max=360_000, help="Of a record when its lease is acquired.")
    ] = EXAMPLE.leased,
    batch_size: Annotated[
        int | None, typer.Option(min=1, max=MAX_BATCH_SIZE, help="Chosen if not given.")
    ] = None,
    maximum_concurrency: Annotated[
        int | None, typer.Option(min=2, max=1_000, help="Chosen if not given.")
    ] = None,
) -> None:
    """Show the concurrency for a load, the queue age at its peak, the lowest limits, and the cost.

    A vendor limit that is not given is not applied; `--messages-per-second` is the sender's. The
    exit status is 1 if the load exceeds a limit.
    """
    if openai_tokens_per_minute and not tokens_per_message:
        raise typer.BadParameter("--openai-tokens-per-minute needs --tokens-per-message")
    if (batch_size is None) != (maximum_concurrency is None):
        raise typer.BadParameter("--batch-size and --maximum-concurrency go together")
    work = ServiceTime(ai_seconds=ai_seconds, spread=ai_spread, own_seconds=own_seconds)
    processors = None
    if batch_size is not None and maximum_concurrency is not None:
        processors = Processors(
            batch_size=batch_size, maximum_concurrency=maximum_concurrency, work=work
        )
    result = plan(
        PlanRequest(
            load=Load(messages_per_day=messages_per_day, peak_hour_share=peak_hour_share),
            work=work,
            vendors=VendorLimits(
                messages_per_second=messages_per_second,
                openai_requests_per_minute=openai_requests_per_minute,
                openai_tokens_per_minute=openai_tokens_per_minute,
                tokens_per_message=tokens_per_message,
            ),
            function=Function(memory_mb=memory_mb, architecture=architecture),
            sizes=Sizes.of_record(record_bytes),
            tenants=tenants,
            processors=processors,
        )
    )
    _show(result, Console())
    raise typer.Exit(0 if result.is_sufficient else 1)


@app.command()
def check(
    *, write: Annotated[bool, typer.Option("--write", help="Write the tables.")] = False
) -> None:
    """Check that the tables of docs/capacity.md and docs/cost.md are current, or write them.

    The table of the simulation is written by `python -m tests.planner.simulation`.
    """
    outdated = []
    for document in (CAPACITY, COST):
        text = document.read_text("utf-8")
        if (current := with_tables(text)) != text:
            outdated.append(document.name)
            if write:
                document.write_text(current, "utf-8")
    word = "written" if write else "outdated"
    Console().print(f"{word}: {', '.join(outdated)}" if outdated else "All tables are current.")
    raise typer.Exit(1 if outdated and not write else 0)


def _show(result: Plan, console: Console) -> None:
    console.print(_summary(result))
    sources = list(dict.fromkeys(map(_source, result.limits)))
    console.print(_limits(result, sources))
    for number, source in enumerate(sources, 1):
        console.print(f"{number}: {source}", soft_wrap=True)
    console.print()
    console.print(_costs(result.cost))
    if not result.is_sufficient:
        limit = result.limits[0]
        console.print(
            f"The load exceeds the capacity: {result.request.load.peak:,.1f} messages per second at"
            f" the peak, throughput {result.processors.per_second:,.1f};"
            f" lowest limit: {limit.name} ({limit.per_second:,.1f} per second).",
            style="bold yellow",
        )


def _summary(result: Plan) -> Table:
    table = Table(title="Plan", show_header=False)
    load, processors = result.request.load, result.processors
    for name, value in (
        ("messages per day", f"{load.messages_per_day:,.0f}"),
        ("at the peak", f"{load.peak:,.2f} per second"),
        ("batch_size", str(processors.batch_size)),
        ("maximum_concurrency", str(processors.maximum_concurrency)),
        ("maximum throughput", f"{processors.per_second:,.2f} per second"),
        (
            "duration of a full batch",
            format_seconds(processors.work.invocation_seconds(processors.batch_size)),
        ),
        ("mean batch at the peak", f"{processors.mean_batch_size(load.peak):.1f} messages"),
        ("oldest message at the peak", f"at most {format_seconds(result.age.seconds)}"),
        ("backlog is processed after", format_seconds(result.age.drained_after)),
        ("write units per message", str(result.request.sizes.write_units)),
    ):
        table.add_row(name, value)
    return table


def _limits(result: Plan, sources: list[str]) -> Table:
    table = Table(title="Limits, lowest first")
    table.add_column("limit")
    for column in ("messages per second", "relative to the peak", "source"):
        table.add_column(column, justify="right")
    for limit in result.limits:
        ratio = limit.per_second / result.request.load.peak
        number = str(sources.index(_source(limit)) + 1)
        table.add_row(limit.name, f"{limit.per_second:,.1f}", f"{ratio:,.1f} x", number)
    return table


def _source(limit: Limit) -> str:
    return limit.quota.source if limit.quota else "the vendor's limit, as given"


def _costs(cost: Cost) -> Table:
    table = Table(title="Dollars for 1,000 messages at AWS (us-east-1; docs/cost.md)")
    table.add_column("for")
    table.add_column("dollars", justify="right")
    for field in fields(cost):
        table.add_row(field.name, f"{getattr(cost, field.name):.5f}")
    table.add_row("total", f"{cost.total:.5f}", style="bold")
    return table
