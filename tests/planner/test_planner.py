"""The planner: its arithmetic for known results and against a simulation, costs and commands."""

from datetime import date
from math import inf
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops.prices import PRICES, UNDATED, Price
from planner.cli import app
from planner.document import CAPACITY, COST, with_tables
from planner.plan import Architecture, Cost, Function, cost_of
from planner.usage import CALLS, EXAMPLE, INDEX_UNITS, MonthlyResources
from stacks.capacity import (
    Footprint,
    Load,
    Processors,
    ServiceTime,
    VendorLimits,
    choose_processors,
    queue_age,
    throughput_limits,
)
from tests.faults.mutants.catalogue import MUTANTS
from tests.planner.simulation import CASES, compare, name_of

CONSTANT = ServiceTime(ai_seconds=2, spread=0, own_seconds=0)
RATES = (30, 40, 45, 49, 49.9, 50, 50.1, 51, 55, 60, 80)
TEN = Processors(batch_size=10, maximum_concurrency=10, work=CONSTANT)
TWO = Processors(batch_size=10, maximum_concurrency=2, work=CONSTANT)
GB = Function(memory_mb=1_024)
PLAN = ("plan", "--messages-per-day", "1e6")
QUICK = [(load, processors) for load, processors in CASES if load.messages_per_day <= 1_000_000]
"""Cases that take a fraction of a second; `python -m tests.planner.simulation` runs all of them."""


def load_of(rate: float) -> Load:
    """Return a load with that constant rate of messages per second."""
    return Load(messages_per_day=rate * 24 * 3_600, peak_hour_share=1 / 24)


def test_batch_takes_as_long_as_its_longest_message() -> None:
    """Its messages are processed in parallel; varying times have the mean of order statistics."""
    assert 2 == CONSTANT.invocation_seconds(1) == CONSTANT.invocation_seconds(10)
    varying = ServiceTime(ai_seconds=1, own_seconds=0)
    assert 1.80 == pytest.approx(varying.invocation_seconds(10), rel=0.05)


def test_throughput_follows_littles_law() -> None:
    """A hundred concurrent messages of two seconds each are fifty per second.

    Below the maximum concurrency each message has its own invocation.
    """
    assert 50 == TEN.per_second == TEN.max_rate
    assert 1 == pytest.approx(TEN.mean_batch_size(5))
    assert 4 == pytest.approx(TEN.mean_batch_size(20))
    assert 10 == TEN.mean_batch_size(51)


def test_excess_messages_wait() -> None:
    """An hour at twice the throughput makes the last message wait an hour, a day without end."""
    load = Load(messages_per_day=100 * 3_600 / 0.25, peak_hour_share=0.25)
    assert 3_600 == pytest.approx(queue_age(load, TEN).seconds)
    age = queue_age(load_of(51), TEN)
    assert inf == age.seconds == age.drained_after


def test_queue_age_grows_with_load() -> None:
    """More messages never wait for less time, also around the maximum throughput."""
    loads = (Load(messages_per_day=rate * 3_600 / 0.1, peak_hour_share=0.1) for rate in RATES)
    ages = [queue_age(load, TEN).seconds for load in loads]
    assert sorted(ages) == ages


@pytest.mark.parametrize("rate", [0.5, 3.0, 7.5, 80.0])
def test_chosen_concurrency_respects_vendor_limit(rate: float) -> None:
    """The chosen concurrency cannot exceed a vendor's rate, except by the minimum concurrency."""
    vendors = VendorLimits(messages_per_second=rate)
    chosen = choose_processors(Load(messages_per_day=1e7), CONSTANT, vendors)
    assert chosen.max_rate <= max(rate, 2 / CONSTANT.ai_seconds)


def test_largest_sufficient_batch_is_chosen() -> None:
    """The largest batch is the cheapest; the peak uses four fifths of the concurrency."""
    assert choose_processors(load_of(40), CONSTANT, VendorLimits()) == TEN


def test_limits_are_sorted() -> None:
    """The vendors' limits and AWS's quotas are sorted by messages per second."""
    openai = {"openai_requests_per_minute": 600, "openai_tokens_per_minute": 60_000}
    vendors = VendorLimits(messages_per_second=80, tokens_per_message=500, **openai)
    limits = throughput_limits(TEN, vendors, Footprint(write_units=8))
    assert [2, 10, 80, 500] == [limit.per_second for limit in limits][:4]
    assert "tokens of OpenAI" == limits[0].name
    assert all(limit.quota for limit in limits[3:])


@pytest.mark.parametrize(("load", "processors"), QUICK, ids=[name_of(*case) for case in QUICK])
def test_plan_and_simulation_agree(load: Load, processors: Processors) -> None:
    """The planned figures of the busiest hour are those of the simulation."""
    _, differences = compare(load, processors)
    assert [] == differences


def cost(messages_per_day: float, function: Function = GB, tenants: int = 1) -> Cost:
    """Return the cost of a day with a constant rate."""
    return cost_of(load_of(messages_per_day / 24 / 3_600), TWO, function, EXAMPLE, tenants)


def test_batches_share_function_time() -> None:
    """At the maximum throughput, a thousand messages take a hundred invocations of two seconds.

    At a low load each message has an invocation, and empty polls dominate the queue's cost.
    """
    expected = 200 * 0.000_013_333_4 + 100 * 0.000_000_2
    assert expected == pytest.approx(cost(10 * 24 * 3_600).function)
    low = cost(1_000)
    assert 2_000 * 0.000_013_333_4 + 1_000 * 0.000_000_2 == pytest.approx(low.function)
    assert low.queue > 2 * cost(100_000).queue


def test_writes_cost_the_same_at_any_load() -> None:
    """The write units of a message do not depend on the load."""
    units = EXAMPLE.write_units + INDEX_UNITS
    assert units * 1_000 * 0.000_000_625 == pytest.approx(cost(1_000).table)
    assert cost(1_000).table == pytest.approx(cost(500_000).table)


def test_cost_of_architecture_and_tenants() -> None:
    """Function time on x86_64 costs a quarter more; each tenant adds a secret to be read."""
    arm = cost(500_000)
    other = cost(500_000, Function(memory_mb=1_024, architecture=Architecture.X86_64))
    assert 1.25 == pytest.approx(other.function / arm.function, rel=0.01)
    assert 11 / 2 == pytest.approx(cost(500_000, tenants=10).secrets / arm.secrets)


def test_monthly_resources_are_summed() -> None:
    """Two secrets, ten metrics, an alarm over two metrics and a dashboard are summed."""
    monthly = MonthlyResources(secrets=2, metrics=10, alarm_metrics=2, dashboards=1)
    assert 2 * 0.40 + 10 * 0.30 + 2 * 0.10 + 3.00 == pytest.approx(monthly.dollars)


def run(*arguments: str) -> tuple[int, str]:
    """Run a command; return exit status and output without line breaks and frames."""
    result = CliRunner(env={"COLUMNS": "120", "TERM": "dumb"}).invoke(app, arguments)
    return result.exit_code, " ".join(result.output.replace("│", " ").split())


def test_sufficient_plan_is_shown() -> None:
    """A plan shows concurrency, limits with their sources, and cost."""
    status, output = run(*PLAN, "--messages-per-second", "80")
    assert 0 == status
    for part in ("maximum_concurrency", "messages of a sender", "80.0", "docs.aws.amazon", "total"):
        assert part in output


def test_insufficient_plan_names_lowest_limit() -> None:
    """A load above a vendor's limit exits with status 1 and names the limit."""
    status, output = run("plan", "--messages-per-day", "5e6", "--messages-per-second", "80")
    assert 1 == status
    assert "messages of a sender (80.0 per second)" in output


def test_given_concurrency_is_used() -> None:
    """A given batch size and concurrency are not replaced by chosen ones."""
    status, output = run(*PLAN, "--batch-size", "3", "--maximum-concurrency", "7")
    assert 1 == status
    assert "batch_size 3 maximum_concurrency 7" in " ".join(output.replace("┃", " ").split())


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--batch-size", "3"], "go together"),
        (["--openai-tokens-per-minute", "9"], "needs --tokens-per-message"),
        (["--peak-hour-share", "1.5"], "Invalid value for '--peak-hour-share'"),
    ],
)
def test_invalid_arguments_are_named(arguments: list[str], error: str) -> None:
    """An invalid option, or half of a pair of options, is named in the error."""
    status, output = run(*PLAN, *arguments)
    assert 2 == status
    assert error in output


@pytest.mark.parametrize("document", [CAPACITY, COST], ids=lambda path: path.name)
def test_documents_are_current(document: Path) -> None:
    """The documents contain the current tables; `python -m planner check --write` updates them."""
    text = document.read_text("utf-8")
    assert text == with_tables(text)


def test_broken_variants_exist() -> None:
    """Each broken variant that the table of calls names is one of the fault proof's."""
    named = {name for call in CALLS for name in call.shown_by.split(", ") if name}
    assert named <= set(MUTANTS)


@pytest.mark.parametrize("price", PRICES.values(), ids=lambda price: price.unit)
def test_prices_have_sources(price: Price) -> None:
    """A price names the vendor's page, the page that was read, and its date unless undated."""
    source = price.source
    assert source.page.startswith("https://")
    assert source.read_at.startswith("https://")
    assert source.as_of == UNDATED or date.fromisoformat(source.as_of.removeprefix("after "))
