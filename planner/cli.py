"""The planner's commands: what a load takes, and whether a simulation says the same."""

from typing import Annotated

import typer
from rich.console import Console

from planner.comparison import CASES, compare
from planner.cost import Architecture, Function
from planner.document import write as write_documents
from planner.plan import Question, plan
from planner.report import as_table, show
from planner.usage import EXAMPLE, Sizes
from stacks.capacity.choice import LARGEST_BATCH
from stacks.capacity.limits import Vendors
from stacks.capacity.load import HOURS, USUAL_PEAK_HOUR_SHARE, Load
from stacks.capacity.processors import Processors
from stacks.capacity.work import USUAL_OWN_SECONDS, USUAL_SPREAD, Work

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="What a load takes, what holds it back and what it costs at AWS.",
)

Rate = Annotated[float | None, typer.Option(min=0.001)]


@app.command("plan")
def plan_load(
    *,
    messages_per_day: Annotated[float, typer.Option(min=1, help="Of one channel.")],
    peak_hour_share: Annotated[
        float, typer.Option(min=1 / HOURS, max=1, help="Part of them in the busiest hour.")
    ] = USUAL_PEAK_HOUR_SHARE,
    ai_seconds: Annotated[float, typer.Option(min=0.01, help="For one message, on average.")] = 2.0,
    ai_spread: Annotated[
        float, typer.Option(min=0, help="Standard deviation of that, over it.")
    ] = USUAL_SPREAD,
    own_seconds: Annotated[
        float, typer.Option(min=0, help="Of a message beside the AI.")
    ] = USUAL_OWN_SECONDS,
    messages_per_second: Rate = None,
    openai_requests_per_minute: Rate = None,
    openai_tokens_per_minute: Rate = None,
    tokens_per_message: Rate = None,
    tenants: Annotated[int, typer.Option(min=1, help="Companies with credentials.")] = 1,
    memory_mb: Annotated[int, typer.Option(min=128, max=10_240)] = 512,
    architecture: Annotated[Architecture, typer.Option()] = Architecture.ARM_64,
    record_bytes: Annotated[
        int, typer.Option(min=200, max=360_000, help="Of a claimed record.")
    ] = EXAMPLE.claimed,
    batch_size: Annotated[
        int | None, typer.Option(min=1, max=LARGEST_BATCH, help="Chosen, if not given.")
    ] = None,
    maximum_concurrency: Annotated[
        int | None, typer.Option(min=2, max=1_000, help="Chosen, if not given.")
    ] = None,
) -> None:
    """Say which calls a load takes, how long messages wait, what is reached first, and the cost.

    A vendor's limit that is not given does not hold back: `--messages-per-second` is the sender's.
    """
    if openai_tokens_per_minute and not tokens_per_message:
        raise typer.BadParameter("--openai-tokens-per-minute needs --tokens-per-message")
    work = Work(ai_seconds=ai_seconds, spread=ai_spread, own_seconds=own_seconds)
    question = Question(
        load=Load(messages_per_day=messages_per_day, peak_hour_share=peak_hour_share),
        work=work,
        vendors=Vendors(
            messages_per_second=messages_per_second,
            openai_requests_per_minute=openai_requests_per_minute,
            openai_tokens_per_minute=openai_tokens_per_minute,
            tokens_per_message=tokens_per_message,
        ),
        function=Function(memory_mb=memory_mb, architecture=architecture),
        sizes=Sizes.of_record(record_bytes),
        tenants=tenants,
        processors=_given(batch_size, maximum_concurrency, work),
    )
    answer = plan(question)
    show(answer, Console())
    raise typer.Exit(0 if answer.is_enough else 1)


def _given(batch_size: int | None, calls: int | None, work: Work) -> Processors | None:
    if batch_size is None and calls is None:
        return None
    if batch_size is None or calls is None:
        raise typer.BadParameter("--batch-size and --maximum-concurrency go together")
    return Processors(batch_size=batch_size, maximum_concurrency=calls, work=work)


@app.command()
def check(
    *, write: Annotated[bool, typer.Option("--write", help="The documents' tables anew.")] = False
) -> None:
    """Simulate busiest hours, up to 50 million messages a day, and compare them with the plan."""
    console = Console()
    compared = []
    for case in CASES:
        with console.status(f"{case.load.messages_per_day:,.0f} messages a day …"):
            compared.append(compare(case))
    console.print(as_table(compared))
    if write:
        write_documents(compared)
    wrong = [each for each in compared if each.problems]
    for each in wrong:
        console.print(f"{each.case.name}: {'; '.join(each.problems)}", style="bold red")
    raise typer.Exit(1 if wrong else 0)
