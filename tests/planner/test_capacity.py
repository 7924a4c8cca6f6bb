"""The arithmetic of capacity, where the answer is known."""

from math import inf

import pytest

from stacks.capacity.choice import choose
from stacks.capacity.limits import Footprint, Vendors, limits_of
from stacks.capacity.load import Load
from stacks.capacity.processors import Processors
from stacks.capacity.queue_age import queue_age
from stacks.capacity.work import Work

EVEN = Work(ai_seconds=2, spread=0, own_seconds=0)
RATES = (30, 40, 45, 49, 49.9, 50, 50.1, 51, 55, 60, 80)
TEN = Processors(batch_size=10, maximum_concurrency=10, work=EVEN)


def a_day(rate: float) -> float:
    """Messages a day of which that many come each second of a busiest hour like all others."""
    return rate * 24 * 3_600


def test_equal_times_make_a_batch_as_short_as_a_message() -> None:
    """All messages of a batch are worked on at once."""
    assert 2 == EVEN.call_seconds(1) == EVEN.call_seconds(10)


def test_uneven_times_make_a_batch_as_long_as_its_longest_message() -> None:
    """The mean of the longest of ten log-normal times, as tables of order statistics have it."""
    assert 1.80 == pytest.approx(Work(ai_seconds=1, own_seconds=0).call_seconds(10), rel=0.05)


def test_work_is_done_by_littles_law() -> None:
    """A hundred messages in flight, of two seconds each, become fifty a second."""
    assert 50 == TEN.per_second == TEN.at_most


def test_batches_fill_up_once_all_calls_are_busy() -> None:
    """Up to that, each message has a call of its own; beyond, calls get what has gathered."""
    assert 1 == pytest.approx(TEN.batch_at(5))
    assert 4 == pytest.approx(TEN.batch_at(20))
    assert 10 == TEN.batch_at(51)


def test_what_comes_faster_than_it_is_worked_off_waits() -> None:
    """An hour at twice the rate keeps the last message waiting for an hour."""
    load = Load(messages_per_day=100 * 3_600 / 0.25, peak_hour_share=0.25)

    assert 3_600 == pytest.approx(queue_age(load, TEN).seconds)


def test_more_than_a_day_works_off_waits_without_end() -> None:
    """What is left of each day is added to what is left of those before."""
    load = Load(messages_per_day=a_day(51), peak_hour_share=1 / 24)

    assert inf == queue_age(load, TEN).seconds == queue_age(load, TEN).drained_after


def test_more_messages_never_wait_for_less() -> None:
    """The figure grows with the load, also where it comes to what can be worked off."""
    loads = (Load(messages_per_day=rate * 3_600 / 0.1, peak_hour_share=0.1) for rate in RATES)

    ages = [queue_age(load, TEN).seconds for load in loads]
    assert sorted(ages) == ages


def test_a_vendors_limit_is_never_exceeded_by_what_is_chosen() -> None:
    """Whatever comes, the calls can ask the vendor for no more than it allows."""
    for rate in (0.5, 3.0, 7.5, 80.0):
        chosen = choose(Load(messages_per_day=1e7), EVEN, Vendors(messages_per_second=rate))
        least = 2 / EVEN.ai_seconds
        assert chosen.at_most <= max(rate, least)


def test_the_largest_batch_that_is_enough_is_chosen() -> None:
    """Calls cost the same however many messages they have; four fifths of them are kept busy."""
    load = Load(messages_per_day=a_day(40), peak_hour_share=1 / 24)

    assert choose(load, EVEN, Vendors()) == TEN


def test_the_limit_that_is_reached_first_is_told_first() -> None:
    """Vendors' limits and AWS's quotas, in one order, by messages a second."""
    vendors = Vendors(
        messages_per_second=80,
        openai_requests_per_minute=600,
        openai_tokens_per_minute=60_000,
        tokens_per_message=500,
    )

    limits = limits_of(TEN, vendors, Footprint(write_units=8))

    assert [2, 10, 80, 500] == [limit.per_second for limit in limits][:4]
    assert "tokens of OpenAI" == limits[0].name
    assert all(limit.quota for limit in limits[3:])
