"""Playing a given schedule, and making one smaller that breaks a rule."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.faults.schedules.container import Alter
from tests.faults.schedules.ending import come_to_rest
from tests.faults.schedules.judge import Problem
from tests.faults.schedules.steps import Step
from tests.faults.schedules.universe import Universe
from tests.faults.schedules.workers import unaltered

if TYPE_CHECKING:
    from tests.faults.schedules.reached import Reached

Schedule = tuple[Step, ...]

CHOOSING = frozenset(
    {"arrive", "go", "go_to", "finish", "trouble", "trouble_at", "kill", "kill_at", "beat", "hang"}
    | {"duplicate", "overtake", "redrive", "late", "person"}
)
"""Actions whose numbers choose one of several things, and say as much when they are low."""


class Played:
    """A schedule that was played: what it told, what it reached, and what it broke, if anything."""

    def __init__(self, schedule: Schedule, alter: Alter = unaltered) -> None:
        self.problem: Problem | None = None
        self.story: list[str] = []
        self.reached: set[Reached] = set()
        universe = Universe(alter)
        try:
            self._play(universe, schedule)
        except Problem as problem:
            self.problem = problem
        finally:
            universe.close()
            self.reached = universe.world.witness.reached

    def _play(self, universe: Universe, schedule: Schedule) -> None:
        for step in schedule:
            with self._told(universe, f"> {step}"):
                universe.do(step)
        with self._told(universe, "> come to rest"):
            come_to_rest(universe)

    @contextmanager
    def _told(self, universe: Universe, heading: str) -> Iterator[None]:
        self.story.append(heading)
        before = len(universe.workers.story)
        try:
            yield
        finally:
            self.story.extend(map(str, universe.workers.story[before:]))


def smallest(schedule: Schedule, shows: Callable[[Schedule], bool]) -> Schedule:
    """The schedule without what is not needed to show the same: fewer steps, lower numbers."""
    size = len(schedule)
    while size:
        shorter = _without_parts(schedule, size, shows)
        size = size if size == 1 and shorter != schedule else size // 2
        schedule = shorter
    for place in range(len(schedule)):
        schedule = _with_low_numbers(schedule, place, shows)
    return schedule


def _without_parts(schedule: Schedule, size: int, shows: Callable[[Schedule], bool]) -> Schedule:
    start = 0
    while start < len(schedule):
        shorter = schedule[:start] + schedule[start + size :]
        if shows(shorter):
            schedule = shorter
        else:
            start += size
    return schedule


def _with_low_numbers(
    schedule: Schedule, place: int, shows: Callable[[Schedule], bool]
) -> Schedule:
    if schedule[place].action not in CHOOSING:
        return schedule
    for part in range(len(schedule[place].about)):
        about = list(schedule[place].about)
        if isinstance(about[part], int) and about[part]:
            about[part] = 0
            lower = schedule[place]._replace(about=tuple(about))
            changed = (*schedule[:place], lower, *schedule[place + 1 :])
            schedule = changed if shows(changed) else schedule
    return schedule
