"""What a load costs, where the answer can be reckoned by hand."""

import pytest

from planner.cost import Architecture, Cost, Function, cost_of
from planner.standing import Standing
from planner.usage import EXAMPLE
from stacks.capacity.load import Load
from stacks.capacity.processors import Processors
from stacks.capacity.work import Work

EVEN = Work(ai_seconds=2, spread=0, own_seconds=0)
FULL = Processors(batch_size=10, maximum_concurrency=2, work=EVEN)
GB = Function(memory_mb=1_024)


def cost(messages_per_day: float, function: Function = GB, tenants: int = 1) -> Cost:
    """The cost of a day on which all hours are alike."""
    load = Load(messages_per_day=messages_per_day, peak_hour_share=1 / 24)
    return cost_of(load, FULL, function, EXAMPLE, tenants)


def test_full_batches_share_their_seconds() -> None:
    """At the most that is worked off, a thousand messages take a hundred calls of two seconds."""
    most = cost(10 * 24 * 3_600)
    assert 200 * 0.000_013_333_4 + 100 * 0.000_000_2 == pytest.approx(most.function)


def test_few_messages_have_calls_of_their_own() -> None:
    """Then a thousand messages take as many calls, and most of what the queue costs is waiting."""
    few = cost(1_000)
    assert 2_000 * 0.000_013_333_4 + 1_000 * 0.000_000_2 == pytest.approx(few.function)
    assert few.queue > 2 * cost(100_000).queue


def test_writes_cost_the_same_whenever_they_are_made() -> None:
    """A message's write units do not depend on the load."""
    assert EXAMPLE.write_units * 1_000 * 0.000_000_625 == pytest.approx(cost(1_000).table)
    assert cost(1_000).table == pytest.approx(cost(500_000).table)


def test_the_other_architecture_costs_a_quarter_more() -> None:
    """What a call's seconds cost depends on the processor; nothing else does."""
    other = cost(500_000, Function(memory_mb=1_024, architecture=Architecture.X86_64))
    assert 1.25 == pytest.approx(other.function / cost(500_000).function, rel=0.01)


def test_each_tenants_secret_is_read_again() -> None:
    """An instance that works for ten tenants reads eleven secrets, where it read two for one."""
    assert 11 / 2 == pytest.approx(cost(500_000, tenants=10).secrets / cost(500_000).secrets)


def test_what_stands_there_is_added_up() -> None:
    """A month of two secrets, ten metrics, an alarm over two of them and a dashboard."""
    standing = Standing(secrets=2, metrics=10, alarm_metrics=2, dashboards=1)
    assert 2 * 0.40 + 10 * 0.30 + 2 * 0.10 + 3.00 == pytest.approx(standing.dollars)
