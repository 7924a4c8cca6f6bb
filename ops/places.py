"""Every channel of an environment, as the places where something about a person may be kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.deployment import PROJECT, Deployment
from ops.erasure import Place
from ops.letters import Letters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.aws import Aws
    from ops.surroundings import Surroundings


def places(aws: Aws, environment: str, surroundings: Surroundings) -> list[Place]:
    """Find the stacks of all channels, each with its queues and its reading of bodies."""
    return [
        _place(Deployment.find(aws, environment, channel, surroundings))
        for channel in sorted(channels(aws, environment))
    ]


def channels(aws: Aws, environment: str) -> Iterator[str]:
    """The names of the environment's channels: each has a stack with a queue."""
    pages = aws.cloudformation.get_paginator("describe_stacks").paginate()
    for stack in (stack for page in pages for stack in page["Stacks"]):
        name = stack["StackName"]
        start, end = f"{PROJECT}-", f"-{environment}"
        has_queue = any(
            out.get("OutputKey") == "DeadLetterQueueUrl" for out in stack.get("Outputs", [])
        )
        if name.startswith(start) and name.endswith(end) and has_queue:
            yield name.removeprefix(start).removesuffix(end)


def _place(deployment: Deployment) -> Place:
    sqs = deployment.aws.sqs
    return Place(
        channel=deployment.channel,
        queues={
            "queue": Letters(sqs, deployment.settings.queue_url),
            "dead letters": Letters(sqs, deployment.dead_letter_queue_url),
        },
        parse=deployment.parse,
    )
