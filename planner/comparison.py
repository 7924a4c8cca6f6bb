"""The plan's figures beside those of a simulation, and how far apart they may be."""

from collections.abc import Iterator
from dataclasses import dataclass

from planner.simulation import Seen, simulate
from stacks.capacity.choice import choose
from stacks.capacity.limits import Vendors
from stacks.capacity.load import HOUR, Load
from stacks.capacity.processors import Processors
from stacks.capacity.queue_age import QueueAge, queue_age
from stacks.capacity.work import Work

CLOSE = 0.05
"""Of an hour: what a wait may differ by where more comes than is worked off."""

FULLNESS = 0.2
"""What the mean size of a batch may differ by, of itself."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A load, and the calls that work on it."""

    load: Load
    processors: Processors

    @property
    def name(self) -> str:
        """How a report calls it."""
        calls = self.processors
        return (
            f"{self.load.messages_per_day:,.0f} a day, {calls.maximum_concurrency} x"
            f" {calls.batch_size}, AI {calls.work.ai_seconds:g} s"
        )

    @property
    def is_overloaded(self) -> bool:
        """Whether more comes at the peak than is worked off."""
        return self.load.peak > self.processors.per_second


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A case with what was planned and what was seen."""

    case: Case
    planned: QueueAge
    seen: Seen

    @property
    def planned_batch(self) -> float:
        """Messages of a call at the peak, on average, as planned."""
        return self.case.processors.batch_at(self.case.load.peak)

    @property
    def problems(self) -> tuple[str, ...]:
        """Where the two are too far apart; empty: the plan holds."""
        return tuple(self._problems())

    def _problems(self) -> Iterator[str]:
        planned, seen = self.planned, self.seen
        if self.case.is_overloaded:
            if abs(planned.by_backlog - seen.oldest) > CLOSE * HOUR:
                yield f"oldest {seen.oldest:,.0f} s, planned {planned.by_backlog:,.0f} s"
            if abs(planned.drained_after - seen.drained_after) > 2 * CLOSE * HOUR:
                yield f"drained {seen.drained_after:,.0f} s, planned {planned.drained_after:,.0f} s"
        elif seen.oldest > planned.seconds + self.case.processors.work.own_seconds:
            yield f"oldest {seen.oldest:,.1f} s, planned no more than {planned.seconds:,.1f} s"
        if abs(self.planned_batch / seen.mean_batch - 1) > FULLNESS:
            yield f"batches of {seen.mean_batch:.2f}, planned {self.planned_batch:.2f}"


def compare(case: Case, seed: int = 1) -> Compared:
    """Plan a case and simulate it."""
    return Compared(
        case=case,
        planned=queue_age(case.load, case.processors),
        seen=simulate(case.load, case.processors, seed=seed),
    )


def _chosen(messages_per_day: float, work: Work) -> Case:
    load = Load(messages_per_day=messages_per_day)
    return Case(load=load, processors=choose(load, work, Vendors()))


def _tight(messages_per_day: float, calls: int, batch: int, work: Work) -> Case:
    processors = Processors(batch_size=batch, maximum_concurrency=calls, work=work)
    return Case(load=Load(messages_per_day=messages_per_day), processors=processors)


_QUICK, _SLOW = Work(ai_seconds=2), Work(ai_seconds=10, spread=0.7)

CASES = (
    *(_chosen(day, _QUICK) for day in (1e4, 1e5, 1e6, 5e6, 2e7, 5e7)),
    *(_chosen(day, _SLOW) for day in (1e4, 1e5, 1e6, 5e6)),
    _tight(2e5, 2, 10, _QUICK),
    _tight(3e6, 30, 10, _QUICK),
    _tight(2e7, 200, 10, _QUICK),
    _tight(1e6, 32, 10, _SLOW),
    _tight(1.8e6, 160, 1, _QUICK),
)
"""From ten thousand to fifty million messages a day; the last five with calls too few, or busy."""
