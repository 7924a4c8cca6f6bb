"""The planner's arithmetic agrees with a discrete-event simulation."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stacks.capacity.model import Load, Processors, ServiceTime
from tests.planner.simulation import CASES, Case, compare, simulate

QUICK = [case for case in CASES if case.load.messages_per_day <= 1_000_000]
"""Cases that take a fraction of a second; `python -m tests.planner.simulation` runs all of them."""


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_plan_and_simulation_agree(case: Case) -> None:
    """The planned figures of the busiest hour are those of the simulation."""
    assert [] == list(compare(case).differences())


@settings(max_examples=12, deadline=None, database=None, derandomize=True)
@given(
    concurrency=st.integers(2, 30),
    batch=st.integers(1, 10),
    ai_seconds=st.sampled_from([1.0, 5.0, 20.0]),
    spread=st.sampled_from([0.0, 0.4, 0.8]),
    utilization=st.sampled_from([0.1, 0.4, 0.7, 0.9, 1.2, 1.5]),
)
def test_plan_and_simulation_agree_on_random_cases(
    concurrency: int, batch: int, ai_seconds: float, spread: float, utilization: float
) -> None:
    """They agree for any concurrency, batch size, AI time and utilization."""
    work = ServiceTime(ai_seconds=ai_seconds, spread=spread)
    processors = Processors(batch_size=batch, maximum_concurrency=concurrency, work=work)
    peak = processors.per_second * utilization
    load = Load(messages_per_day=peak * 3_600 / 0.125, peak_hour_share=0.125)
    assume(peak * 3_600 > 500)  # fewer messages have no stable mean

    assert [] == list(compare(Case(load=load, processors=processors)).differences())


def test_seed_determines_simulation() -> None:
    """The same seed gives the same result, another seed another one."""
    case = CASES[1]

    first, again, other = (simulate(case.load, case.processors, seed=n) for n in (3, 3, 4))
    assert first == again != other
