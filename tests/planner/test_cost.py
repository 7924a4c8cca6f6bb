"""The cost of loads for which it can be calculated by hand."""

import pytest

from planner.plan import Architecture, Cost, Function, cost_of
from planner.usage import EXAMPLE, MonthlyResources
from stacks.capacity.model import Load, Processors, ServiceTime

CONSTANT = ServiceTime(ai_seconds=2, spread=0, own_seconds=0)
PROCESSORS = Processors(batch_size=10, maximum_concurrency=2, work=CONSTANT)
GB = Function(memory_mb=1_024)


def cost(messages_per_day: float, function: Function = GB, tenants: int = 1) -> Cost:
    """Return the cost of a day with a constant rate."""
    load = Load(messages_per_day=messages_per_day, peak_hour_share=1 / 24)
    return cost_of(load, PROCESSORS, function, EXAMPLE, tenants)


def test_full_batches_share_function_time() -> None:
    """At the maximum throughput, a thousand messages take a hundred invocations of two seconds."""
    expected = 200 * 0.000_013_333_4 + 100 * 0.000_000_2
    assert expected == pytest.approx(cost(10 * 24 * 3_600).function)


def test_low_load_has_an_invocation_per_message() -> None:
    """At a low load each message has an invocation, and empty polls dominate the queue's cost."""
    low = cost(1_000)
    assert 2_000 * 0.000_013_333_4 + 1_000 * 0.000_000_2 == pytest.approx(low.function)
    assert low.queue > 2 * cost(100_000).queue


def test_writes_cost_the_same_at_any_load() -> None:
    """The write units of a message do not depend on the load."""
    assert EXAMPLE.write_units * 1_000 * 0.000_000_625 == pytest.approx(cost(1_000).table)
    assert cost(1_000).table == pytest.approx(cost(500_000).table)


def test_x86_costs_a_quarter_more() -> None:
    """Function time on x86_64 costs a quarter more than on arm64."""
    other = cost(500_000, Function(memory_mb=1_024, architecture=Architecture.X86_64))
    assert 1.25 == pytest.approx(other.function / cost(500_000).function, rel=0.01)


def test_each_tenant_adds_a_secret() -> None:
    """An instance reads eleven secrets for ten tenants, and two for one."""
    assert 11 / 2 == pytest.approx(cost(500_000, tenants=10).secrets / cost(500_000).secrets)


def test_monthly_resources_are_summed() -> None:
    """Two secrets, ten metrics, an alarm over two metrics and a dashboard are summed."""
    monthly = MonthlyResources(secrets=2, metrics=10, alarm_metrics=2, dashboards=1)
    assert 2 * 0.40 + 10 * 0.30 + 2 * 0.10 + 3.00 == pytest.approx(monthly.dollars)
