"""Every variant, put to the parts of the proof that can catch it."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.grid.cells import Cell
from tests.faults.grid.driver import Driver, driver
from tests.faults.rules import Rule
from tests.faults.schedules import Played, read
from tests.faults.schedules.known import BREAKING
from tests.faults.variants import VARIANTS, Variant
from tests.faults.variants.cells import CATCHING


@dataclass(frozen=True, slots=True)
class Shown:
    """What became of one variant.

    Attributes:
        variant: The variant.
        by_schedule: The rules that it breaks in the schedule that is known to show its mistake.
        by_cell: The rules that it breaks in its cell of the grid; none where it has no cell.
    """

    variant: Variant
    by_schedule: tuple[Rule, ...]
    by_cell: tuple[Rule, ...]

    @property
    def is_caught(self) -> bool:
        """Whether it was seen to break a rule that its mistake can break."""
        return not self.variant.breaks.isdisjoint(self.by_schedule + self.by_cell)


@dataclass(frozen=True, slots=True)
class VariantsResult:
    """What became of all variants, in their order."""

    variants: tuple[Shown, ...] = ()

    @property
    def violations(self) -> tuple[str, ...]:
        """The variants that nothing caught."""
        return tuple(shown.variant.name for shown in self.variants if not shown.is_caught)


def run(on_progress: Callable[[int, int], None] = lambda _done, _all: None) -> VariantsResult:
    """Play each variant's own schedule, and its own cell if it has one.

    Args:
        on_progress: Told how many variants are done, of how many.
    """
    shown: list[Shown] = []
    with driver() as grid:
        for variant in VARIANTS.values():
            shown.append(Shown(variant, _by_schedule(variant), _by_cell(variant, grid)))
            on_progress(len(shown), len(VARIANTS))
    return VariantsResult(tuple(shown))


def _by_schedule(variant: Variant) -> tuple[Rule, ...]:
    _, schedule = BREAKING[variant.name]
    problem = Played(read(schedule), variant.alter).problem
    return problem.rules if problem else ()


def _by_cell(variant: Variant, grid: Driver) -> tuple[Rule, ...]:
    if variant.name not in CATCHING:
        return ()
    _, cell = CATCHING[variant.name]
    return grid.play(Cell.parse(cell), variant.name).broken
