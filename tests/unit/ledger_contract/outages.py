"""The rows of the contract about a table that does not answer."""

from collections.abc import Callable

import pytest

from lambda_src.core.errors import LedgerUnavailable, Step
from lambda_src.core.ports import Conversations
from tests.unit.fakes.clock import START
from tests.unit.fakes.world import KEY
from tests.unit.fakes.writer import ANSWER
from tests.unit.ledger_contract.probe import CONTEXT, FAILED, RETRY, UNKNOWN
from tests.unit.samples import CLAIM, ENTRY, INTENT, SENT

CALLS: list[tuple[Step, Callable[[Conversations], object]]] = [
    (Step.CLAIM, lambda table: table.create(CONTEXT, CLAIM)),
    (Step.CLAIM, lambda table: table.take_over(CLAIM, ENTRY)),
    (Step.CLAIM, lambda table: table.renew(CLAIM, START)),
    (Step.AI, lambda table: table.store_answer(CLAIM, ANSWER)),
    (Step.SEND, lambda table: table.begin_send(CLAIM, INTENT, ANSWER)),
    (Step.RECORD, lambda table: table.record_sent(KEY, SENT)),
    (Step.RECORD, lambda table: table.record_failure(CLAIM, RETRY)),
    (Step.RECORD, lambda table: table.record_rejection(KEY, FAILED, None, START)),
    (Step.RECORD, lambda table: table.turn_away(ENTRY, FAILED)),
    (Step.SETTLE, lambda table: table.count_look(KEY, ENTRY)),
    (Step.SETTLE, lambda table: table.declare_unknown(KEY, UNKNOWN, ENTRY)),
    (Step.SETTLE, lambda table: table.others(KEY)),
]


class Outages:
    """What a worker hears of a table that is down."""

    @pytest.mark.parametrize(("step", "call"), CALLS)
    def test_an_outage_names_the_step_that_met_it(
        self, unavailable: Conversations, step: Step, call: Callable[[Conversations], object]
    ) -> None:
        """Whoever reads the failure learns how far the message had come."""
        with pytest.raises(LedgerUnavailable) as met:
            call(unavailable)
        assert step is met.value.step
