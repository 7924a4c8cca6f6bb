"""The deployed channel at a pace at which a soak takes minutes: times are shorter, rules the same.

Changed the way an operator would: by the function's configuration, a new version behind the alias,
the queue's attributes and the mapping's scaling. The template stays as it was deployed.
"""

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lambda_src.core.contract import Variable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_lambda.type_defs import EventSourceMappingConfigurationTypeDef

    from local.world import World

LEASE_SECONDS = 21
VARIABLES = {
    Variable.HEARTBEAT_INTERVAL_SECONDS: "2",
    Variable.HEARTBEAT_VISIBILITY_SECONDS: "23",
    Variable.LEASE_SECONDS: str(LEASE_SECONDS),
    Variable.OPENAI_TIMEOUT_SECONDS: "5",
    Variable.TWILIO_TIMEOUT_SECONDS: "2",
    Variable.SETTLE_DELAYS_SECONDS: "2,4,8",
    Variable.BACKOFF_BASE_SECONDS: "1",
}
"""As short as what must hold of the deployed ones allows."""
FUNCTION_SECONDS = 90
VISIBILITY_SECONDS = 90
"""What a worker leaves behind that dies before its first beat."""
MAX_RECEIVE_COUNT = 6
"""Low enough that some messages use it up, and have to be redriven."""
CONCURRENCY = 4


def quicken(world: "World") -> None:
    """Give the deployed function, its queue and its mapping the soak's times."""
    _quicken_function(world)
    queue_url = world.resources.queue_url
    policy = world.aws.sqs.get_queue_attributes(
        QueueUrl=queue_url, AttributeNames=["RedrivePolicy"]
    )["Attributes"]["RedrivePolicy"]
    world.aws.sqs.set_queue_attributes(
        QueueUrl=queue_url,
        Attributes={
            "VisibilityTimeout": str(VISIBILITY_SECONDS),
            "RedrivePolicy": json.dumps(
                json.loads(policy) | {"maxReceiveCount": MAX_RECEIVE_COUNT}
            ),
        },
    )
    world.aws.functions.update_event_source_mapping(
        UUID=_mapping(world)["UUID"], ScalingConfig={"MaximumConcurrency": CONCURRENCY}
    )


@contextmanager
def mapping_paused(world: "World") -> "Iterator[None]":
    """Let nothing be delivered for the length of a `with` block.

    The embedded AWS may lose a message that is sent while its mapping works on the same queue.
    """
    functions, mapping = world.aws.functions, _mapping(world)["UUID"]
    functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    try:
        yield
    finally:
        functions.update_event_source_mapping(UUID=mapping, Enabled=True)


def _quicken_function(world: "World") -> None:
    functions, name = world.aws.functions, world.resources.function
    deployed = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(
        FunctionName=name,
        Timeout=FUNCTION_SECONDS,
        Environment={"Variables": deployed | {str(key): value for key, value in VARIABLES.items()}},
    )
    functions.get_waiter("function_updated_v2").wait(
        FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    version = functions.publish_version(FunctionName=name)["Version"]
    alias = _mapping(world)["FunctionArn"].rpartition(":")[2]
    functions.update_alias(FunctionName=name, Name=alias, FunctionVersion=version)


def _mapping(world: "World") -> "EventSourceMappingConfigurationTypeDef":
    queue = world.resources.queue_url.rpartition("/")[2]
    mappings = world.aws.functions.list_event_source_mappings()["EventSourceMappings"]
    return next(one for one in mappings if one["EventSourceArn"].endswith(f":{queue}"))
