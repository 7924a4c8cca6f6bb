"""The vendors' calls, measured: seconds of each, tokens of each answer."""

import pytest

from lambda_src.core.errors import RateLimited, Step, TransientFailure
from lambda_src.core.metric_names import Metric
from tests.unit.fakes.world import World
from tests.unit.fakes.writer import ANSWER


@pytest.fixture(autouse=True)
def _calls_take_time(world: World) -> None:
    world.while_writing(lambda: world.clock.advance(7.0))
    world.sender.during = lambda: world.clock.advance(0.5)


def test_a_sent_message_is_measured(world: World) -> None:
    """The AI's seconds and tokens, and the vendor's seconds."""
    world.process()
    assert {
        Metric.AI_SECONDS: [7.0],
        Metric.PROMPT_TOKENS: [ANSWER.usage.prompt_tokens],
        Metric.COMPLETION_TOKENS: [ANSWER.usage.completion_tokens],
        Metric.SEND_SECONDS: [0.5],
    } == world.metrics.values


def test_a_call_that_fails_took_its_time(world: World) -> None:
    """An AI that fails is measured, and used no tokens that anyone knows of."""
    world.writer.fail(TransientFailure("openai_500", Step.AI))
    with pytest.raises(TransientFailure):
        world.process()
    assert {Metric.AI_SECONDS: [7.0]} == world.metrics.values


def test_each_request_to_send_is_measured(world: World) -> None:
    """A refusal and the send that succeeds later are two requests, over one paid answer."""
    world.sender.fail(RateLimited("twilio_20429", Step.SEND))
    with pytest.raises(RateLimited):
        world.process()
    world.process(receive_count=2)
    assert [0.5, 0.5] == world.metrics.values[Metric.SEND_SECONDS]
    assert [7.0] == world.metrics.values[Metric.AI_SECONDS]
