"""The whole proof: every part of it, one after the other, and what each found."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from rich.console import Console

from tests.faults.bodies import run as deliver_bodies
from tests.faults.grid import run as grid
from tests.faults.grid.handlers import OURS
from tests.faults.report import tables
from tests.faults.report.findings import Finding
from tests.faults.report.terminal import OnProgress, progress
from tests.faults.schedules import run as play_schedules
from tests.faults.soak import run as soak
from tests.faults.variants.run import VariantsResult
from tests.faults.variants.run import run as play_variants

OTHERS = {
    "original": "the public original's algorithm",
    "powertools": "Powertools' idempotency around the same flow",
}
"""Designs beside ours, played through the same grid."""

R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much of each part is run, and the seed that decides what is random."""

    schedules: int
    messages: int
    bodies: int
    seed: int


@dataclass
class Proof:
    """The parts that were run.

    Attributes:
        console: Where it is shown how far they are.
        extent: How much of each is run.
        ours: What was found of our runtime.
        others: What was found of other designs, by the same grid.
        variants: What was found of our runtime with one thing broken each.
        unproven: What the run leaves open, although nothing of ours broke a rule, in sentences.
    """

    console: Console
    extent: Extent
    ours: list[Finding] = field(default_factory=list)
    others: list[Finding] = field(default_factory=list)
    variants: VariantsResult = field(default_factory=VariantsResult)
    unproven: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found of ours that must not be, and the proof was able to find it."""
        return all(finding.is_clean for finding in self.ours) and not self.unproven

    def run(self) -> None:
        """Run everything; what is broken last, which shows that the rest was able to fail."""
        self.ours.append(self._every_boundary(OURS, "every boundary"))
        self.ours.append(self._random_schedules())
        self.ours.append(self._extreme_bodies())
        self.ours.append(self._real_kills())
        for handler, name in OTHERS.items():
            self.others.append(self._every_boundary(handler, name))
        self.variants, _ = self._timed("broken on purpose", play_variants)
        self.unproven += [
            f"{finding.part}: not caught" for finding in self.others if finding.is_clean
        ]
        self.unproven += [f"{name}: not caught" for name in self.variants.violations]

    def _every_boundary(self, handler: str, name: str) -> Finding:
        cells = grid.all_cells(handler)
        result, seconds = self._timed(name, lambda told: grid.run(cells, handler, told))
        return Finding(
            part=name,
            size=f"{len(cells):,} cells",
            result=result,
            people=result.people,
            seconds=seconds,
            table=tables.boundaries(f"Boundary by fault: {name}", result),
        )

    def _random_schedules(self) -> Finding:
        count, seed = self.extent.schedules, self.extent.seed
        result, seconds = self._timed(
            "random schedules", lambda told: play_schedules(count, seed, told)
        )
        self.unproven += [f"no schedule reached: {turn}" for turn in result.unreached]
        return Finding(
            part="random schedules",
            size=f"{result.schedules:,} schedules, {result.steps:,} steps",
            result=result,
            people=result.person_needed,
            seconds=seconds,
            table=tables.counts("What the schedules reached", result.reached.items()),
        )

    def _extreme_bodies(self) -> Finding:
        result, seconds = self._timed(
            "extreme bodies", lambda told: deliver_bodies(self.extent.bodies, told)
        )
        size = f"{result.examples:,} bodies, {result.sent:,} of them sent"
        return Finding(part="extreme bodies", size=size, result=result, seconds=seconds)

    def _real_kills(self) -> Finding:
        count, seed = self.extent.messages, self.extent.seed
        result, seconds = self._timed("real kills", lambda told: soak(count, seed, told))
        return Finding(
            part="real kills",
            size=f"{result.messages:,} messages, {result.storm.kills:,} kills",
            result=result,
            people=result.recovery.recorded_by_person + result.recovery.released_by_person,
            seconds=seconds,
            table=tables.soaked(result),
        )

    def _timed(self, name: str, run: Callable[[OnProgress], R]) -> tuple[R, float]:
        begun = time.monotonic()
        with progress(self.console, name) as told:
            result = run(told)
        return result, time.monotonic() - begun
