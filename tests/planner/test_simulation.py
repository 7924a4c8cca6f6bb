"""The planner's arithmetic against a simulation that knows nothing of it."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from planner.comparison import CASES, Case, compare
from planner.simulation import simulate
from stacks.capacity.load import Load
from stacks.capacity.processors import Processors
from stacks.capacity.work import Work

QUICK = [case for case in CASES if case.load.messages_per_day <= 1_000_000]
"""Those that take a fraction of a second; `python -m planner check` plays all of them."""


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_plan_and_simulation_agree(case: Case) -> None:
    """What is planned for the busiest hour is what a simulation of each message sees."""
    assert () == compare(case).problems


@settings(max_examples=12, deadline=None, database=None, derandomize=True)
@given(
    calls=st.integers(2, 30),
    batch=st.integers(1, 10),
    ai_seconds=st.sampled_from([1.0, 5.0, 20.0]),
    spread=st.sampled_from([0.0, 0.4, 0.8]),
    busy=st.sampled_from([0.1, 0.4, 0.7, 0.9, 1.2, 1.5]),
)
def test_plan_and_simulation_agree_on_any_calls(
    calls: int, batch: int, ai_seconds: float, spread: float, busy: float
) -> None:
    """However many calls and messages, and however the AI's time varies."""
    work = Work(ai_seconds=ai_seconds, spread=spread)
    processors = Processors(batch_size=batch, maximum_concurrency=calls, work=work)
    peak = processors.per_second * busy
    load = Load(messages_per_day=peak * 3_600 / 0.125, peak_hour_share=0.125)
    assume(peak * 3_600 > 500)  # fewer messages show no mean

    assert () == compare(Case(load=load, processors=processors)).problems


def test_a_seed_makes_the_same_hour_again() -> None:
    """What chance decides, the seed decides."""
    processors = Processors(batch_size=10, maximum_concurrency=2, work=Work(ai_seconds=2))
    load = Load(messages_per_day=50_000)

    assert simulate(load, processors, seed=3) == simulate(load, processors, seed=3)
    assert simulate(load, processors, seed=3) != simulate(load, processors, seed=4)
