"""What a soak does, drawn from its seed: who gets a message when, and what goes wrong meanwhile."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from random import Random
from typing import NamedTuple

from mypy_boto3_lambda.type_defs import EventSourceMappingConfigurationTypeDef

from lambda_src.core.contract import Variable
from lambda_src.core.models import RecordKey
from local.cloud import LocalCloud
from local.contexts import example

SECONDS_PER_MESSAGE = 0.25
"""How long messages keep arriving, for each message."""
REFUSED_SHARE = 0.04
FREE_TEXT_SHARE = 0.25
SAME_RECIPIENT_SHARE = 0.1
DUPLICATE_SHARE = 0.25
IMMEDIATE_DUPLICATE_SHARE = 0.5
MAX_DUPLICATE_DELAY = 40


class Expected(StrEnum):
    """What must happen to a conversation."""

    SENT = "sent"
    NO_CONSENT = "refused: no consent"
    UNREACHABLE = "refused: the vendor cannot reach the number"


REFUSED = tuple(expected for expected in Expected if expected is not Expected.SENT)


class Conversation(NamedTuple):
    """One conversation to begin; its id is also in its message's text, `body` is its context."""

    conversation_id: str
    recipient: str
    expected: Expected
    body: str

    @property
    def key(self) -> RecordKey:
        return RecordKey(self.recipient, self.conversation_id)


class Arrival(NamedTuple):
    """A context object that becomes visible on the queue after so many seconds."""

    conversation: Conversation
    after: int


class Plan(NamedTuple):
    """Everything that a seed decides."""

    seed: int
    conversations: tuple[Conversation, ...]
    arrivals: tuple[Arrival, ...]

    @classmethod
    def drawn(cls, messages: int, seed: int) -> "Plan":
        """Draw a plan for so many conversations."""
        random = Random(seed)  # noqa: S311 - repeatable, no cryptography
        conversations = tuple(_conversations(random, messages, seed))
        return cls(seed, conversations, tuple(_arrivals(random, conversations)))


def _conversations(random: Random, messages: int, seed: int) -> Iterator[Conversation]:
    recipient = ""
    for number in range(messages):
        expected = random.choice(REFUSED) if random.random() < REFUSED_SHARE else Expected.SENT
        is_same = recipient and random.random() < SAME_RECIPIENT_SHARE
        recipient = recipient if is_same else f"+1555010{1000 + number:04}"
        name = "whatsapp-free-text" if random.random() < FREE_TEXT_SHARE else "whatsapp"
        conversation_id = f"soak-{seed}-{number:04}"
        body = _body(name, conversation_id, recipient, expected)
        yield Conversation(conversation_id, recipient, expected, body)


def _body(name: str, conversation_id: str, recipient: str, expected: Expected) -> str:
    context = json.loads(example(name, conversation_id=conversation_id, recipient=recipient))
    frontend = context["frontend_payload"]
    frontend["request_data"]["request_id"] = f"request-{conversation_id}"
    # The fake AI writes the title, so that each message names its conversation.
    frontend["project_data"]["job"]["title"] = conversation_id
    if expected is Expected.NO_CONSENT:
        frontend["recipient_data"]["comms_consent"] = False
    return json.dumps(context)


def _arrivals(random: Random, conversations: tuple[Conversation, ...]) -> Iterator[Arrival]:
    for conversation in conversations:
        after = int(random.uniform(0, SECONDS_PER_MESSAGE * len(conversations)))
        yield Arrival(conversation, after)
        if random.random() < DUPLICATE_SHARE:
            is_immediate = random.random() < IMMEDIATE_DUPLICATE_SHARE
            later = 0 if is_immediate else random.randint(1, MAX_DUPLICATE_DELAY)
            yield Arrival(conversation, after + later)


# Shorter times than deployed, with the same rules, so that a soak takes minutes. They are changed
# as an operator would: by the function's configuration, a new version behind the alias, the queue's
# attributes and the mapping's scaling.
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
"""As short as the rules for the deployed ones allow."""
FUNCTION_SECONDS = 90
VISIBILITY_SECONDS = 90
"""The visibility of a message whose worker dies before its first heartbeat."""
MAX_RECEIVE_COUNT = 6
"""Low enough that some messages use it up, and must be redriven."""
CONCURRENCY = 4


def shorten_times(cloud: LocalCloud) -> None:
    """Give the deployed function, its queue and its mapping the soak's times."""
    functions, name = cloud.aws.functions, cloud.resources.function
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
    alias = _mapping(cloud)["FunctionArn"].rpartition(":")[2]
    functions.update_alias(FunctionName=name, Name=alias, FunctionVersion=version)
    sqs, url = cloud.aws.sqs, cloud.resources.queue_url
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]
    policy = json.loads(found["RedrivePolicy"]) | {"maxReceiveCount": MAX_RECEIVE_COUNT}
    visibility = str(VISIBILITY_SECONDS)
    sqs.set_queue_attributes(
        QueueUrl=url,
        Attributes={"VisibilityTimeout": visibility, "RedrivePolicy": json.dumps(policy)},
    )
    functions.update_event_source_mapping(
        UUID=_mapping(cloud)["UUID"], ScalingConfig={"MaximumConcurrency": CONCURRENCY}
    )


@contextmanager
def mapping_paused(cloud: LocalCloud) -> Iterator[None]:
    """Pause deliveries inside the context.

    The embedded AWS may lose a message that is sent while its mapping works on the same queue.
    """
    functions, mapping = cloud.aws.functions, _mapping(cloud)["UUID"]
    functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    try:
        yield
    finally:
        functions.update_event_source_mapping(UUID=mapping, Enabled=True)


def _mapping(cloud: LocalCloud) -> EventSourceMappingConfigurationTypeDef:
    queue = cloud.resources.queue_url.rpartition("/")[2]
    mappings = cloud.aws.functions.list_event_source_mappings()["EventSourceMappings"]
    return next(one for one in mappings if one["EventSourceArn"].endswith(f":{queue}"))
