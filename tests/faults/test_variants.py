"""The proof can fail: each variant has its one mistake, and real processes show it as well.

That random schedules catch each of them stands with the schedules' tests.
"""

import pytest

from lambda_src.core.contract import Status
from tests.faults.grid.cells import Cell
from tests.faults.grid.driver import Driver
from tests.faults.variants import VARIANTS, Variant
from tests.faults.variants.cells import BEYOND, CATCHING
from tests.unit import contexts
from tests.unit.fakes.world import World

ONE_OF_EACH_RULE = (
    "no_intent",
    "failures_not_reported",
    "alarm_after_write",
    "lapsed_lease_kept",
    "answer_not_used",
)
"""Variants whose cells are quick; the full proof plays every one."""


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_sends_where_nothing_goes_wrong(variant: Variant) -> None:
    """A variant has one mistake, which a clean run does not show."""
    world = World()
    handler = variant.alter(world.batch())

    assert [] == handler.handle([world.delivery(contexts.body(contexts.valid()))])

    assert [world.record.sid] == [accepted.sid for accepted in world.sender.sent]
    assert Status.SENT is world.record.status


def test_every_variant_has_a_cell_or_a_reason() -> None:
    """A variant that the grid cannot catch says why, and none has both."""
    assert sorted(VARIANTS) == sorted([*CATCHING, *BEYOND])


@pytest.mark.parametrize("name", CATCHING)
def test_cell_names_a_rule_of_the_variant(name: str) -> None:
    """The cell can be played, and its rule is one that the variant's mistake can break."""
    rule, cell = CATCHING[name]

    assert cell == str(Cell.parse(cell))
    assert rule in VARIANTS[name].breaks


@pytest.mark.parametrize("name", ONE_OF_EACH_RULE)
def test_variant_is_caught_by_its_cell(name: str, grid: Driver) -> None:
    """Real processes over HTTP break the rule as well, where the runtime itself keeps it."""
    rule, cell = CATCHING[name]

    result = grid.play(Cell.parse(cell), name)

    assert rule in result.broken, "\n".join((*result.story, *result.log, result.outcome))
