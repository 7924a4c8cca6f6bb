"""What the runtime calls, against what the template allows: no call too many, no privilege more."""

from typing import Any

from lambda_src import index
from tests.alarms.stories import (
    fail_the_final_update,
    lose_a_send,
    send_and_fail_without_alarm,
)
from tests.infra.synthesis import Synthesized
from tests.services.channel import Channel, context
from tests.services.test_handler_faults import lapse_the_sender

ACTIONS = {"ChangeMessageVisibilityBatch": "ChangeMessageVisibility"}
"""API calls whose privilege has another name."""

BY_THE_SERVICE = {
    "sqs:ReceiveMessage": "the event source mapping polls with the function's role",
    "sqs:DeleteMessage": "the event source mapping deletes what was not reported",
    "logs:CreateLogStream": "Lambda opens the stream of an instance",
    "logs:PutLogEvents": "Lambda writes the function's output",
}
"""Privileges that AWS uses on the function's behalf."""


def calls_noted(channel: Channel) -> set[str]:
    """A set that the runtime's API calls are added to from now on, as the actions they need."""
    made: set[str] = set()

    def note(model: Any, **_: object) -> None:
        service = model.service_model.service_name
        made.add(f"{service}:{ACTIONS.get(model.name, model.name)}")

    for client in _clients(channel):
        client.meta.events.register("before-call.*", note)
    return made


def _clients(channel: Channel) -> list[Any]:
    handler: Any = index.batch_handler()
    return [
        handler.queue._client,
        channel.table_client(),
        handler.flow.sending.secrets._provider.client,
    ]


def allowed(dev: Synthesized) -> set[str]:
    """The actions that the function's role allows."""
    (policy,) = dev.resources("WhatsApp", "AWS::IAM::Policy")
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    actions = [statement["Action"] for statement in statements]
    return {action for each in actions for action in ([each] if isinstance(each, str) else each)}


def test_every_call_is_allowed_and_every_privilege_is_used(
    channel: Channel, dev: Synthesized
) -> None:
    """Over the good way, every failure and both settlements, calls and privileges are the same."""
    calls = calls_noted(channel)

    send_and_fail_without_alarm(channel)
    fail_the_final_update(channel)
    lapse_the_sender(channel, "unrecorded")
    channel.deliver(context(conversation_id="unrecorded"), receive_count=2)
    lose_a_send(channel)

    assert sorted(allowed(dev)) == sorted(calls | set(BY_THE_SERVICE))
