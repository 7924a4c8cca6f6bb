"""What a message takes of AWS, as the planner has it, against the real runtime."""

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from math import ceil
from typing import Any

from lambda_src.services.dynamodb_values import is_larger_than
from lambda_src.services.recipient_marks import SHARDS
from planner.usage import CALLS, EXAMPLE, KB, Per
from stacks.capacity.limits import MARK_PARTITIONS
from tests.contract.calls import clients
from tests.services.channel import CONVERSATION, Channel, context

TENTH = 0.1
"""What a size may differ by: names and times are not always equally long."""


def size(item: Mapping[str, Any]) -> int:
    """The bytes that DynamoDB counts for an item."""
    return bisect_left(range(400_000), True, key=lambda most: not is_larger_than(most, item))


def expected_calls(messages: int) -> Counter[str]:
    """The runtime's calls for one batch of a cold instance with one tenant."""
    calls: Counter[str] = Counter()
    for call in CALLS:
        if call.by == "runtime":
            calls[call.action] += {Per.MESSAGE: messages, Per.BATCH: 1, Per.INSTANCE: 2}[call.per]
    return calls


def made_calls(channel: Channel, *bodies: str) -> Counter[str]:
    """The calls that the runtime makes for a batch."""
    made: Counter[str] = Counter()

    def note(model: Any, **_: object) -> None:
        made[f"{model.service_model.service_name}:{model.name}"] += 1

    for client in clients(channel):
        client.meta.events.register("provide-client-params.*", note)
    assert [] == channel.deliver(*bodies)
    return made


def test_one_message_takes_the_calls_that_are_planned(channel: Channel) -> None:
    """The calls of a clean first message are those of the planner's table, and no other."""
    assert expected_calls(1) == made_calls(channel, context())


def test_a_batch_shares_what_is_not_each_messages_own(channel: Channel) -> None:
    """Ten messages make ten times their three writes; one beat and the secrets serve them all."""
    bodies = [context(conversation_id=str(number)) for number in range(10)]

    assert expected_calls(10) == made_calls(channel, *bodies)


def test_writes_are_as_large_as_planned(channel: Channel) -> None:
    """The record's size after each write is the planner's, and takes as many units."""
    sizes: list[int] = []

    def measure(**_: object) -> None:
        sizes.append(size(channel.record()))

    channel.table_client().meta.events.register("after-call.dynamodb.*", measure)
    channel.deliver(context(conversation_id=CONVERSATION))

    for planned, found in zip(
        (EXAMPLE.claimed, EXAMPLE.announced, EXAMPLE.sent), sizes, strict=True
    ):
        assert abs(planned - found) <= TENTH * planned
    claimed, announced, sent = (ceil(size / KB) for size in sizes)
    assert EXAMPLE.write_units == 2 * (claimed + 1) + announced + max(announced, sent)


def test_marks_are_spread_as_planned() -> None:
    """The limit of looks at recipients' marks is that of as many partitions as they have."""
    assert len(SHARDS) == MARK_PARTITIONS


def test_as_much_is_logged_as_planned(channel: Channel) -> None:
    """The lines of a batch of ten, its metrics included, are as long as the planner has them."""
    channel.deliver(*(context(conversation_id=str(number)) for number in range(10)))

    lines = [*channel.read_log(), *channel.read_metrics()]
    planned = EXAMPLE.logged_a_batch + 10 * EXAMPLE.logged
    assert abs(planned - sum(len(json.dumps(line)) for line in lines)) <= TENTH * planned
