"""The arithmetic of capacity, for cases with a known result."""

from math import inf

import pytest

from stacks.capacity.limits import Footprint, VendorLimits, throughput_limits
from stacks.capacity.model import Load, Processors, ServiceTime
from stacks.capacity.queue_age import queue_age
from stacks.capacity.sizing import choose_processors

CONSTANT = ServiceTime(ai_seconds=2, spread=0, own_seconds=0)
RATES = (30, 40, 45, 49, 49.9, 50, 50.1, 51, 55, 60, 80)
TEN = Processors(batch_size=10, maximum_concurrency=10, work=CONSTANT)


def load_of(rate: float) -> Load:
    """Return a load with that constant rate of messages per second."""
    return Load(messages_per_day=rate * 24 * 3_600, peak_hour_share=1 / 24)


def test_constant_times_make_batch_as_long_as_message() -> None:
    """The messages of a batch are processed in parallel."""
    assert 2 == CONSTANT.invocation_seconds(1) == CONSTANT.invocation_seconds(10)


def test_varying_times_make_batch_as_long_as_its_longest_message() -> None:
    """The mean of the longest of ten log-normal times is that of tables of order statistics."""
    assert 1.80 == pytest.approx(
        ServiceTime(ai_seconds=1, own_seconds=0).invocation_seconds(10), rel=0.05
    )


def test_throughput_follows_littles_law() -> None:
    """A hundred concurrent messages of two seconds each are fifty per second."""
    assert 50 == TEN.per_second == TEN.max_rate


def test_batches_fill_once_concurrency_is_used_up() -> None:
    """Below the maximum concurrency each message has its own invocation."""
    assert 1 == pytest.approx(TEN.mean_batch_size(5))
    assert 4 == pytest.approx(TEN.mean_batch_size(20))
    assert 10 == TEN.mean_batch_size(51)


def test_excess_messages_wait() -> None:
    """An hour at twice the throughput makes the last message wait for an hour."""
    load = Load(messages_per_day=100 * 3_600 / 0.25, peak_hour_share=0.25)

    assert 3_600 == pytest.approx(queue_age(load, TEN).seconds)


def test_permanent_overload_has_no_bound() -> None:
    """If each day adds to the backlog, the age of the queue is unbounded."""
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
    chosen = choose_processors(
        Load(messages_per_day=1e7), CONSTANT, VendorLimits(messages_per_second=rate)
    )
    assert chosen.max_rate <= max(rate, 2 / CONSTANT.ai_seconds)


def test_largest_sufficient_batch_is_chosen() -> None:
    """The largest batch is the cheapest; the peak uses four fifths of the concurrency."""
    assert choose_processors(load_of(40), CONSTANT, VendorLimits()) == TEN


def test_limits_are_sorted() -> None:
    """The vendors' limits and AWS's quotas are sorted by messages per second."""
    vendors = VendorLimits(
        messages_per_second=80,
        openai_requests_per_minute=600,
        openai_tokens_per_minute=60_000,
        tokens_per_message=500,
    )

    limits = throughput_limits(TEN, vendors, Footprint(write_units=8))

    assert [2, 10, 80, 500] == [limit.per_second for limit in limits][:4]
    assert "tokens of OpenAI" == limits[0].name
    assert all(limit.quota for limit in limits[3:])
