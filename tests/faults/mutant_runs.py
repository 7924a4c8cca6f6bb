"""Every mutant, in the cases that are known to show its mistake."""

from concurrent.futures import Executor
from typing import NamedTuple

from tests.faults.model.model import Played, read
from tests.faults.mutants.catalogue import MUTANTS, Mutant
from tests.faults.process_faults.cells import Cell
from tests.faults.process_faults.run import Driver, driver
from tests.faults.report import OnProgress
from tests.faults.rules import Rule


class Caught(NamedTuple):
    """The rules that a mutant broke in the model, and in its cell if it has one."""

    mutant: Mutant
    in_model: tuple[Rule, ...]
    in_cell: tuple[Rule, ...]

    @property
    def is_caught(self) -> bool:
        """Whether it broke a rule that its mistake can break."""
        return not self.mutant.breaks.isdisjoint(self.in_model + self.in_cell)


def run(pool: Executor, on_progress: OnProgress) -> list[Caught]:
    """Run each mutant's schedule and cell."""
    caught: list[Caught] = []
    for mutant, broken in zip(MUTANTS.values(), pool.map(_broken_by, MUTANTS), strict=True):
        caught.append(Caught(mutant, *broken))
        on_progress(len(caught), len(MUTANTS))
    return caught


def _broken_by(name: str) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    mutant = MUTANTS[name]
    with driver() as one:
        return broken_in_model(mutant), broken_in_cell(mutant, one)


def broken_in_model(mutant: Mutant) -> tuple[Rule, ...]:
    problem = Played(read(mutant.schedule), mutant.alter).problem
    return problem.rules if problem else ()


def broken_in_cell(mutant: Mutant, one: Driver) -> tuple[Rule, ...]:
    return one.run(Cell.parse(mutant.cell), mutant.name).broken if mutant.cell else ()
