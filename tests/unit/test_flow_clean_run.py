"""The flow where nothing goes wrong."""

from lambda_src.core.contract import Status
from lambda_src.core.flow import Outcome
from lambda_src.core.message import OutgoingMessage
from tests.unit import contexts
from tests.unit.fakes.clock import START
from tests.unit.fakes.world import World
from tests.unit.fakes.writer import ANSWER


def test_a_valid_message_is_sent_once(world: World) -> None:
    """A valid context object becomes one message."""
    assert Outcome.SENT is world.process()
    expected = OutgoingMessage(
        contexts.SENDER, contexts.RECIPIENT, template_sid="HX1", variables=ANSWER.variables
    )
    assert [expected] == [accepted.message for accepted in world.sender.sent]
    assert Status.SENT is world.record.status
    assert START == world.clock()
