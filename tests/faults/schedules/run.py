"""Many schedules on every core, each of which its seed makes again."""

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from multiprocessing import get_context, parent_process
from threading import Thread

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.schedules.container import Alter
from tests.faults.schedules.judge import Problem, Unresolved
from tests.faults.schedules.machine import Schedules
from tests.faults.schedules.playing import Played, Schedule, smallest
from tests.faults.schedules.result import SchedulesResult, Violation
from tests.faults.schedules.steps import written
from tests.faults.schedules.tally import Tally
from tests.faults.schedules.workers import unaltered

SHARD = 100
"""Schedules that are made of one seed, one after another."""
STEPS = 40
"""Decisions that a schedule is made of, moves of several steps counting as one."""

# Hypothesis's own way of drawing, under another name: then no schedule is a variation of the one
# before, as its search for novelty would have it, and all are drawn independently.
AVAILABLE_PROVIDERS["independent"] = HypothesisProvider
INDEPENDENTLY = settings(
    backend="independent",
    database=None,
    deadline=None,
    max_examples=SHARD,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    stateful_step_count=STEPS,
    suppress_health_check=list(HealthCheck),
)


def run(
    schedules: int,
    seed: int,
    on_progress: Callable[[int, int], None],
    alter: Alter | None = None,
) -> SchedulesResult:
    """Play that many schedules, or a few more.

    Args:
        schedules: How many; they come in shards of `SHARD`, each with a seed of its own.
        seed: Of the first shard; the others have the next ones.
        on_progress: Told how many of how many are done.
        alter: Makes the handler a broken variant; then it ends with the first violation.
    """
    seeds = range(seed, seed + -(-schedules // SHARD))
    total = SchedulesResult()
    for result in _here(seeds, alter) if alter else _everywhere(seeds):
        total += result
        on_progress(total.schedules, len(seeds) * SHARD)
        if alter and total.violations:
            break
    return total


def replay(seed: int, alter: Alter = unaltered) -> SchedulesResult:
    """Play the schedules of one shard, up to the one that breaks a rule, if any."""
    tally = Tally()
    shard = type("Shard", (Schedules,), {"tally": tally, "alter": staticmethod(alter)})
    with suppress(Problem):  # the tally has it
        run_state_machine_as_test(seeded(seed)(shard), settings=INDEPENDENTLY)
    return SchedulesResult(
        schedules=tally.schedules,
        steps=tally.steps,
        pieces=tally.pieces,
        reached=tally.reached,
        violations=(_violation(seed, *tally.broken, alter),) if tally.broken else (),
    )


def _here(seeds: Iterable[int], alter: Alter) -> Iterator[SchedulesResult]:
    return (replay(seed, alter) for seed in seeds)


def _everywhere(seeds: Iterable[int]) -> Iterator[SchedulesResult]:
    context = get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context, initializer=_end_with_parent) as pool:
        shards = [pool.submit(replay, seed) for seed in seeds]
        try:
            for shard in as_completed(shards):
                yield shard.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _end_with_parent() -> None:
    # An interrupt is the parent's to handle; one that was killed tells its workers nothing, and
    # they would wait for more work for good.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_outlive_nobody, daemon=True).start()


def _outlive_nobody() -> None:
    if parent := parent_process():
        parent.join()
        os._exit(1)


def _violation(seed: int, schedule: Schedule, problem: Problem, alter: Alter) -> Violation:
    def shows(shorter: Schedule) -> bool:
        found = Played(shorter, alter).problem
        return found is not None and (type(found), found.rules) == (type(problem), problem.rules)

    small = smallest(schedule, shows)
    return Violation(
        seed=seed,
        rules=problem.rules,
        problem=str(Played(small, alter).problem),
        schedule=written(small),
        is_unresolved=isinstance(problem, Unresolved),
    )
