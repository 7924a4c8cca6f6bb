"""The proof can fail: each deliberately broken variant of the runtime is caught."""

import pytest

from lambda_src.core.contract import Status
from tests.faults.variants import VARIANTS, Variant
from tests.unit import contexts
from tests.unit.fakes.world import World

every_variant = pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)


@every_variant
def test_sends_where_nothing_goes_wrong(variant: Variant) -> None:
    """A variant has one mistake, which a clean run does not show."""
    world = World()
    handler = variant.alter(world.batch())

    assert [] == handler.handle([world.delivery(contexts.body(contexts.valid()))])

    assert [world.record.sid] == [accepted.sid for accepted in world.sender.sent]
    assert Status.SENT is world.record.status
